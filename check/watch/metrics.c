/* metrics: see metrics.h. */
#include "check/watch/metrics.h"

#include <inttypes.h>

#define PREFIX "mxcrypt_check_"

void metrics_count(struct metrics_domain *out, const char *domain,
                   const struct check_report *report)
{
    *out = (struct metrics_domain){.domain = domain,
                                   .checked = true,
                                   .expiry_known = report->expiry_known,
                                   .days_to_expiry = report->days_to_expiry};
    for (size_t i = 0; i < report->count; i++) {
        out->by_severity[report->findings[i].severity]++;
        out->by_code[report->findings[i].code]++;
    }
}

static void family(FILE *out, const char *name, const char *help)
{
    fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s gauge\n", name, help, name);
}

static void write_findings(FILE *out, const struct metrics *metrics)
{
    family(out, "findings", "Findings of the last check of a domain, by severity.");
    for (size_t i = 0; i < metrics->count; i++)
        for (int j = 0; metrics->domains[i].checked && j < CHECK_SEVERITY_COUNT; j++)
            fprintf(out, PREFIX "findings{domain=\"%s\",severity=\"%s\"} %" PRIu64 "\n",
                    metrics->domains[i].domain, check_severity_name((enum check_severity)j),
                    metrics->domains[i].by_severity[j]);
    family(out, "finding", "Findings of the last check of a domain, by code; none: no line.");
    for (size_t i = 0; i < metrics->count; i++)
        for (int j = 0; j < CHECK_CODE_COUNT; j++)
            if (metrics->domains[i].by_code[j] > 0)
                fprintf(out, PREFIX "finding{domain=\"%s\",code=\"%s\"} %" PRIu64 "\n",
                        metrics->domains[i].domain, check_kinds[j].code,
                        metrics->domains[i].by_code[j]);
}

bool metrics_write(FILE *out, const void *context)
{
    const struct metrics *metrics = context;

    family(out, "done", "Whether the last check of a domain could be made.");
    for (size_t i = 0; i < metrics->count; i++)
        fprintf(out, PREFIX "done{domain=\"%s\"} %d\n", metrics->domains[i].domain,
                metrics->domains[i].checked);
    write_findings(out, metrics);
    family(out, "expiry_days",
           "Days until the first certificate of a domain's mail hosts expires.");
    for (size_t i = 0; i < metrics->count; i++)
        if (metrics->domains[i].expiry_known)
            fprintf(out, PREFIX "expiry_days{domain=\"%s\"} %" PRId64 "\n",
                    metrics->domains[i].domain, metrics->domains[i].days_to_expiry);
    family(out, "written_timestamp_seconds", "When this file was written.");
    fprintf(out, PREFIX "written_timestamp_seconds %" PRId64 "\n", metrics->now_s);
    return fflush(out) == 0 && !ferror(out);
}
