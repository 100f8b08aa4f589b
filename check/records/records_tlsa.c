/*
 * records_tlsa: TLSA records of the certificates that hosts show, or that are in files, and which of
 * those published ought not to be there. They are left out, with a note, where no sender would use
 * them: in zones that are not signed, and for hosts that showed no certificate.
 */
#include <string.h>

#include "base/escape.h"
#include "check/check_tlsa.h"
#include "check/issuers.h"
#include "check/records/records_internal.h"
#include "probe/tls/tls_pem.h"

#define SHA256_OCTETS 32

static bool is_published(const struct check_host *host, unsigned usage, const char *hex)
{
    char text[2 * SHA256_OCTETS + 1];

    for (size_t i = 0; i < host->record_count; i++) {
        const struct tlsa *record = &host->records[i];

        if (record->usage != usage || record->selector != 1 || record->matching_type != 1 ||
            record->length != SHA256_OCTETS)
            continue;
        if (strcmp(escape_hex(text, record->data, SHA256_OCTETS), hex) == 0)
            return true;
    }
    return false;
}

static void add_tlsa(struct making *making, const struct check_host *host, unsigned usage,
                     const struct tls_certificate *certificate, const char *why)
{
    const struct check_rrset *tlsa = &host->tlsa;
    struct record record = {.type = "TLSA", .why = why};

    if (strlen(certificate->key_sha256) != 2 * (size_t)SHA256_OCTETS)
        return;
    record.name = records_owner(tlsa, tlsa->name);
    if (record.name == NULL)
        record.name =
            arena_printf(making->arena, "_%u._tcp.%s", making->facts->evidence->port, host->name);
    record.data = arena_printf(making->arena, "%u 1 1 %s", usage, certificate->key_sha256);
    record.present = is_published(host, usage, certificate->key_sha256);
    records_add(making, &record);
}

static void add_issuer(struct making *making, const struct check_host *host,
                       const struct tls_certificate *issuer, const char *from)
{
    if (issuer_retired_text(issuer->key_sha256) != NULL)
        records_note(making,
                     arena_printf(making->arena,
                                  "%s: its issuer, %s, issues no more, so there is no 2 1 1 record "
                                  "for it",
                                  from, issuer->subject));
    else
        add_tlsa(making, host, 2, issuer,
                 arena_printf(making->arena, "issuer of %s: %s", from, issuer->subject));
}

static void add_chain(struct making *making, const struct check_host *host,
                      const struct tls_certificate *certificates, size_t count, const char *from)
{
    struct arena *arena = making->arena;

    add_tlsa(making, host, 3, &certificates[0],
             arena_printf(arena, "%s key of %s", certificates[0].key_type, from));
    if (!making->wish->issuer)
        return;
    if (count > 1 && strcmp(certificates[0].issuer_name, certificates[1].subject) == 0)
        add_issuer(making, host, &certificates[1], from);
    else
        records_note(making, arena_printf(arena,
                                          "%s: its issuer is not sent along, so there is no 2 1 1 "
                                          "record for it",
                                          from));
}

/* Why a record ought not to be there; NULL: it ought to, or may. */
static const char *why_remove(struct making *making, const struct tlsa *record)
{
    switch (check_tlsa_of(record)) {
    case CHECK_TLSA_PKIX:
        return "no sender uses usages 0 and 1";
    case CHECK_TLSA_USELESS:
        return "no sender can use it";
    case CHECK_TLSA_UNUSUAL:
        return "3 1 1 takes its place";
    case CHECK_TLSA_RETIRED:
        return arena_printf(making->arena, "%s issues no more", check_tlsa_issuer(record));
    case CHECK_TLSA_GOOD:
        break;
    }
    return NULL;
}

static void remove_bad(struct making *making, const struct check_host *host)
{
    struct arena *arena = making->arena;

    for (size_t i = 0; i < host->record_count; i++) {
        const struct tlsa *tlsa = &host->records[i];
        char *hex = arena_alloc(arena, 2 * tlsa->length + 1);
        struct record record = {.name = records_owner(&host->tlsa, host->tlsa.name),
                                .type = "TLSA",
                                .why = why_remove(making, tlsa),
                                .remove = true};

        if (record.why == NULL || hex == NULL)
            continue;
        escape_hex(hex, tlsa->data, tlsa->length);
        record.data =
            tlsa->length > 0
                ? arena_printf(arena, "%u %u %u %s", tlsa->usage, tlsa->selector,
                               tlsa->matching_type, hex)
                : arena_printf(arena, "\\# 3 %02x%02x%02x", tlsa->usage, tlsa->selector,
                               tlsa->matching_type); /* RFC 3597 5: there is no other way */
        records_add(making, &record);
    }
}

/* True when each address has shown a certificate. */
static bool add_shown(struct making *making, const struct check_host *host)
{
    bool seen = false, everywhere = true;

    for (size_t i = 0; i < host->address_count; i++) {
        everywhere &= host->addresses[i].attempts[CHECK_OFFER_DEFAULT].certificate_count > 0;
        for (size_t offer = 0; offer < CHECK_OFFER_COUNT; offer++) {
            const struct check_attempt *attempt = &host->addresses[i].attempts[offer];

            if (!attempt->made || attempt->certificate_count == 0)
                continue;
            seen = true;
            add_chain(making, host, attempt->certificates, attempt->certificate_count, host->name);
        }
    }
    if (!seen)
        records_note(making,
                     arena_printf(making->arena,
                                  "%s: it showed no certificate, so there is no record for it",
                                  host->name));
    return seen && everywhere;
}

/* The certificates of a file that names the host. True where it does. */
static bool add_file(struct making *making, const struct check_host *host,
                     const struct records_certificate *file)
{
    size_t count = file->shown.count < 2 ? file->shown.count : 2;
    struct tls_certificate read[2];

    if (count == 0 || !tls_der_names(&file->shown.certificates[0], host->name))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!tls_certificate_read(&read[i], making->arena, &file->shown.certificates[i]))
            return false;
    add_chain(making, host, read, count, file->file);
    return true;
}

/* Whether a sender would look at TLSA records of the host. That they would be of no use is told with
 * all that there is, and not where only what is missing is asked for. */
static bool is_of_use(struct making *making, const struct check_host *host)
{
    const struct check_facts *facts = making->facts;
    bool told = !making->wish->missing;

    if (!facts->validating) {
        records_note(making,
                     "the resolver does not validate: whether the zones are signed is not known, "
                     "and without that TLSA records do nothing");
        return true;
    }
    if (facts->evidence->mx_secure && host->evidence->address_secure)
        return true;
    if (told && !facts->evidence->mx_secure)
        records_note(making, "the MX records are not signed: TLSA records would not be used");
    else if (told)
        records_note(making,
                     arena_printf(making->arena,
                                  "%s: its address is not signed: TLSA records would not be used",
                                  host->name));
    return false;
}

void records_make_tlsa(struct making *making)
{
    const struct records_wish *wish = making->wish;

    for (size_t i = 0; i < making->facts->host_count; i++) {
        const struct check_host *host = &making->facts->hosts[i];
        bool everywhere;

        if (!is_of_use(making, host))
            continue;
        everywhere = add_shown(making, host);
        for (size_t j = 0; j < wish->certificate_count; j++)
            add_file(making, host, &wish->certificates[j]);
        if (everywhere)
            remove_bad(making, host);
    }
    for (size_t j = 0; j < wish->certificate_count; j++) {
        bool named = false;

        for (size_t i = 0; i < making->facts->host_count; i++)
            named |= tls_der_names(&wish->certificates[j].shown.certificates[0],
                                   making->facts->hosts[i].name);
        if (!named)
            records_note(making, arena_printf(making->arena, "%s names no mail host of the domain",
                                              wish->certificates[j].file));
    }
}
