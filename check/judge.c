/*
 * judge: the chapters in their order, and the report that they fill; see judge.h and
 * judge_internal.h.
 *
 * The report is sorted at its end. A full one keeps the worst: what is dropped is never worse than
 * what stays, so that the exit status is right.
 */
#include "check/judge_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"
#include "base/escape.h"
#include "policy/sts_match.h"

#define LIST_SHOWN_MAX 6 /* items of a list that are told */

/* ---- texts ---- */

const char *judge_text(const struct judging *judging, const char *format, ...)
{
    char room[CHECK_TEXT_MAX];
    const char *text;
    va_list list;

    va_start(list, format);
    vsnprintf(room, sizeof room, format, list);
    va_end(list);
    text = arena_strdup(judging->report->arena, room);
    return text == NULL ? "" : text;
}

const char *judge_date(const struct judging *judging, int64_t at)
{
    time_t seconds = (time_t)at;
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL)
        return "a time that no calendar has";
    return judge_text(judging, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

const char *judge_days(const struct judging *judging, int64_t seconds)
{
    int64_t days = seconds / DAY_S;

    return judge_text(judging, "%" PRId64 " day%s left", days, days == 1 ? "" : "s");
}

void judge_list_init(struct judge_list *list)
{
    buf_init(&list->buf, CHECK_TEXT_MAX);
    list->count = 0;
}

void judge_list_add(struct judge_list *list, const char *item)
{
    if (list->count < LIST_SHOWN_MAX)
        buf_addf(&list->buf, "%s%s", list->count > 0 ? ", " : "", item);
    list->count++;
}

const char *judge_list_take(const struct judging *judging, struct judge_list *list)
{
    const char *text;

    if (list->count > LIST_SHOWN_MAX)
        text = judge_text(judging, "%s and %zu more", buf_text(&list->buf),
                          list->count - LIST_SHOWN_MAX);
    else
        text = judge_text(judging, "%s", buf_text(&list->buf));
    buf_fini(&list->buf);
    return text;
}

/* Fit for a terminal and a log line: itself, or a copy of the report's. */
static const char *presentable(const struct judging *judging, const char *text)
{
    char room[CHECK_TEXT_MAX];

    if (text == NULL)
        return "";
    if (strlen(text) < CHECK_TEXT_MAX && ascii_is_printable(text))
        return text;
    return judge_text(judging, "%s", escape_bytes(room, sizeof room, text, strlen(text)));
}

/* ---- findings ---- */

/* Of two findings the one with the greater rank is told first. */
static int rank(enum check_severity severity)
{
    static const int ranks[CHECK_SEVERITY_COUNT] = {
        [CHECK_NOTICE] = 0, [CHECK_WARNING] = 1, [CHECK_UNKNOWN] = 2, [CHECK_CRITICAL] = 3};

    return ranks[severity];
}

static const char *where_of(const struct judging *judging, const struct judge_at *at)
{
    char ip[IP_TEXT_MAX];

    if (at->host == NULL)
        return at->name == NULL ? "" : presentable(judging, at->name);
    if (at->address == NULL)
        return presentable(judging, at->host->name);
    return judge_text(judging, "%s [%s]", presentable(judging, at->host->name),
                      ip_text(&at->address->ip, ip));
}

static bool is_one(const struct check_finding *a, const struct check_finding *b)
{
    if (a->code != b->code || a->severity != b->severity || a->host != b->host ||
        (a->cause == NULL) != (b->cause == NULL) || strcmp(a->fix, b->fix) != 0)
        return false;
    return strcmp(a->cause == NULL ? a->evidence : a->cause,
                  b->cause == NULL ? b->evidence : b->cause) == 0;
}

/* Adds the address to a finding that says the same of another address of the host. */
static bool join(const struct judging *judging, const struct judge_at *at,
                 const struct check_finding *found)
{
    char ip[IP_TEXT_MAX], mark[IP_TEXT_MAX + 3];

    for (size_t i = 0; at->address != NULL && i < judging->report->count; i++) {
        struct check_finding *other = &judging->report->findings[i];

        if (!is_one(other, found))
            continue;
        snprintf(mark, sizeof mark, " [%s]", ip_text(&at->address->ip, ip));
        if (strstr(other->where, mark) == NULL)
            other->where = judge_text(judging, "%s%s", other->where, mark);
        return true;
    }
    return false;
}

/* A place for a finding of that rank; NULL when all others count for as much. */
static struct check_finding *find_place(struct check_report *report, int new_rank)
{
    struct check_finding *least = NULL;

    if (report->count < CHECK_REPORT_MAX)
        return &report->findings[report->count++];
    report->dropped++;
    for (size_t i = 0; i < report->count; i++) {
        struct check_finding *finding = &report->findings[i];

        if (rank(finding->severity) < new_rank &&
            (least == NULL || rank(finding->severity) <= rank(least->severity)))
            least = finding;
    }
    return least;
}

void judge_put(const struct judging *judging, const struct judge_at *at,
               const struct check_finding *found)
{
    struct check_finding new = *found, *place;

    new.evidence = presentable(judging, found->evidence);
    new.fix = presentable(judging, found->fix);
    new.host = at->host == NULL ? NULL : at->host->name;
    if (join(judging, at, &new))
        return;
    new.where = where_of(judging, at);
    place = find_place(judging->report, rank(new.severity));
    if (place != NULL)
        *place = new;
}

void judge_add(const struct judging *judging, const struct judge_at *at, enum check_code code,
               const char *evidence, const char *fix)
{
    judge_put(judging, at,
              &(struct check_finding){.code = code,
                                      .severity = check_kinds[code].severity,
                                      .evidence = evidence,
                                      .fix = fix});
}

void judge_unknown(const struct judging *judging, const struct judge_at *at, const char *what,
                   const char *why)
{
    judge_add(judging, at, CHECK_FOUND_NOT_FOUND_OUT,
              why == NULL ? what : judge_text(judging, "%s: %s", what, why),
              "run the check again; if it stays so, look at the network and the resolver of the "
              "machine that checks");
}

bool judge_has(const struct judging *judging, const struct check_host *host,
               const enum check_code *codes)
{
    for (size_t i = 0; i < judging->report->count; i++) {
        const struct check_finding *finding = &judging->report->findings[i];

        for (const enum check_code *code = codes; *code != CHECK_CODE_COUNT; code++)
            if (finding->code == *code && (host == NULL || finding->host == host->name))
                return true;
    }
    return false;
}

/* ---- facts ---- */

enum judge_answer judge_answer(const struct check_rrset *rrset)
{
    if (rrset->name == NULL)
        return JUDGE_UNASKED;
    if (rrset->failed_here || rrset->answer == NULL)
        return JUDGE_UNKNOWN;
    if (rrset->answer->outcome == DNS_FAILED)
        return rrset->answer->failure == DNS_FAILURE_LOCAL ? JUDGE_UNKNOWN : JUDGE_FAILED;
    return rrset->answer->outcome == DNS_RECORDS ? JUDGE_RECORDS : JUDGE_EMPTY;
}

bool judge_has_address(const struct check_host *host)
{
    return judge_answer(&host->a) == JUDGE_RECORDS || judge_answer(&host->aaaa) == JUDGE_RECORDS;
}

const char *judge_why(const struct check_rrset *rrset)
{
    if (rrset->answer == NULL || rrset->answer->why == NULL)
        return "no answer";
    return rrset->answer->why;
}

const struct sts_policy *judge_policy(const struct check_facts *facts)
{
    const struct sts_evidence *sts = &facts->evidence->sts;

    return sts->state == STS_POLICY ? sts->policy : NULL;
}

enum sts_mode judge_sts_mode(const struct check_facts *facts, const struct check_host *host)
{
    const struct sts_policy *policy = judge_policy(facts);

    return policy != NULL && sts_match_policy(policy, host->name) ? policy->mode : STS_MODE_NONE;
}

bool judge_is_tls(const struct check_attempt *attempt)
{
    return attempt->made && !attempt->failed_here &&
           (attempt->state == STARTTLS_TLS || attempt->state == STARTTLS_VERIFIED);
}

const enum check_offer judge_leaf_offers[JUDGE_LEAVES] = {CHECK_OFFER_DEFAULT, CHECK_OFFER_RSA,
                                                          CHECK_OFFER_ECDSA};

static const struct check_attempt *leaf_at(const struct check_address *address, size_t i)
{
    const struct check_attempt *attempt = &address->attempts[judge_leaf_offers[i]];

    return judge_is_tls(attempt) && attempt->certificate_count > 0 ? attempt : NULL;
}

const struct check_attempt *judge_leaf(const struct check_address *address, size_t i)
{
    const struct check_attempt *leaf = leaf_at(address, i);

    for (size_t k = 0; k < i && leaf != NULL; k++) {
        const struct check_attempt *before = leaf_at(address, k);

        if (before != NULL &&
            strcmp(before->certificates[0].sha256, leaf->certificates[0].sha256) == 0)
            leaf = NULL;
    }
    return leaf;
}

/* ---- the whole ---- */

/* Stable, for a few hundred at most. */
static void sort(struct check_report *report)
{
    for (size_t i = 1; i < report->count; i++) {
        struct check_finding finding = report->findings[i];
        size_t k = i;

        while (k > 0 && rank(report->findings[k - 1].severity) < rank(finding.severity)) {
            report->findings[k] = report->findings[k - 1];
            k--;
        }
        report->findings[k] = finding;
    }
}

void check_judge(struct check_report *report, const struct check_facts *facts)
{
    static void (*const chapters[])(const struct judging *) = {
        judge_mx, judge_tls, judge_dane, judge_same, judge_sts, judge_dns, judge_other,
    };
    const struct judging judging = {report, facts};

    report->count = report->dropped = 0;
    report->expiry_known = false;
    report->days_to_expiry = 0;
    for (size_t i = 0; i < sizeof chapters / sizeof chapters[0]; i++)
        chapters[i](&judging);
    sort(report);
}

int check_exit(const struct check_report *report)
{
    return report->count == 0 ? 0 : check_severity_exit(report->findings[0].severity);
}
