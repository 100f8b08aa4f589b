/* metrics_text: see metrics_text.h. */
#include "daemon/metrics/metrics_text.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/metrics/metrics_table.h"

static const char *const kinds[] = {
    [METRICS_COUNTER] = "counter", [METRICS_GAUGE] = "gauge", [METRICS_HISTOGRAM] = "histogram"};

static void write_value(struct buf *out, uint64_t value, unsigned decimals)
{
    uint64_t unit = 1;

    for (unsigned i = 0; i < decimals; i++)
        unit *= 10;
    buf_addf(out, " %" PRIu64, value / unit);
    if (decimals > 0)
        buf_addf(out, ".%0*" PRIu64, (int)decimals, value % unit);
    buf_adds(out, "\n");
}

static void write_number(struct buf *out, const struct metrics_family *family,
                         const struct metrics_numbers *numbers, unsigned index)
{
    buf_addf(out, "mxcryptd_%s", family->name);
    if (family->label != NULL)
        buf_addf(out, "{%s=\"%s\"}", family->label, family->value(index));
    write_value(out, metrics_number(family, numbers, index), family->decimals);
}

static void write_histogram(struct buf *out, const struct metrics_family *family,
                            const struct metrics_numbers *numbers, unsigned index)
{
    const char *label = family->label, *value = family->value(index);
    struct histogram histogram;
    uint64_t count = 0;

    memcpy(&histogram, (const char *)numbers + family->offset + index * family->size,
           sizeof histogram);
    for (unsigned bucket = 0; bucket <= HISTOGRAM_BOUNDS; bucket++) {
        count += histogram.buckets[bucket];
        buf_addf(out, "mxcryptd_%s_bucket{%s=\"%s\",le=\"%s\"} %" PRIu64 "\n", family->name, label,
                 value, histogram_bound(bucket), count);
    }
    buf_addf(out, "mxcryptd_%s_sum{%s=\"%s\"}", family->name, label, value);
    write_value(out, histogram.sum_ns, 9);
    buf_addf(out, "mxcryptd_%s_count{%s=\"%s\"} %" PRIu64 "\n", family->name, label, value, count);
}

void metrics_text_write(struct buf *out, const struct metrics_numbers *numbers)
{
    const struct metrics_family *family;

    for (size_t i = 0; (family = metrics_family_at(i)) != NULL; i++) {
        if (family->name == NULL)
            continue;
        buf_addf(out, "# HELP mxcryptd_%s %s\n# TYPE mxcryptd_%s %s\n", family->name, family->help,
                 family->name, kinds[family->kind]);
        for (unsigned j = 0; j < family->count; j++)
            (family->kind == METRICS_HISTOGRAM ? write_histogram : write_number)(out, family,
                                                                                 numbers, j);
    }
}
