/*
 * results_pairs: handshakes and the hosts they are judged for; see results.h. What a pair was judged
 * to be replaces what was written before, so that judging twice changes nothing.
 */
#include "survey/results/results_internal.h"

#include <string.h>

#define WORD_MAX  100
#define ARENA_MAX (1024 * 1024) /* of one pair */

/* ---- handshakes ---- */

/* Certificates that are no blob, or longer than RESULTS_DER_MAX, end the chain. */
static bool read_chain(struct results *results, const char *chain, struct arena *arena,
                       struct tls_shown *out)
{
    struct sql_value value = value_text(chain);
    struct sql_statement *row = results_select(results, RESULTS_CHAIN_CERTIFICATES, &value, 1);
    enum sql_step step = row == NULL ? SQL_ERROR : SQL_END;

    while (row != NULL && out->count < TLS_SHOWN_MAX &&
           (step = results_row(results, row)) == SQL_ROW) {
        struct tls_der *der = &out->certificates[out->count];
        struct sql_value octets;

        if (!sql_column(row, 0, &octets) || octets.type != SQL_OCTETS ||
            octets.length > RESULTS_DER_MAX)
            break;
        der->data = arena_memdup(arena, octets.octets, octets.length);
        der->length = octets.length;
        if (der->data == NULL)
            break;
        out->count++;
    }
    if (row != NULL)
        sql_reset(row);
    return step != SQL_ERROR;
}

/* What verifying it came to; a word that is none of ours is as good as nothing: verified again. */
static bool read_finding(struct results *results, const char *chain, struct arena *arena,
                         struct tls_finding *out)
{
    struct sql_value key = value_text(chain);
    struct sql_statement *row = results_select(results, RESULTS_CHAIN_FINDING, &key, 1);
    enum sql_step step = row == NULL ? SQL_ERROR : results_row(results, row);

    if (step == SQL_ROW) {
        const char *fault = row_text(row, 0, WORD_MAX);

        out->fault = (enum tls_fault)row_word(row, 0, &results_fault_words);
        out->verified = fault != NULL && strcmp(fault, tls_fault_name(out->fault)) == 0;
        out->only_dates = row_is(row, 1);
        out->why = row_text_copy(row, 2, RESULTS_TEXT_MAX, arena);
    }
    if (row != NULL)
        sql_reset(row);
    return step != SQL_ERROR;
}

static void read_handshake(struct results_handshake *out, struct sql_statement *row,
                           struct arena *arena)
{
    struct starttls_result *result = &out->seen.result;

    *out = (struct results_handshake){.sni = row_text_copy(row, 0, HOSTNAME_MAX, arena)};
    result->state = row_word(row, 1, &results_starttls_words);
    result->code = (int)row_number(row, 2, 0) % 1000;
    result->protocol = row_text_copy(row, 3, WORD_MAX, arena);
    result->cipher = row_text_copy(row, 4, WORD_MAX, arena);
    out->seen.shown.strong = row_is(row, 5);
    out->seen.nameless = row_is(row, 6);
    result->requiretls = row_is(row, 7);
    out->seen.failure = row_text_copy(row, 9, WORD_MAX, arena);
    result->detail = row_text_copy(row, 10, RESULTS_TEXT_MAX, arena);
    out->seen.connections = (unsigned)row_number(row, 11, 0);
    out->seen.greeting = row_text_copy(row, 13, RESULTS_TEXT_MAX, arena);
    out->seen.software = row_text_copy(row, 14, WORD_MAX, arena);
}

int results_handshakes(struct results *results, int64_t address, struct arena *arena,
                       struct results_handshake out[RESULTS_HANDSHAKES_MAX])
{
    struct sql_value value = value_number(address);
    struct sql_statement *row = results_select(results, RESULTS_HANDSHAKES, &value, 1);
    enum sql_step step = SQL_ERROR;
    bool ok = row != NULL;
    int count = 0;

    while (ok && count < RESULTS_HANDSHAKES_MAX && (step = results_row(results, row)) == SQL_ROW) {
        const char *chain = row_text_copy(row, 8, WORD_MAX, arena);

        read_handshake(&out[count], row, arena);
        ok = chain == NULL || (read_chain(results, chain, arena, &out[count].seen.shown) &&
                               read_finding(results, chain, arena, &out[count].seen.shown.finding));
        count += out[count].sni != NULL;
    }
    if (row != NULL)
        sql_reset(row);
    if (arena_failed(arena))
        results_fail_with(results, "no memory");
    return !ok || step == SQL_ERROR || arena_failed(arena) ? -1 : count;
}

/* ---- pairs ---- */

bool results_read_tlsa(struct results *results, int64_t host, struct arena *arena,
                       const struct tlsa **out, size_t *count)
{
    struct tlsa *all = arena_array(arena, EVIDENCE_TLSA_MAX, sizeof *all);
    struct sql_value value = value_number(host);
    struct sql_statement *row = results_select(results, RESULTS_TLSA_GET, &value, 1);
    enum sql_step step = row == NULL ? SQL_ERROR : SQL_END;

    *out = all;
    *count = 0;
    while (row != NULL && all != NULL && *count < EVIDENCE_TLSA_MAX &&
           (step = results_row(results, row)) == SQL_ROW) {
        struct tlsa *tlsa = &all[*count];
        struct sql_value data;

        if (!sql_column(row, 4, &data) || data.type != SQL_OCTETS || data.length > UINT16_MAX)
            data = (struct sql_value){.type = SQL_NONE};
        tlsa->usage = (uint8_t)row_number(row, 0, 0);
        tlsa->selector = (uint8_t)row_number(row, 1, 0);
        tlsa->matching_type = (uint8_t)row_number(row, 2, 0);
        tlsa->usable = data.length > 0 && row_is(row, 3);
        tlsa->length = (uint16_t)data.length;
        tlsa->data = arena_memdup(arena, data.length == 0 ? "" : data.octets, data.length);
        *count += tlsa->data != NULL || tlsa->length == 0;
    }
    if (row != NULL)
        sql_reset(row);
    if (step == SQL_ERROR)
        return false;
    return !arena_failed(arena) || results_fail_with(results, "no memory");
}

static bool read_pair(struct results *results, struct sql_statement *row, struct arena *arena,
                      struct results_pair *out)
{
    unsigned dane = row_word(row, 3, &results_dane_words);
    const char *base = row_text_copy(row, 2, HOSTNAME_MAX, arena);

    *out = (struct results_pair){
        .host = row_number(row, 0, 0),
        .name = row_text_copy(row, 1, HOSTNAME_MAX, arena),
    };
    out->sni = base == NULL ? out->name : base;
    if (out->name == NULL)
        return results_fail_with(results, "it has a host without a name");
    if (dane != HOST_DANE_USABLE && dane != HOST_DANE_UNUSABLE)
        return true;
    return results_read_tlsa(results, out->host, arena, &out->tlsa, &out->tlsa_count);
}

bool results_each_pair(struct results *results, int64_t address, results_pair_taker *take,
                       void *context)
{
    struct sql_value value = value_number(address);
    struct sql_statement *row = results_select(results, RESULTS_PAIRS, &value, 1);
    struct arena *arena = arena_new(ARENA_MAX);
    enum sql_step step = SQL_ERROR;
    bool ok = row != NULL && (arena != NULL || results_fail_with(results, "no memory"));

    while (ok && (step = results_row(results, row)) == SQL_ROW) {
        struct results_pair pair;

        arena_reset(arena);
        ok = read_pair(results, row, arena, &pair) && take(context, &pair);
    }
    if (row != NULL)
        sql_reset(row);
    arena_free(arena);
    return ok && step != SQL_ERROR;
}

/* ---- what they came to ---- */

bool results_put_pair(struct results *results, int64_t address, int64_t host, const char *sni,
                      const struct starttls_result *result)
{
    bool tls = result->state >= STARTTLS_TLS;
    const struct sql_value values[] = {
        value_number(host),
        value_number(address),
        value_text(sni),
        value_word(&results_starttls_words, result->state),
        tls ? value_number(result->chain_ok) : value_none(),
        tls ? value_number(result->name_ok) : value_none(),
        tls ? value_number(result->expired) : value_none(),
        tls ? value_word(&results_match_words, result->tlsa) : value_none(),
        value_unless_zero(result->code),
        value_foreign(results, result->detail),
    };

    results_hosts_forget(results);
    return results_execute(results, RESULTS_PAIR_PUT, values, 10);
}

bool results_put_match(struct results *results, int64_t host, size_t index, bool matched)
{
    const struct sql_value values[] = {value_number(host), value_number((int64_t)index),
                                       value_number(matched)};

    return results_execute(results, RESULTS_TLSA_MATCHED, values, 3);
}

bool results_retry(struct results *results, int64_t address, int64_t host, const char *sni)
{
    const struct sql_value values[] = {value_number(address), value_text(sni), value_number(host)};

    if (!results_execute(results, RESULTS_RETRY_ADD, values, 3))
        return false;
    results->tallies[UNIT_ADDRESS].all += sql_changes(results->sql);
    return true;
}
