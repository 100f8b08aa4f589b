/*
 * records: see records.h. TLSA records are made in records_tlsa.c; how all are written is in
 * records_text.c.
 */
#include "check/records/records.h"

#include <stdio.h>
#include <string.h>

#include "check/records/records_internal.h"
#include "policy/sts_match.h"
#include "probe/tls/tls_digest.h"

#define ID_LENGTH      20
#define TXT_STRING_MAX 255 /* octets of one string of a TXT record */
#define POLICY_MAX     STS_BODY_MAX

void records_note(struct making *making, const char *text)
{
    struct records *out = making->out;

    for (size_t i = 0; i < out->note_count; i++)
        if (text == NULL || strcmp(out->notes[i], text) == 0)
            return;
    if (text != NULL && out->note_count < RECORDS_NOTES_MAX)
        out->notes[out->note_count++] = text;
}

void records_add(struct making *making, const struct record *record)
{
    struct records *out = making->out;

    for (size_t i = 0; i < out->count && record->data != NULL; i++)
        if (strcmp(out->records[i].name, record->name) == 0 &&
            strcmp(out->records[i].data, record->data) == 0)
            return;
    if (record->data == NULL || record->name == NULL || out->count == RECORDS_MAX ||
        (making->wish->missing && record->present))
        return;
    out->records[out->count++] = *record;
}

const char *records_owner(const struct check_rrset *rrset, const char *name)
{
    const struct dns_answer *answer = rrset->answer;

    return answer != NULL && answer->aliases > 0 ? answer->owner : name;
}

/* ---- MTA-STS ---- */

void records_policy_id(char out[STS_ID_MAX + 1], const char *policy, size_t length)
{
    char digest[TLS_DIGEST_TEXT];

    tls_digest(digest, policy, length);
    snprintf(out, STS_ID_MAX + 1, "%.*s", ID_LENGTH, digest);
}

static const char *mode_name(enum sts_mode mode)
{
    return mode == STS_MODE_ENFORCE ? "enforce" : mode == STS_MODE_TESTING ? "testing" : "none";
}

/* Whether there may be records of that name and type. */
static bool is_there(const struct check_rrset *rrset)
{
    return rrset->answer == NULL || rrset->answer->outcome == DNS_RECORDS ||
           rrset->answer->outcome == DNS_FAILED;
}

/* Whether what is served is what is wished: each host is allowed, and each line is needed. */
static bool is_served(const struct making *making)
{
    const struct check_facts *facts = making->facts;
    const struct sts_policy *policy = facts->policy.policy;

    if (policy == NULL || policy->mode != making->wish->mode ||
        policy->max_age != making->wish->max_age)
        return false;
    for (size_t i = 0; i < facts->host_count; i++)
        if (!sts_match_policy(policy, facts->hosts[i].name))
            return false;
    for (size_t i = 0; i < policy->mx_count; i++) {
        bool used = false;

        for (size_t j = 0; j < facts->host_count; j++)
            used |= sts_match_pattern(policy->mx[i], facts->hosts[j].name);
        if (!used)
            return false;
    }
    return facts->policy.fault_count == 0;
}

static const char *write_policy(const struct making *making)
{
    const struct check_facts *facts = making->facts;
    const char *policy = NULL;
    struct buf text;

    buf_init(&text, POLICY_MAX);
    buf_addf(&text, "version: STSv1\r\nmode: %s\r\n", mode_name(making->wish->mode));
    for (size_t i = 0; i < facts->host_count; i++)
        buf_addf(&text, "mx: %s\r\n", facts->hosts[i].name);
    buf_addf(&text, "max_age: %u\r\n", making->wish->max_age);
    if (!text.failed)
        policy = arena_strdup(making->arena, buf_text(&text));
    buf_fini(&text);
    return policy;
}

static void note_unfit(struct making *making)
{
    for (size_t i = 0; i < making->facts->host_count; i++) {
        const struct check_host *host = &making->facts->hosts[i];

        for (size_t j = 0; j < host->address_count; j++) {
            const struct check_attempt *first = &host->addresses[j].attempts[CHECK_OFFER_DEFAULT];

            if (first->made && first->certificate_count > 0 &&
                (!first->name_ok || first->shown.finding.fault != TLS_FAULT_NONE))
                records_note(making,
                             arena_printf(making->arena,
                                          "%s: its certificate does not satisfy MTA-STS: in mode "
                                          "enforce senders would refuse it",
                                          host->name));
        }
    }
}

/* Why no policy can be made; NULL: one can. One that leaves out a mail host, or takes the place of a
 * policy that nobody has seen, would keep mail away. */
static const char *why_no_policy(const struct making *making)
{
    const struct check_facts *facts = making->facts;
    enum sts_state state = facts->evidence->sts.state;
    const char *why = facts->evidence->sts.why;

    if (facts->evidence->mx_truncated)
        return arena_printf(
            making->arena,
            "there are more MX records than the %zu that were looked at: an MTA-STS "
            "policy would keep mail from the others",
            facts->host_count);
    if (making->wish->mode_given || facts->policy.policy != NULL ||
        (state != STS_DNS_ERROR && state != STS_FETCH_FAILED))
        return NULL;
    return arena_printf(making->arena,
                        "what is published of MTA-STS is not known (%s), and stays as it is; "
                        "with --mode there is a policy anyway",
                        why == NULL ? "no answer" : why);
}

static void make_sts(struct making *making)
{
    const struct check_facts *facts = making->facts;
    struct record record = {.type = "TXT", .why = "MTA-STS"};
    const struct sts_evidence *sts = &facts->evidence->sts;
    struct records *out = making->out;
    const char *none = why_no_policy(making);
    char id[STS_ID_MAX + 1];

    if (none != NULL) {
        records_note(making, none);
        return;
    }
    out->policy_present = is_served(making);
    out->policy = out->policy_present
                      ? arena_strndup(making->arena, facts->policy.body, facts->policy.length)
                      : write_policy(making);
    out->policy_url =
        arena_printf(making->arena, "https://mta-sts.%s/.well-known/mta-sts.txt", facts->domain);
    if (out->policy == NULL)
        return;
    records_policy_id(id, out->policy, strlen(out->policy));
    record.present = out->policy_present && sts->state == STS_POLICY && sts->id[0] != '\0';
    record.alone = is_there(&facts->sts_record);
    record.name = records_owner(&facts->sts_record,
                                arena_printf(making->arena, "_mta-sts.%s", facts->domain));
    record.data = arena_printf(making->arena, "\"v=STSv1; id=%s;\"", record.present ? sts->id : id);
    records_add(making, &record);
    if (making->wish->missing && out->policy_present)
        out->policy = NULL;
    if (making->wish->mode == STS_MODE_ENFORCE)
        note_unfit(making);
}

/* ---- TLSRPT ---- */

/* As in a zone file: strings of at most 255 octets in quotation marks (RFC 1035 §5.1). */
static const char *quote(struct arena *arena, const char *text)
{
    const char *quoted;
    struct buf out;

    buf_init(&out, 4096);
    for (size_t i = 0; text != NULL && text[i] != '\0'; i++) {
        if (i % TXT_STRING_MAX == 0)
            buf_adds(&out, i == 0 ? "\"" : "\" \"");
        if (text[i] == '"' || text[i] == '\\')
            buf_adds(&out, "\\");
        buf_add(&out, &text[i], 1);
    }
    buf_adds(&out, "\"");
    quoted = out.failed ? NULL : arena_strdup(arena, buf_text(&out));
    buf_fini(&out);
    return quoted;
}

/* The addresses as they were published: joined by commas. */
static char *with_commas(struct arena *arena, const char *rua)
{
    char *text = arena_strdup(arena, rua);

    for (char *at = text; at != NULL && *at != '\0'; at++)
        if (*at == ' ')
            *at = ',';
    return text;
}

static void make_tlsrpt(struct making *making)
{
    const struct tlsrpt *published = &making->facts->tlsrpt;
    const char *domain = making->facts->domain, *rua = making->wish->rua, *was = NULL;
    struct record record = {.type = "TXT", .why = "reports of failures"};
    struct arena *arena = making->arena;

    if (published->state == TLSRPT_ERROR && rua == NULL) {
        records_note(making, "the TLSRPT record cannot be looked up, and stays as it is");
        return;
    }
    if (published->state == TLSRPT_VALID && published->rua != NULL)
        was = with_commas(arena, published->rua);
    if (rua == NULL)
        rua = was != NULL ? was : arena_printf(arena, "mailto:tls-reports@%s", domain);
    record.present = was != NULL && rua != NULL && strcmp(was, rua) == 0;
    record.alone = is_there(&making->facts->tlsrpt_record);
    record.name =
        records_owner(&making->facts->tlsrpt_record, arena_printf(arena, "_smtp._tls.%s", domain));
    record.data = quote(arena, arena_printf(arena, "v=TLSRPTv1; rua=%s", rua));
    records_add(making, &record);
}

bool records_make(struct records *out, struct arena *arena, const struct check_facts *facts,
                  const struct records_wish *wish)
{
    struct making making = {out, arena, facts, wish};

    memset(out, 0, sizeof *out);
    if (facts->evidence->mx == MX_NULL || facts->host_count == 0) {
        records_note(&making, "the domain has no mail hosts: there is nothing to publish");
        return !arena_failed(arena);
    }
    records_make_tlsa(&making);
    if (wish->mta_sts)
        make_sts(&making);
    make_tlsrpt(&making);
    return !arena_failed(arena);
}
