/*
 * check_text: a report for a terminal; see check_page.h. Findings come first, the worst of them
 * before the others. Then what was seen, in few lines, and what senders will do.
 */
#include <string.h>

#include "base/page/page_figures.h"
#include "base/page/text.h"
#include "check/check_page.h"
#include "check/judge.h"
#include "policy/decide/verdict.h"

#define LABEL_MAX       100 /* octets of what stands before running text */
#define ADDRESS_COLUMNS 22  /* a longer one has a line of its own */

struct sheet {
    FILE *out;
    const struct check_page *page;
    bool bold;
};

/* ---- findings ---- */

static const char *const headings[CHECK_SEVERITY_COUNT] = {[CHECK_NOTICE] = "Notices",
                                                           [CHECK_WARNING] = "Warnings",
                                                           [CHECK_CRITICAL] = "Critical",
                                                           [CHECK_UNKNOWN] = "Not known"};

/* "RFC 7672 3.1", or a whole one */
static void print_rfc(const struct sheet *sheet, const char *rfc)
{
    const char *section = strrchr(rfc, ' ');

    if (strchr(rfc, ' ') == section)
        fprintf(sheet->out, "    see    %s\n", rfc);
    else
        fprintf(sheet->out, "    see    %.*s, section %s\n", (int)(section - rfc), rfc,
                section + 1);
}

static void print_finding(const struct sheet *sheet, const struct check_finding *finding)
{
    const struct check_kind *kind = &check_kinds[finding->code];
    char label[LABEL_MAX];

    snprintf(label, sizeof label, "  %s: ", kind->code);
    text_paragraph(sheet->out, label, kind->text);
    if (finding->where[0] != '\0')
        text_paragraph(sheet->out, "    where  ", finding->where);
    text_paragraph(sheet->out, "    seen   ", finding->evidence);
    text_paragraph(sheet->out, "    fix    ", finding->fix);
    if (kind->rfc[0] != '\0')
        print_rfc(sheet, kind->rfc);
}

static void print_findings(const struct sheet *sheet)
{
    const struct check_report *report = sheet->page->report;

    for (size_t i = 0; i < report->count; i++) {
        const struct check_finding *finding = &report->findings[i];

        if (i == 0 || report->findings[i - 1].severity != finding->severity)
            text_heading(sheet->out, sheet->bold, headings[finding->severity]);
        else
            fputc('\n', sheet->out);
        print_finding(sheet, finding);
    }
    if (report->dropped > 0)
        fprintf(sheet->out, "\n  and %zu more findings, none worse than these\n", report->dropped);
}

/* ---- mail hosts ---- */

/* "EC 256, until 2027-02-06, valid, TLSA ok" */
static void print_certificate(const struct sheet *sheet, const struct check_attempt *attempt)
{
    static const char *const matches[] = {[TLSA_MATCH_NONE] = "",
                                          [TLSA_MATCH_OK] = ", TLSA ok",
                                          [TLSA_MATCH_MISMATCH] = ", TLSA bad"};
    const struct tls_certificate *leaf = &attempt->certificates[0];
    char end[PAGE_FIGURE_MAX], type[PAGE_TEXT_MAX];

    fprintf(sheet->out, ", %s %u, until %.10s%s%s", page_printable(type, leaf->key_type),
            leaf->key_bits, page_utc(end, leaf->not_after),
            attempt->shown.finding.fault == TLS_FAULT_NONE && attempt->name_ok ? ", valid" : "",
            matches[attempt->tlsa]);
}

static void print_address(const struct sheet *sheet, const struct check_address *address)
{
#define X(state, word, sentence) sentence,
    static const char *const sentences[] = {STARTTLS_STATES(X)};
#undef X
    const struct check_attempt *attempt = &address->attempts[CHECK_OFFER_DEFAULT];
    char ip[IP_TEXT_MAX], room[PAGE_TEXT_MAX];

    fprintf(sheet->out, "     %-*s ", ADDRESS_COLUMNS, ip_text(&address->ip, ip));
    if (strlen(ip) > ADDRESS_COLUMNS)
        fprintf(sheet->out, "\n     %-*s ", ADDRESS_COLUMNS, "");
    if (address->forbidden != NULL)
        fputs("not connected to", sheet->out);
    else if (!attempt->made || attempt->failed_here)
        fputs("not known", sheet->out);
    else if (attempt->protocol != NULL)
        fprintf(sheet->out, "%.20s", page_printable(room, attempt->protocol));
    else
        fputs(sentences[attempt->state], sheet->out);
    if (attempt->certificate_count > 0)
        print_certificate(sheet, attempt);
    fputc('\n', sheet->out);
}

static void print_hosts(const struct sheet *sheet)
{
    const struct check_facts *facts = sheet->page->facts;
    char room[PAGE_TEXT_MAX];

    if (facts->host_count == 0)
        return;
    text_heading(sheet->out, sheet->bold, "Mail hosts");
    for (size_t i = 0; i < facts->host_count; i++) {
        const struct check_host *host = &facts->hosts[i];

        fprintf(sheet->out, "  %u %s, TLSA records: %s\n", host->preference,
                page_printable(room, host->name), check_dane_name(sheet->page, host));
        for (size_t k = 0; k < host->address_count; k++)
            print_address(sheet, &host->addresses[k]);
    }
}

/* ---- policies and senders ---- */

static void print_policies(const struct sheet *sheet)
{
    static const char *const modes[] = {
        [STS_MODE_NONE] = "none", [STS_MODE_TESTING] = "testing", [STS_MODE_ENFORCE] = "enforce"};
    static const char *const states[] = {[STS_UNKNOWN] = "not known",
                                         [STS_NOT_ASKED] = "not asked for",
                                         [STS_NO_RECORD] = "none",
                                         [STS_BAD_RECORD] = "the record is not valid",
                                         [STS_DNS_ERROR] = "the lookup failed",
                                         [STS_FETCH_FAILED] = "the policy cannot be fetched",
                                         [STS_BAD_POLICY] = "the policy is not valid"};
    static const char *const reports[] = {[TLSRPT_UNKNOWN] = "not asked for",
                                          [TLSRPT_NONE] = "none",
                                          [TLSRPT_VALID] = "valid",
                                          [TLSRPT_INVALID] = "the record is not valid",
                                          [TLSRPT_ERROR] = "the lookup failed"};
    const struct check_facts *facts = sheet->page->facts;
    const struct sts_evidence *sts = &facts->evidence->sts;
    char room[PAGE_TEXT_MAX];

    if (facts->host_count == 0)
        return;
    text_heading(sheet->out, sheet->bold, "Policies");
    if (sts->state == STS_POLICY)
        fprintf(sheet->out, "  MTA-STS  %s, id %s, max_age %u, %zu mx\n", modes[sts->policy->mode],
                page_printable(room, sts->id), sts->policy->max_age, sts->policy->mx_count);
    else
        fprintf(sheet->out, "  MTA-STS  %s\n", states[sts->state]);
    if (facts->tlsrpt.rua != NULL)
        text_quote(sheet->out, "  TLSRPT   ", facts->tlsrpt.rua);
    else
        fprintf(sheet->out, "  TLSRPT   %s\n", reports[facts->tlsrpt.state]);
}

static const char *level_word(enum verdict_level level)
{
    switch (level) {
    case VERDICT_NO_OPINION:
        return "no policy";
    case VERDICT_TEMP:
        return "deferred";
    default:
        return verdict_level_name(level);
    }
}

/* Whether it makes no difference what a sender looks at. */
static bool all_agree(const struct verdict *verdicts)
{
    for (int i = 1; i < CHECK_SENDER_COUNT; i++)
        if (verdicts[i].level != verdicts[0].level || verdicts[i].reason != verdicts[0].reason)
            return false;
    return true;
}

static void print_senders(const struct sheet *sheet)
{
    static const char *const labels[] = {[CHECK_SENDER_BOTH] = "with DANE and MTA-STS",
                                         [CHECK_SENDER_DANE] = "with DANE",
                                         [CHECK_SENDER_STS] = "with MTA-STS",
                                         [CHECK_SENDER_NEITHER] = "with neither"};

    const struct verdict *verdicts = sheet->page->facts->verdicts;
    bool agree = all_agree(verdicts);

    text_heading(sheet->out, sheet->bold, "What senders do");
    for (int i = 0; i < (agree ? 1 : CHECK_SENDER_COUNT); i++) {
        const struct verdict *verdict = &verdicts[i];
        char label[LABEL_MAX];

        snprintf(label, sizeof label, "  %-21s  %-9s  ", agree ? "all" : labels[i],
                 level_word(verdict->level));
        text_paragraph(sheet->out, label, verdict_reason_text(verdict->reason));
    }
}

/* ---- the whole ---- */

bool check_text(FILE *out, const struct check_page *page)
{
    const struct sheet sheet = {.out = out, .page = page, .bold = text_is_terminal(out)};
    char counts[CHECK_COUNTS_MAX], room[PAGE_TEXT_MAX];

    if (!page->quiet || page->report->count > 0)
        fprintf(out, "%s: %s\n", page_printable(room, page->facts->domain),
                check_counts(counts, page->report));
    print_findings(&sheet);
    if (!page->quiet) {
        print_hosts(&sheet);
        print_policies(&sheet);
        print_senders(&sheet);
    }
    return fflush(out) == 0 && !ferror(out) && !arena_failed(page->report->arena);
}
