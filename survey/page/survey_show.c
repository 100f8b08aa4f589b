/*
 * survey_show: see survey_show.h.
 *
 * Everything that is read goes through printable_json: a file that somebody tampered with has texts
 * in it that no survey would write.
 */
#include "survey/page/survey_show.h"

#include <string.h>

#include "base/page/page_figures.h"
#include "policy/report/report.h"
#include "survey/decide.h"

#define COLUMNS_MAX 40
#define SMTP_PORT   25

static const char recorded_sql[] =
    "SELECT weight, looked_up, tlsrpt, tlsrpt_rua, operator, mx_unmatched, error, error_detail\n"
    "FROM domain WHERE name = ?1";

static const char seen_sql[] =
    "SELECT h.name AS host, h.opted_out, a.ip, a.looked_up, p.sni, s.failure, s.protocol,\n"
    "       s.cipher, s.requiretls, a.software, a.greeting, c.issuer, c.not_after,\n"
    "       c.key_type || ' ' || c.key_bits AS key, c.signature, k.fault AS chain_fault,\n"
    "       k.why AS chain_why\n"
    "FROM domain d JOIN domain_mx m ON m.domain = d.id JOIN host h ON h.id = m.host\n"
    "     JOIN host_address p ON p.host = h.id JOIN address a ON a.id = p.address\n"
    "     LEFT JOIN handshake s ON s.address = a.id AND s.sni = p.sni\n"
    "     LEFT JOIN chain k ON k.sha256 = s.chain\n"
    "     LEFT JOIN certificate c ON c.sha256 = k.leaf\n"
    "WHERE d.name = ?1 ORDER BY m.preference, h.name, p.position LIMIT 1000";

/* ---- texts ---- */

static json_t *printable_text(const char *text)
{
    char room[PAGE_TEXT_MAX];

    return json_string(page_is_plain(text) ? text : page_printable(room, text));
}

/* A copy in which every text is printable. */
static json_t *printable_json(const json_t *value)
{
    const char *name;
    json_t *copy, *member;
    size_t i;

    if (json_is_string(value))
        return printable_text(json_string_value(value));
    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach(value, i, member) json_array_append_new(copy, printable_json(member));
        return copy;
    }
    if (!json_is_object(value))
        return json_deep_copy(value);
    copy = json_object();
    json_object_foreach((json_t *)value, name, member)
        json_object_set_new(copy, name, printable_json(member));
    return copy;
}

/* ---- rows ---- */

struct row_list {
    json_t *rows;
    char names[COLUMNS_MAX][32];
};

static json_t *json_of(const struct results_value *value)
{
    char room[PAGE_TEXT_MAX];

    switch (value->type) {
    case RESULTS_NUMBER:
        return json_integer(value->number);
    case RESULTS_REAL:
        return json_real(value->real);
    case RESULTS_TEXT:
        return json_string(page_printable(room, value->text));
    default:
        return json_null();
    }
}

static bool take_object(void *context, const struct results_value *values, int count)
{
    struct row_list *list = context;
    json_t *row = json_object();

    for (int i = 0; i < count; i++)
        json_object_set_new(row, list->names[i], json_of(&values[i]));
    return json_array_append_new(list->rows, row) == 0;
}

/* The rows of a SELECT as objects; NULL on failure. */
static json_t *rows_of(struct results *results, const char *sql, const char *name)
{
    const char *columns[COLUMNS_MAX];
    int count = results_columns(results, sql, columns, COLUMNS_MAX);
    struct row_list list = {.rows = json_array()};

    for (int i = 0; i < count; i++)
        snprintf(list.names[i], sizeof list.names[i], "%s", columns[i]);
    if (count >= 0 && results_query(results, sql, &name, 1, take_object, &list))
        return list.rows;
    json_decref(list.rows);
    return NULL;
}

/* ---- the report ---- */

/* What tells how long an answer is good for says nothing of a file. */
static void drop_times(json_t *value)
{
    static const char *const names[] = {"valid_for_s",  "age_s",        "next_probe_in_s",
                                        "ends_in_s",    "retry_in_s",   "remembered_for_s",
                                        "probed_s_ago", "fetched_s_ago"};
    const char *name;
    json_t *member;
    size_t i;

    for (size_t k = 0; json_is_object(value) && k < sizeof names / sizeof *names; k++)
        json_object_del(value, names[k]);
    json_array_foreach(value, i, member) drop_times(member);
    json_object_foreach(value, name, member) drop_times(member);
}

static json_t *explained(const struct key *key, const struct evidence *evidence,
                         const struct verdict *verdict)
{
    const struct override override = {0};
    struct final_answer final;
    struct report_facts facts = {.key = key,
                                 .verdict = verdict,
                                 .override = &override,
                                 .final = &final,
                                 .evidence = evidence,
                                 .now = 0};
    json_t *report, *out;

    override_apply(&final, &override, verdict);
    report = report_explain(&facts);
    out = report == NULL ? NULL : printable_json(report);
    json_decref(report);
    if (out != NULL)
        drop_times(out);
    return out;
}

/* All members, or NULL. `name` as in the file. */
static json_t *shown_of(struct results *results, const char *name, json_t *report)
{
    json_t *recorded = rows_of(results, recorded_sql, name);
    json_t *seen = rows_of(results, seen_sql, name);

    if (report != NULL && recorded != NULL && seen != NULL) {
        json_object_set(report, "recorded", json_array_get(recorded, 0));
        json_object_set(report, "seen", seen);
    } else {
        json_decref(report);
        report = NULL;
    }
    json_decref(recorded);
    json_decref(seen);
    return report;
}

enum survey_shown survey_show(json_t **out, struct results *results, const char *name,
                              struct arena *arena)
{
    struct evidence evidence;
    struct verdict verdict;
    struct key key;
    int64_t id;

    *out = NULL;
    key_parse(&key, name, strlen(name), SMTP_PORT);
    if (key.kind == KEY_DOMAIN)
        name = key.name;
    if (!results_find(results, name, &id))
        return *results_error(results) == '\0' ? SHOWN_NO_DOMAIN : SHOWN_FAILED;
    if (!decide_domain(results, id, arena, &evidence, &verdict))
        return *results_error(results) == '\0' ? SHOWN_NOT_LOOKED_UP : SHOWN_FAILED;
    *out = shown_of(results, name, explained(&key, &evidence, &verdict));
    return *out == NULL ? SHOWN_FAILED : SHOWN;
}
