/* survey_export: see survey_export.h. */
#include "survey/page/survey_export.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define COLUMNS_MAX     48
#define NAME_MAX_OCTETS 32 /* of a column; all are ours */

/* The handshake that a pair was judged by: another name's, or the first one. */
#define OF_PAIR(column) "CASE WHEN s.address IS NULL THEN a." column " ELSE s." column " END"

const struct survey_table survey_tables[] = {
    {"domains", "a row for each domain, with its policy and the names of its mail hosts",
     "SELECT d.name, d.weight, d.looked_up, d.mx, d.mx_secure, d.mta_sts, d.mx_unmatched,\n"
     "       d.tlsrpt, d.tlsrpt_rua, d.dane, d.starttls, d.verdict, d.reason, d.answer,\n"
     "       d.operator, d.operator_share, d.error, d.error_detail, p.id AS policy_id,\n"
     "       p.max_age AS policy_max_age, p.mx AS policy_mx, p.failure AS policy_failure,\n"
     "       p.error AS policy_error,\n"
     "       (SELECT group_concat(name, ' ') FROM (SELECT h.name\n"
     "        FROM domain_mx m JOIN host h ON h.id = m.host WHERE m.domain = d.id\n"
     "        ORDER BY m.preference, h.name)) AS hosts\n"
     "FROM domain d LEFT JOIN policy p ON p.domain = d.id ORDER BY d.name"},
    {"hosts", "a row for each mail host, with its TLSA records and the number of its domains",
     "SELECT h.name, h.operator, h.opted_out, h.looked_up, h.dane, h.address_secure,\n"
     "       h.tlsa_base, h.expanded, h.error, coalesce(n.domains, 0) AS domains,\n"
     "       (SELECT count(*) FROM host_address p WHERE p.host = h.id) AS addresses,\n"
     "       (SELECT group_concat(usage || ' ' || selector || ' ' || matching_type || ' ' ||\n"
     "        lower(hex(data)), ', ') FROM tlsa t WHERE t.host = h.id) AS tlsa\n"
     "FROM host h LEFT JOIN (SELECT host, count(*) AS domains FROM domain_mx GROUP BY host) n\n"
     "     ON n.host = h.id ORDER BY h.name"},
    {"addresses", "a row for each pair of a mail host and an address, and what was shown there",
     "SELECT h.name AS host, a.ip, a.prefix, a.looked_up, p.sni, p.starttls, p.chain_ok,\n"
     "       p.name_ok, p.expired, p.tlsa, p.secure AS address_secure, p.detail,\n"
     "       " OF_PAIR(
         "code") " AS code,\n"
                 "       " OF_PAIR(
                     "protocol") " AS protocol,\n"
                                 "       " OF_PAIR(
                                     "cipher") " AS cipher,\n"
                                               "       " OF_PAIR(
                                                   "requiretls") " AS requiretls,\n"
                                                                 "       " OF_PAIR(
                                                                     "failure") " AS failure,\n"
                                                                                "       "
                                                                                "a.greeting, "
                                                                                "a.software, "
                                                                                "k.fault AS "
                                                                                "chain_fault, "
                                                                                "k.why AS "
                                                                                "chain_why,\n"
                                                                                "       c.sha256 "
                                                                                "AS certificate, "
                                                                                "c.subject, "
                                                                                "c.issuer, "
                                                                                "c.not_before, "
                                                                                "c.not_after,\n"
                                                                                "       "
                                                                                "c.key_type, "
                                                                                "c.key_bits, "
                                                                                "c.signature, "
                                                                                "c.self_signed, "
                                                                                "c.names\n"
                                                                                "FROM host h JOIN "
                                                                                "host_address p ON "
                                                                                "p.host = h.id "
                                                                                "JOIN address a ON "
                                                                                "a.id = p.address\n"
                                                                                "     LEFT JOIN "
                                                                                "sni s ON "
                                                                                "s.address = a.id "
                                                                                "AND s.name = "
                                                                                "p.sni AND p.sni "
                                                                                "<> a.sni\n"
                                                                                "     LEFT JOIN "
                                                                                "chain k ON "
                                                                                "k.sha256 "
                                                                                "= " OF_PAIR(
                                                                                    "chain") "\n"
                                                                                             "     "
                                                                                             "LEFT "
                                                                                             "JOIN "
                                                                                             "certi"
                                                                                             "ficat"
                                                                                             "e c "
                                                                                             "ON "
                                                                                             "c."
                                                                                             "sha25"
                                                                                             "6 = "
                                                                                             "k."
                                                                                             "leaf"
                                                                                             "\n"
                                                                                             "ORDER"
                                                                                             " BY "
                                                                                             "h."
                                                                                             "name,"
                                                                                             " p."
                                                                                             "posit"
                                                                                             "ion"},
    {NULL, NULL, NULL},
};

const struct survey_table *survey_table_find(const char *name)
{
    for (const struct survey_table *table = survey_tables; table->name != NULL; table++) {
        if (strcmp(table->name, name) == 0)
            return table;
    }
    return NULL;
}

/* ---- values ---- */

static void write_octets(FILE *out, const struct results_value *value, bool json)
{
    for (size_t i = 0; i < value->length; i++) {
        unsigned char octet = (unsigned char)value->text[i];

        if (octet < 0x20 || octet > 0x7e)
            fprintf(out, json ? "\\\\x%02x" : "\\x%02x", octet);
        else if (octet == '\\')
            fputs(json ? "\\\\" : "\\", out);
        else if (octet == '"')
            fputs(json ? "\\\"" : "\"\"", out);
        else
            fputc(octet, out);
    }
}

/* A spreadsheet would take the text for a formula. */
static bool is_formula(const struct results_value *value)
{
    return value->length > 0 && strchr("=+-@", value->text[0]) != NULL && value->text[0] != '\0';
}

static void write_number(FILE *out, const struct results_value *value, const char *none)
{
    if (value->type == RESULTS_NUMBER)
        fprintf(out, "%" PRId64, value->number);
    else if (value->type == RESULTS_REAL && isfinite(value->real))
        fprintf(out, "%.17g", value->real);
    else
        fputs(none, out);
}

static bool is_text(const struct results_value *value)
{
    return value->type == RESULTS_TEXT || value->type == RESULTS_OCTETS;
}

/* ---- rows ---- */

struct exported {
    FILE *out;
    char names[COLUMNS_MAX][NAME_MAX_OCTETS];
};

/* Texts are quoted always, so that an empty one is no missing one. */
static bool take_csv(void *context, const struct results_value *values, int count)
{
    const struct exported *this = context;

    for (int i = 0; i < count; i++) {
        if (i > 0)
            fputc(',', this->out);
        if (!is_text(&values[i])) {
            write_number(this->out, &values[i], "");
            continue;
        }
        fputs(is_formula(&values[i]) ? "\"'" : "\"", this->out);
        write_octets(this->out, &values[i], false);
        fputc('"', this->out);
    }
    fputs("\r\n", this->out);
    return !ferror(this->out);
}

static bool take_jsonl(void *context, const struct results_value *values, int count)
{
    const struct exported *this = context;

    for (int i = 0; i < count; i++) {
        fprintf(this->out, "%s\"%s\":", i > 0 ? "," : "{", this->names[i]);
        if (!is_text(&values[i])) {
            write_number(this->out, &values[i], "null");
            continue;
        }
        fputc('"', this->out);
        write_octets(this->out, &values[i], true);
        fputc('"', this->out);
    }
    fputs("}\n", this->out);
    return !ferror(this->out);
}

bool survey_export(FILE *out, struct results *results, const struct survey_table *table,
                   enum survey_format format)
{
    const char *names[COLUMNS_MAX];
    int count = results_columns(results, table->sql, names, COLUMNS_MAX);
    struct exported this = {.out = out};

    for (int i = 0; i < count; i++)
        snprintf(this.names[i], NAME_MAX_OCTETS, "%s", names[i]);
    if (count < 0)
        return false;
    for (int i = 0; format == SURVEY_CSV && i < count; i++)
        fprintf(out, "%s%s", i > 0 ? "," : "", this.names[i]);
    if (format == SURVEY_CSV)
        fputs("\r\n", out);
    return results_query(results, table->sql, NULL, 0, format == SURVEY_CSV ? take_csv : take_jsonl,
                         &this) &&
           fflush(out) == 0;
}
