/* sessions: see sessions.h. */
#define _GNU_SOURCE /* memmem */
#include "audit/tlsrpt/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/escape.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/net/hostname.h"
#include "base/net/ip.h"

#define ARENA_MAX      ((size_t)512 * 1024 * 1024)
#define LOCAL_PART_MAX 64 /* RFC 5321 §4.5.3.1.1 */

struct known_domain {
    UT_hash_handle hh;
    size_t index;
};

struct sessions {
    const struct address_filter *filter; /* borrowed */
    struct arena *arena;                 /* owned: all strings and rows */
    struct session_domain *domains;      /* owned */
    size_t count, size;
    struct known_domain *known; /* by name; owned */
    uint64_t lost;
    bool failed; /* no memory */
};

/* ---- results ---- */

const char *tlsrpt_result_name(enum tlsrpt_result result)
{
#define X(word, name) name,
    static const char *const names[] = {TLSRPT_RESULTS(X)};
#undef X

    return names[result];
}

static bool has_words(struct span text, const char *words)
{
    return memmem(text.text, text.length, words, strlen(words)) != NULL;
}

/* Postfix's own words of a certificate, behind "host[address]:port:"; only behind "untrusted issuer"
 * stands what a stranger chose. */
static enum tlsrpt_result result_of_certificate(struct span text)
{
    static const struct {
        const char *words;
        enum tlsrpt_result result;
    } words[] = {
        {"certificate has expired", TLSRPT_EXPIRED},
        {"num=10:certificate has expired", TLSRPT_EXPIRED},
        {"self-signed certificate", TLSRPT_NOT_TRUSTED},
        {"self signed certificate", TLSRPT_NOT_TRUSTED},
        {"num=18:self-signed certificate", TLSRPT_NOT_TRUSTED},
        {"num=18:self signed certificate", TLSRPT_NOT_TRUSTED},
        {"num=19:self-signed certificate in certificate chain", TLSRPT_NOT_TRUSTED},
        {"num=19:self signed certificate in certificate chain", TLSRPT_NOT_TRUSTED},
        {"not trusted by local or TLSA policy", TLSRPT_NOT_TRUSTED},
        {"num=20:unable to get local issuer certificate", TLSRPT_NOT_TRUSTED},
        {"num=62:hostname mismatch", TLSRPT_HOST_MISMATCH},
        {"num=62:Hostname mismatch", TLSRPT_HOST_MISMATCH},
    };

    span_skip(&text, span_until(text, " ").length);
    span_skip_set(&text, " ");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (span_is(text, words[i].words))
            return words[i].result;
    return span_starts(text, "untrusted issuer ") ? TLSRPT_NOT_TRUSTED : TLSRPT_VALIDATION_FAILURE;
}

enum tlsrpt_result tlsrpt_result_of(enum tally_cause cause, struct span reason, struct span text)
{
    switch (cause) {
    case TALLY_NOT_OFFERED:
        return TLSRPT_STARTTLS_NOT_SUPPORTED;
    case TALLY_CERTIFICATE:
        return result_of_certificate(text);
    case TALLY_NO_DANE:
        return has_words(reason, "TLSA records unusable") ? TLSRPT_TLSA_INVALID
                                                          : TLSRPT_DANE_REQUIRED;
    default:
        return TLSRPT_VALIDATION_FAILURE;
    }
}

/* ---- domains ---- */

static struct session_domain *add_domain(struct sessions *sessions, const char *name, size_t length)
{
    struct known_domain *known = arena_alloc(sessions->arena, sizeof *known);
    struct session_domain *more = sessions->domains;
    size_t size = sessions->size == 0 ? 256 : sessions->size * 2;
    const char *copy = arena_strndup(sessions->arena, name, length);

    if (sessions->count == SESSIONS_DOMAINS_MAX || known == NULL || copy == NULL)
        return NULL;
    if (sessions->count == sessions->size) {
        more = realloc(sessions->domains, size * sizeof *more);
        if (more == NULL)
            return NULL;
        sessions->domains = more;
        sessions->size = size;
    }
    known->index = sessions->count;
    HASH_ADD_KEYPTR(hh, sessions->known, copy, length, known);
    if (!MAP_ADDED(known))
        return NULL;
    more[sessions->count] = (struct session_domain){.name = copy};
    return &more[sessions->count++];
}

static struct session_domain *domain_at(struct sessions *sessions, struct span name)
{
    char folded[HOSTNAME_MAX + 1];
    struct known_domain *known;

    memcpy(folded, name.text, name.length);
    folded[name.length] = '\0';
    hostname_fold(folded, name.length);
    HASH_FIND(hh, sessions->known, folded, name.length, known);
    return known != NULL ? &sessions->domains[known->index]
                         : add_domain(sessions, folded, name.length);
}

/* ---- rows ---- */

/* What a row has of its own, before it has a place. */
struct row_parts {
    char host[HOSTNAME_MAX + 1], address[IP_TEXT_MAX], text[SESSIONS_TEXT_MAX + 1];
};

/* "host[address]:port", or without port: false when no MX record leads there, but main.cf or a table:
 * to a content filter on this machine, a relay inside, a port of its own. */
static bool read_relay(struct row_parts *parts, struct span relay,
                       const struct address_filter *filter)
{
    struct span host = span_until(relay, "["), address;
    struct ip ip;

    if (hostname_valid(host.text, host.length, HOSTNAME_UNDERSCORE)) {
        memcpy(parts->host, host.text, host.length);
        hostname_fold(parts->host, host.length);
    }
    span_skip(&relay, host.length);
    span_skip_set(&relay, "[");
    address = span_until(relay, "]");
    if (address.length < IP_TEXT_MAX) {
        memcpy(parts->address, address.text, address.length);
        if (!ip_parse(&ip, parts->address))
            memset(parts->address, 0, sizeof parts->address);
        else if (filter != NULL && !address_filter_permits(filter, &ip))
            return false;
    }
    span_skip(&relay, address.length);
    span_skip_set(&relay, "]");
    return relay.length == 0 || span_is(relay, ":25");
}

/* What a server says may hold the address of a recipient or of a postmaster, and certificates have
 * some: what stands before an "@" is made unreadable. */
static void hide_local_parts(char *text, size_t length)
{
    for (size_t at = 0; at < length; at++) {
        bool quoted = at > 0 && text[at - 1] == '"';

        if (text[at] != '@')
            continue;
        for (size_t i = at; i-- > 0 && (quoted || strchr(" <([{,;:'=/", text[i]) == NULL);) {
            quoted = quoted && (i + 1 == at || text[i] != '"');
            text[i] = '*';
        }
    }
}

/* What was logged before, without the host that it begins with; else Postfix's words. */
static void read_text(struct row_parts *parts, const struct track_connection *connection)
{
    struct span text = connection->text, relay = span_until(text, " ");
    /* an address that is cut off at its end is beyond what is kept */
    char hidden[SESSIONS_TEXT_MAX + LOCAL_PART_MAX + 1];

    if (connection->cause == TALLY_NO_CAUSE && connection->level != TALLY_NONE)
        return;
    if (memchr(relay.text, ']', relay.length) != NULL && relay.text[relay.length - 1] == ':') {
        span_skip(&text, relay.length);
        span_skip_set(&text, " ");
    }
    if (text.length == 0)
        text = connection->reason;
    if (connection->cause == TALLY_NO_CAUSE)
        text = (struct span){"mail went in clear: STARTTLS was not offered, or refused", 56};
    text.length = text.length < sizeof hidden ? text.length : sizeof hidden;
    memcpy(hidden, text.text, text.length);
    hide_local_parts(hidden, text.length);
    escape_bytes(parts->text, sizeof parts->text, hidden, text.length);
}

static uint64_t id_of(const struct row_parts *parts, const struct session_row *row)
{
    uint64_t kind[] = {(uint64_t)row->level,
                       (uint64_t)row->cause,
                       (uint64_t)row->result,
                       hash_bytes(parts->host, strlen(parts->host)),
                       hash_bytes(parts->address, strlen(parts->address)),
                       hash_bytes(parts->text, strlen(parts->text))};

    return hash_bytes(kind, sizeof kind);
}

static const char *copy_or_null(struct arena *arena, const char *text)
{
    return text[0] == '\0' ? NULL : arena_strdup(arena, text);
}

static struct session_row *find_row(const struct session_domain *domain, uint64_t id)
{
    struct session_row *row = domain->rows;

    while (row != NULL && row->id != id)
        row = row->next;
    return row;
}

static struct session_row *row_at(struct sessions *sessions, struct session_domain *domain,
                                  struct row_parts *parts, const struct session_row *kind)
{
    uint64_t id = id_of(parts, kind);
    struct session_row *row = find_row(domain, id);

    if (row == NULL && domain->row_count >= SESSIONS_ROWS_MAX) {
        memset(parts, 0, sizeof *parts);
        id = id_of(parts, kind);
        row = find_row(domain, id);
    }
    if (row != NULL)
        return row;
    row = arena_memdup(sessions->arena, kind, sizeof *kind);
    if (row == NULL)
        return NULL;
    row->id = id;
    row->host = copy_or_null(sessions->arena, parts->host);
    row->address = copy_or_null(sessions->arena, parts->address);
    row->text = arena_strdup(sessions->arena, parts->text);
    if (row->text == NULL)
        return NULL;
    row->next = domain->rows;
    domain->rows = row;
    domain->row_count++;
    return row;
}

void sessions_take(struct sessions *sessions, const struct track_connection *connection)
{
    struct session_row kind = {.level = connection->level, .cause = connection->cause};
    struct session_domain *domain;
    struct session_row *row = NULL;
    struct row_parts parts = {"", "", ""};

    if (connection->domain.length > HOSTNAME_MAX ||
        !hostname_valid(connection->domain.text, connection->domain.length, HOSTNAME_LDH) ||
        !read_relay(&parts, connection->relay, sessions->filter))
        return;
    kind.result = connection->cause != TALLY_NO_CAUSE
                      ? tlsrpt_result_of(connection->cause, connection->reason, connection->text)
                  : connection->level == TALLY_NONE ? TLSRPT_VALIDATION_FAILURE
                                                    : TLSRPT_NO_FAILURE;
    domain = domain_at(sessions, connection->domain);
    if (domain != NULL) {
        read_text(&parts, connection);
        row = row_at(sessions, domain, &parts, &kind);
    }
    if (row != NULL)
        row->count++;
    else if (domain == NULL && sessions->count == SESSIONS_DOMAINS_MAX)
        sessions->lost++;
    else
        sessions->failed = true;
}

/* ---- the whole ---- */

struct sessions *sessions_new(const struct address_filter *filter)
{
    struct sessions *sessions = calloc(1, sizeof *sessions);

    if (sessions == NULL)
        return NULL;
    sessions->filter = filter;
    sessions->arena = arena_new(ARENA_MAX);
    if (sessions->arena != NULL)
        return sessions;
    free(sessions);
    return NULL;
}

void sessions_free(struct sessions *sessions)
{
    if (sessions == NULL)
        return;
    HASH_CLEAR(hh, sessions->known);
    free(sessions->domains);
    arena_free(sessions->arena);
    free(sessions);
}

const struct session_domain *sessions_domains(const struct sessions *sessions, size_t *count)
{
    *count = sessions->count;
    return sessions->domains;
}

bool sessions_failed(const struct sessions *sessions)
{
    return sessions->failed;
}

uint64_t sessions_lost(const struct sessions *sessions)
{
    return sessions->lost;
}
