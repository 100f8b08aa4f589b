/*
 * results_put_host: what came of an MX host: its TLSA records, and its addresses as new units; see
 * results.h.
 *
 * The name that is sent first at an address is that of the best host there, however late it comes:
 * one with usable TLSA records, then the one with the smallest id.
 */
#include "survey/results/results_internal.h"

#include <string.h>

/* ---- addresses ---- */

/* The row with an id: END, nobody has it; ROW, this address has, and *lead is its host, unless
 * *is_other. */
static enum sql_step address_at(struct results *results, int64_t id, const char *ip, bool *is_other,
                                struct results_holder *lead)
{
    struct sql_value value = value_number(id);
    struct sql_statement *row = results_select(results, RESULTS_ADDRESS_AT, &value, 1);
    enum sql_step step = row == NULL ? SQL_ERROR : results_row(results, row);
    const char *found;

    if (step == SQL_ROW) {
        found = row_text(row, 0, IP_TEXT_MAX);
        *is_other = found == NULL || strcmp(found, ip) != 0;
        *lead = (struct results_holder){row_number(row, 1, 0), row_is(row, 2), row_is(row, 3)};
    }
    if (row != NULL)
        sql_reset(row);
    return step;
}

static bool address_new(struct results *results, int64_t id, const struct ip *ip, const char *text,
                        const struct results_holder *host)
{
    struct ip_prefix prefix = ip_site(ip);
    char network[IP_PREFIX_TEXT_MAX];

    results->tallies[UNIT_ADDRESS].all++;
    return results_execute(results, RESULTS_ADDRESS_ADD,
                           (const struct sql_value[]){
                               value_number(id), value_text(text),
                               value_text(ip_prefix_text(&prefix, network)), value_number(host->id),
                               value_number(host->dane), value_number(host->opted_out)},
                           6);
}

/* Another host of a known address. */
static bool address_join(struct results *results, int64_t id, const struct results_holder *lead,
                         const struct results_holder *host)
{
    bool better = host->dane != lead->dane ? host->dane : host->id < lead->id;
    bool opted_out = lead->opted_out || host->opted_out;

    if (!better && opted_out == lead->opted_out)
        return true;
    return results_execute(
        results, RESULTS_ADDRESS_LEAD,
        (const struct sql_value[]){value_number(id), value_number(better ? host->id : lead->id),
                                   value_number(better ? host->dane : lead->dane),
                                   value_number(opted_out)},
        4);
}

bool results_add_address(struct results *results, const struct ip *ip,
                         const struct results_holder *host, int64_t *id)
{
    struct results_holder lead = {0};
    char text[IP_TEXT_MAX];
    bool is_other = false;
    enum sql_step step;

    ip_text(ip, text);
    *id = results_id(results, RESULTS_ID_ADDRESS, ip->octets, ip->family == 4 ? 4 : 16);
    while ((step = address_at(results, *id, text, &is_other, &lead)) == SQL_ROW && is_other)
        *id = results_next_id(*id);
    if (step == SQL_ERROR)
        return false;
    return step == SQL_END ? address_new(results, *id, ip, text, host)
                           : address_join(results, *id, &lead, host);
}

static bool put_addresses(struct results *results, const struct results_holder *holder,
                          const struct mx_host *host)
{
    for (size_t i = 0; i < host->address_count; i++) {
        int64_t id;

        if (!results_add_address(results, &host->addresses[i].ip, holder, &id) ||
            !results_execute(results, RESULTS_PAIR_ADD,
                             (const struct sql_value[]){value_number(holder->id), value_number(id),
                                                        value_number((int64_t)i),
                                                        value_number(host->addresses[i].secure)},
                             4))
            return false;
    }
    return true;
}

/* ---- TLSA ---- */

static bool put_tlsa(struct results *results, int64_t id, const struct mx_host *host)
{
    for (size_t i = 0; i < host->tlsa_count; i++) {
        const struct tlsa *tlsa = &host->tlsa[i];
        const struct sql_value values[] = {
            value_number(id),
            value_number((int64_t)i),
            value_number(tlsa->usage),
            value_number(tlsa->selector),
            value_number(tlsa->matching_type),
            value_number(tlsa->usable),
            value_octets(tlsa->length == 0 ? (const uint8_t *)"" : tlsa->data, tlsa->length),
        };

        if (!results_execute(results, RESULTS_TLSA_PUT, values, 7))
            return false;
    }
    return true;
}

/* ---- the host ---- */

static bool replace_host(struct results *results, struct sql_value *values, int count)
{
    values[count - 1] = value_number(true);
    return results_execute(results, RESULTS_TLSA_DROP, values, 1) &&
           results_execute(results, RESULTS_PAIR_DROP, values, 1) &&
           results_execute(results, RESULTS_HOST_PUT, values, count);
}

bool results_put_host(struct results *results, const struct unit_result *result, bool *again)
{
    const struct mx_host *host = &result->host->host;
    const struct results_holder holder = {.id = result->unit.id,
                                          .dane = host->dane == HOST_DANE_USABLE,
                                          .opted_out = result->unit.opted_out};
    struct sql_value values[] = {
        value_number(holder.id),
        value_number(result->looked_at),
        value_word(&results_dane_words, host->dane),
        value_number(host->address_secure),
        value_number(host->addresses_known),
        value_name(host->tlsa_base),
        value_number(host->tlsa_short),
        value_number(host->tlsa_truncated),
        value_name(host->expanded),
        value_ttl(host->ttl),
        result->failed_here ? value_text("local") : value_foreign(results, host->failure),
        value_foreign(results, host->why),
        value_number(false),
    };
    const int count = sizeof values / sizeof values[0];

    return results_update(results, RESULTS_HOST_PUT, values, count, again) &&
           (!*again || replace_host(results, values, count)) &&
           put_tlsa(results, holder.id, host) && put_addresses(results, &holder, host);
}
