/*
 * results_put_address: what one connection to an address showed, and the certificates; see
 * results.h. Certificates and chains are kept once, by their digests, however many servers show
 * them.
 */
#include "survey/results/results_internal.h"

#include <string.h>

#include "base/buf.h"
#include "probe/tls/tls_digest.h"

#define ADDRESS_VALUES       17 /* of ADDRESS_PUT */
#define ADDRESS_VALUES_AGAIN 15 /* the first of them, of SNI_PUT */

/* ---- certificates ---- */

/* The certificate at a place of what a result shows. */
static bool put_certificate(struct results *results, const struct unit_result *result, size_t place,
                            const char *digest)
{
    const struct tls_der *der = &result->address->shown.certificates[place];
    struct sql_value key = value_text(digest);
    struct tls_certificate read = {0};
    bool is_one;
    int64_t known;

    if (!results_number(results, RESULTS_CERTIFICATE_KNOWN, &key, 1, &known) || known != 0)
        return known != 0;
    is_one = result->chain != NULL
                 ? tls_chain_certificate(result->chain, place, results->scratch, &read)
                 : tls_certificate_read(&read, results->scratch, der);
    return results_execute(
        results, RESULTS_CERTIFICATE_ADD,
        (const struct sql_value[]){
            key, value_foreign(results, read.subject), value_foreign(results, read.issuer),
            value_foreign(results, read.names),
            is_one ? value_number(read.name_count) : value_none(),
            is_one ? value_number(read.not_before) : value_none(),
            is_one ? value_number(read.not_after) : value_none(), value_text(read.key_type),
            is_one ? value_number(read.key_bits) : value_none(),
            value_foreign(results, read.signature),
            is_one ? value_number(read.self_signed) : value_none(),
            value_octets(der->data, der->length)},
        12);
}

static bool put_links(struct results *results, const struct unit_result *result,
                      char digests[][TLS_DIGEST_TEXT], const char *chain)
{
    for (size_t i = 0; i < result->address->shown.count; i++)
        if (!put_certificate(results, result, i, digests[i]) ||
            !results_execute(results, RESULTS_CHAIN_LINK,
                             (const struct sql_value[]){value_text(chain), value_number((int64_t)i),
                                                        value_text(digests[i])},
                             3))
            return false;
    return true;
}

/* The digest of a chain is that of the digests of its certificates, one behind the other. */
static void chain_digest(char out[TLS_DIGEST_TEXT], char digests[][TLS_DIGEST_TEXT], size_t count)
{
    char all[TLS_SHOWN_MAX * (TLS_DIGEST_TEXT - 1)];

    for (size_t i = 0; i < count; i++)
        memcpy(all + i * (TLS_DIGEST_TEXT - 1), digests[i], TLS_DIGEST_TEXT - 1);
    tls_digest(out, all, count * (TLS_DIGEST_TEXT - 1));
}

/* Writes what was shown, unless it is known; gives its digest in `chain`: NULL, nothing was. */
static bool put_chain(struct results *results, const struct unit_result *result,
                      struct sql_value *chain)
{
    const struct address_seen *seen = result->address;
    const struct tls_shown *shown = &seen->shown;
    const struct tls_finding *finding = &shown->finding;
    char digests[TLS_SHOWN_MAX][TLS_DIGEST_TEXT], all[TLS_DIGEST_TEXT];

    *chain = value_none();
    if (shown->count == 0 && seen->result.state < STARTTLS_TLS)
        return true;
    for (size_t i = 0; i < shown->count; i++)
        tls_digest(digests[i], shown->certificates[i].data, shown->certificates[i].length);
    chain_digest(all, digests, shown->count);
    *chain = value_text(arena_strdup(results->scratch, all));
    return results_execute(results, RESULTS_CHAIN_ADD,
                           (const struct sql_value[]){
                               *chain, value_text(shown->count == 0 ? NULL : digests[0]),
                               finding->verified ? value_word(&results_fault_words, finding->fault)
                                                 : value_none(),
                               finding->verified ? value_number(finding->only_dates) : value_none(),
                               value_foreign(results, finding->why)},
                           5) &&
           (sql_changes(results->sql) == 0 || put_links(results, result, digests, all));
}

/* ---- the address ---- */

static bool add_connections(struct results *results, const struct unit *unit, unsigned more)
{
    const struct sql_value values[] = {value_number(unit->id), value_number(more)};

    return !unit->again || results_execute(results, RESULTS_ADDRESS_CONNECTED, values, 2);
}

bool results_put_address(struct results *results, const struct unit_result *result, bool *again)
{
    const struct address_seen *seen = result->address;
    const struct starttls_result *starttls = &seen->result;
    bool tls = starttls->state >= STARTTLS_TLS;
    const struct unit *unit = &result->unit;
    const enum results_statement which = unit->again ? RESULTS_SNI_PUT : RESULTS_ADDRESS_PUT;
    const int count = unit->again ? ADDRESS_VALUES_AGAIN : ADDRESS_VALUES;
    struct sql_value chain;

    if (!put_chain(results, result, &chain))
        return false;
    struct sql_value values[] = {
        value_number(unit->id),
        value_number(result->looked_at),
        value_text(unit->name),
        value_word(&results_starttls_words, tls ? STARTTLS_TLS : starttls->state),
        value_unless_zero(starttls->code),
        value_foreign(results, starttls->protocol),
        value_foreign(results, starttls->cipher),
        tls ? value_number(seen->shown.strong) : value_none(),
        tls ? value_number(seen->nameless) : value_none(),
        tls ? value_number(starttls->requiretls) : value_none(),
        chain,
        result->failed_here ? value_text("local") : value_foreign(results, seen->failure),
        value_foreign(results, starttls->detail),
        value_number(seen->connections),
        value_foreign(results, seen->greeting),
        value_text(seen->software),
        value_number(false),
    };

    if (unit->again)
        values[ADDRESS_VALUES_AGAIN - 1] = values[ADDRESS_VALUES - 1];
    if (!results_update(results, which, values, count, again))
        return false;
    if (!*again)
        return add_connections(results, unit, seen->connections);
    values[count - 1] = value_number(true);
    return results_execute(results, which, values, count);
}
