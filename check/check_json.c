/*
 * check_json: a report, and what was seen, for programs; see check_page.h. Its schema is
 * docs/check.schema.json. What was not asked, or could not be found out, is null.
 */
#include <jansson.h>

#include "base/page/page_figures.h"
#include "base/buf.h"
#include "check/check_page.h"
#include "check/judge.h"
#include "policy/decide/verdict.h"

static const char *const starttls_words[] = {STARTTLS_STATES(ENUM_WORD)};
static const char *const sts_words[] = {STS_STATES(ENUM_WORD)};
static const char *const mx_words[] = {MX_STATES(ENUM_WORD)};
static const char *const mode_words[] = {
    [STS_MODE_NONE] = "none", [STS_MODE_TESTING] = "testing", [STS_MODE_ENFORCE] = "enforce"};

/* JSON holds nothing but UTF-8; what is not printable ASCII is escaped. */
static json_t *json_of_text(const char *text)
{
    char room[PAGE_TEXT_MAX];

    return text == NULL ? json_null()
                        : json_string(page_is_plain(text) ? text : page_printable(room, text));
}

static json_t *json_of_time(int64_t at)
{
    char room[PAGE_FIGURE_MAX];

    return json_string(page_utc(room, at));
}

/* ---- findings ---- */

static json_t *json_of_finding(const struct check_finding *finding)
{
    const struct check_kind *kind = &check_kinds[finding->code];

    return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o}", "code", kind->code, "severity",
                     check_severity_name(finding->severity), "where", json_of_text(finding->where),
                     "host", json_of_text(finding->host), "text", kind->text, "evidence",
                     json_of_text(finding->evidence), "fix", json_of_text(finding->fix), "rfc",
                     kind->rfc[0] == '\0' ? json_null() : json_string(kind->rfc));
}

static json_t *json_of_findings(const struct check_report *report)
{
    json_t *array = json_array();

    for (size_t i = 0; i < report->count; i++)
        json_array_append_new(array, json_of_finding(&report->findings[i]));
    return array;
}

static json_t *json_of_counts(const struct check_report *report)
{
    json_t *object = json_object();

    for (int i = 0; i < CHECK_SEVERITY_COUNT; i++)
        json_object_set_new(object, check_severity_name((enum check_severity)i),
                            json_integer((json_int_t)check_count(report, (enum check_severity)i)));
    return object;
}

/* ---- hosts ---- */

static json_t *json_of_certificate(const struct tls_certificate *certificate)
{
    json_t *object =
        json_pack("{s:o, s:o, s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:o}", "subject",
                  json_of_text(certificate->subject), "issuer", json_of_text(certificate->issuer),
                  "sha256", certificate->sha256, "key_sha256", certificate->key_sha256, "key_type",
                  json_of_text(certificate->key_type), "key_bits", (int)certificate->key_bits,
                  "signature", json_of_text(certificate->signature), "not_before",
                  json_of_time(certificate->not_before), "not_after",
                  json_of_time(certificate->not_after), "names", json_of_text(certificate->names));

    return object;
}

static const char *match_word(const struct check_attempt *attempt)
{
    static const char *const words[] = {
        [TLSA_MATCH_NONE] = "none", [TLSA_MATCH_OK] = "ok", [TLSA_MATCH_MISMATCH] = "mismatch"};

    return words[attempt->tlsa];
}

static json_t *json_of_attempt(enum check_offer offer, const struct check_attempt *attempt)
{
    static const char *const offers[] = {
#define X(word, name, text) name,
        CHECK_OFFERS(X)
#undef X
    };
    json_t *chain = json_array();

    for (size_t i = 0; i < attempt->certificate_count; i++)
        json_array_append_new(chain, json_of_certificate(&attempt->certificates[i]));
    return json_pack(
        "{s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:s, s:o}", "offer", offers[offer], "starttls",
        starttls_words[attempt->state], "detail", json_of_text(attempt->detail), "code",
        attempt->code, "protocol", json_of_text(attempt->protocol), "cipher",
        json_of_text(attempt->cipher), "chain_fault",
        attempt->certificate_count == 0 ? json_null()
                                        : json_string(tls_fault_name(attempt->shown.finding.fault)),
        "name_ok", attempt->certificate_count == 0 ? json_null() : json_boolean(attempt->name_ok),
        "tlsa", match_word(attempt), "certificates", chain);
}

static json_t *json_of_enforced(enum check_enforced enforced)
{
    return enforced == CHECK_ENFORCED_UNKNOWN ? json_null()
                                              : json_boolean(enforced == CHECK_ENFORCED_YES);
}

static json_t *json_of_address(const struct check_address *address)
{
    json_t *attempts = json_array();
    char ip[IP_TEXT_MAX];

    for (int i = 0; i < CHECK_OFFER_COUNT; i++)
        if (address->attempts[i].made && !address->attempts[i].failed_here)
            json_array_append_new(attempts,
                                  json_of_attempt((enum check_offer)i, &address->attempts[i]));
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "ip", ip_text(&address->ip, ip), "forbidden",
                     json_of_text(address->forbidden), "reverse_confirmed",
                     address->reverse.name == NULL ? json_null()
                                                   : json_boolean(address->reverse_confirmed),
                     "enforced", json_of_enforced(address->enforced), "attempts", attempts);
}

/* "3 1 1 ab12..." */
static json_t *json_of_record(const struct tlsa *record)
{
    struct buf text;
    json_t *string;

    buf_init(&text, 3 * UINT16_MAX);
    buf_addf(&text, "%u %u %u ", record->usage, record->selector, record->matching_type);
    for (size_t i = 0; i < record->length; i++)
        buf_addf(&text, "%02x", record->data[i]);
    string = text.failed ? NULL : json_string(buf_text(&text));
    buf_fini(&text);
    return string;
}

static json_t *json_of_host(const struct check_page *page, const struct check_host *host)
{
    json_t *addresses = json_array(), *records = json_array();

    for (size_t i = 0; i < host->record_count; i++)
        json_array_append_new(records, json_of_record(&host->records[i]));
    for (size_t i = 0; i < host->address_count; i++)
        json_array_append_new(addresses, json_of_address(&host->addresses[i]));
    return json_pack("{s:o, s:i, s:s, s:o, s:o}", "name", json_of_text(host->name), "preference",
                     (int)host->preference, "dane", check_dane_name(page, host), "tlsa", records,
                     "addresses", addresses);
}

static json_t *json_of_hosts(const struct check_page *page)
{
    json_t *array = json_array();

    for (size_t i = 0; i < page->facts->host_count; i++)
        json_array_append_new(array, json_of_host(page, &page->facts->hosts[i]));
    return array;
}

/* ---- policies ---- */

static json_t *json_of_sts(const struct check_facts *facts)
{
    const struct sts_evidence *sts = &facts->evidence->sts;
    const struct sts_policy *policy = sts->state == STS_POLICY ? sts->policy : NULL;
    json_t *patterns = json_array();

    for (size_t i = 0; policy != NULL && i < policy->mx_count; i++)
        json_array_append_new(patterns, json_of_text(policy->mx[i]));
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "state", sts_words[sts->state], "id",
                     sts->id[0] == '\0' ? json_null() : json_of_text(sts->id), "mode",
                     policy == NULL ? json_null() : json_string(mode_words[policy->mode]),
                     "max_age", policy == NULL ? json_null() : json_integer(policy->max_age), "mx",
                     patterns);
}

static json_t *json_of_tlsrpt(const struct check_facts *facts)
{
    return json_pack("{s:s, s:o}", "state", tlsrpt_state_name(facts->tlsrpt.state), "rua",
                     json_of_text(facts->tlsrpt.rua));
}

static json_t *json_of_senders(const struct check_facts *facts)
{
    json_t *object = json_object();

    for (int i = 0; i < CHECK_SENDER_COUNT; i++) {
        const struct verdict *verdict = &facts->verdicts[i];

        json_object_set_new(object, check_sender_name((enum check_sender)i),
                            json_pack("{s:s, s:s}", "level", verdict_level_name(verdict->level),
                                      "reason", verdict_reason_code(verdict->reason)));
    }
    return object;
}

/* ---- the whole ---- */

static json_t *json_of_page(const struct check_page *page)
{
    const struct check_report *report = page->report;
    const struct check_facts *facts = page->facts;

    return json_pack(
        "{s:s, s:o, s:o, s:s, s:i, s:o, s:i, s:o, s:o, s:b, s:s, s:b, s:o, s:o, s:o, s:o}",
        "version", MXC_VERSION, "checked", json_of_time(facts->now_s), "domain",
        json_of_text(facts->domain), "status", check_status(report), "exit", check_exit(report),
        "counts", json_of_counts(report), "dropped", (int)report->dropped, "days_to_expiry",
        report->expiry_known ? json_integer(report->days_to_expiry) : json_null(), "findings",
        json_of_findings(report), "dnssec", (int)facts->validating, "mx",
        mx_words[facts->evidence->mx], "mx_secure", (int)facts->evidence->mx_secure, "hosts",
        json_of_hosts(page), "mta_sts", json_of_sts(facts), "tlsrpt", json_of_tlsrpt(facts),
        "senders", json_of_senders(facts));
}

bool check_json(FILE *out, const struct check_page *page)
{
    json_t *object = json_of_page(page);
    bool ok = object != NULL && json_dumpf(object, out, JSON_INDENT(1)) == 0;

    json_decref(object);
    fputc('\n', out);
    return fflush(out) == 0 && !ferror(out) && ok && !arena_failed(page->report->arena);
}
