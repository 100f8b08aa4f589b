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

/* Whether usage 1 1 of a key is published, or told. */
static bool is_told(const struct making *making, const struct check_host *host, unsigned usage,
                    const struct tls_certificate *certificate)
{
    const char *name = records_owner(&host->tlsa, host->tlsa.name);
    const char *data = arena_printf(making->arena, "%u 1 1 %s", usage, certificate->key_sha256);

    for (size_t i = 0; i < making->out->count && data != NULL; i++)
        if (!making->out->records[i].remove && strcmp(making->out->records[i].name, name) == 0 &&
            strcmp(making->out->records[i].data, data) == 0)
            return true;
    return is_published(host, usage, certificate->key_sha256);
}

/* The certificate of a chain, other than the leaf, that a 2 x x record matches; NULL: none. */
static const struct tls_certificate *
anchor_of(struct making *making, const struct check_attempt *attempt, const struct tlsa *record)
{
    struct tls_associations made;

    if (record->selector >= TLS_SELECTORS || record->matching_type >= TLS_MATCHING_TYPES)
        return NULL;
    for (size_t i = 1; i < attempt->certificate_count; i++) {
        const struct tls_association *one = &made.of[record->selector][record->matching_type];

        if (tls_associations_read(&made, making->arena, &attempt->shown.certificates[i]) &&
            one->length == record->length && memcmp(one->data, record->data, one->length) == 0)
            return &attempt->certificates[i];
    }
    return NULL;
}

/* Whether another record takes the place of one that matches a chain: of the same key, and 2 1 1
 * where it was one of an issuer, so that the next certificate matches as well. */
static bool is_replaced(struct making *making, const struct check_host *host,
                        const struct check_attempt *attempt, const struct tlsa *record)
{
    const struct tls_certificate *anchor;

    if (!is_told(making, host, 3, &attempt->certificates[0]))
        return false;
    if (record->usage != 2 || check_tlsa_of(record) == CHECK_TLSA_RETIRED)
        return true;
    anchor = anchor_of(making, attempt, record);
    if (anchor == NULL)
        return false;
    add_issuer(making, host, anchor, host->name);
    return is_told(making, host, 2, anchor);
}

/* Of record i: whether it matches a chain, and in `*replaced`, whether what takes its place does so
 * for all that it matches. */
static bool is_matched(struct making *making, const struct check_host *host, size_t i,
                       bool *replaced)
{
    bool matched = false;

    *replaced = true;
    for (size_t j = 0; j < host->address_count; j++)
        for (size_t offer = 0; offer < CHECK_OFFER_COUNT; offer++) {
            const struct check_attempt *attempt = &host->addresses[j].attempts[offer];

            if (!attempt->made || attempt->certificate_count == 0 ||
                attempt->tlsa_matched == NULL || !attempt->tlsa_matched[i])
                continue;
            matched = true;
            *replaced &= is_replaced(making, host, attempt, &host->records[i]);
        }
    return matched;
}

/* Why a record ought not to be there; NULL: it ought to, or may. */
static const char *why_remove(struct making *making, const struct check_host *host, size_t i)
{
    const struct tlsa *record = &host->records[i];
    bool replaced, matched = is_matched(making, host, i, &replaced);

    switch (check_tlsa_of(record)) {
    case CHECK_TLSA_PKIX:
        return "no sender uses usages 0 and 1";
    case CHECK_TLSA_USELESS:
        return "no sender can use it";
    case CHECK_TLSA_UNUSUAL: /* one that matches nothing may be of a key to come */
        if (!matched || !replaced)
            return NULL;
        return record->usage == 2 ? "2 1 1 takes its place" : "3 1 1 takes its place";
    case CHECK_TLSA_RETIRED:
        return replaced
                   ? arena_printf(making->arena, "%s issues no more", check_tlsa_issuer(record))
                   : NULL;
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
                                .why = why_remove(making, host, i),
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

/* Whether an address has shown all its certificates: that of the other kind of key too, unless it
 * refused a handshake for want of one. */
static bool has_shown_all(const struct check_address *address)
{
    const struct check_attempt *first = &address->attempts[CHECK_OFFER_DEFAULT], *other;
    bool rsa;

    if (first->certificate_count == 0)
        return false;
    rsa = strncmp(first->certificates[0].key_type, "RSA", strlen("RSA")) == 0;
    other = &address->attempts[rsa ? CHECK_OFFER_ECDSA : CHECK_OFFER_RSA];
    if (other->certificate_count > 0)
        return true;
    return other->made && !other->failed_here && other->state == STARTTLS_BROKEN &&
           (other->failure == NULL || strcmp(other->failure, "handshake") == 0);
}

/* Whether all addresses of a family are known, and had room. */
static bool is_complete(const struct check_rrset *rrset)
{
    return rrset->answer != NULL && rrset->answer->outcome != DNS_FAILED &&
           rrset->answer->count <= EVIDENCE_ADDRESSES_MAX;
}

/* Nothing is told to go that a certificate may need which was not seen. */
static void remove_if_all_is_seen(struct making *making, const struct check_host *host)
{
    bool all = host->address_count > 0 && is_complete(&host->a) && is_complete(&host->aaaa);
    bool bad = false;

    for (size_t i = 0; i < host->address_count; i++)
        all &= has_shown_all(&host->addresses[i]);
    if (all) {
        remove_bad(making, host);
        return;
    }
    for (size_t i = 0; i < host->record_count; i++)
        bad |= check_tlsa_of(&host->records[i]) != CHECK_TLSA_GOOD;
    if (bad)
        records_note(making,
                     arena_printf(making->arena,
                                  "%s: not every address has shown its certificates, of RSA and "
                                  "of ECDSA keys, so no record is told to be removed",
                                  host->name));
}

static void add_shown(struct making *making, const struct check_host *host)
{
    bool seen = false;

    for (size_t i = 0; i < host->address_count; i++) {
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

        if (!is_of_use(making, host))
            continue;
        add_shown(making, host);
        for (size_t j = 0; j < wish->certificate_count; j++)
            add_file(making, host, &wish->certificates[j]);
        remove_if_all_is_seen(making, host);
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
