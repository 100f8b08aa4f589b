/*
 * page_html_chart: the charts of the HTML page, as SVG; see page_html.h.
 *
 * A chart is stretched to the width of its place, so that no text is in it: what stands at its axes
 * is HTML. Each bar has a title, which browsers show under the pointer. For those who cannot see it
 * the chart has a name, and the table that follows has the numbers.
 */
#include <inttypes.h>

#include "audit/page/page_html.h"

#define DAY    "%Y-%m-%d"
#define STEP   10 /* units of width of a bar with its gap */
#define BAR    9
#define HEIGHT 100

static const char *level_class(int level)
{
    return tally_level_name((enum tally_level)level);
}

void html_levels(FILE *out, const uint32_t levels[TALLY_LEVEL_COUNT])
{
    uint64_t all = page_encrypted(levels) + levels[TALLY_NONE] + levels[TALLY_UNKNOWN];
    double at = 0;

    fputs("<td class=\"bar\"><svg viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" "
          "aria-hidden=\"true\">",
          out);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++) {
        double width = all == 0 ? 0 : 100.0 * (double)levels[i] / (double)all;

        if (levels[i] > 0)
            fprintf(out, "<rect class=\"%s\" x=\"%.2f\" width=\"%.2f\" height=\"1\"/>",
                    level_class(i), at, width);
        at += width;
    }
    fputs("</svg></td>", out);
}

void html_wide_bar(FILE *out, const uint32_t levels[TALLY_LEVEL_COUNT])
{
    uint64_t all = page_encrypted(levels) + levels[TALLY_NONE] + levels[TALLY_UNKNOWN];
    char percent[PAGE_FIGURE_MAX];
    double at = 0;

    if (all == 0)
        return;
    fputs("<svg class=\"wide\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" role=\"img\" "
          "aria-label=\"Share of the levels; the numbers are in the table\">",
          out);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++) {
        double width = 100.0 * (double)levels[i] / (double)all;

        if (levels[i] == 0)
            continue;
        fprintf(out, "<rect class=\"%s\" x=\"%.3f\" width=\"%.3f\" height=\"1\"><title>%s: ",
                level_class(i), at, width, level_class(i));
        html_text(out, page_percent(percent, levels[i], all));
        fputs("</title></rect>", out);
        at += width;
    }
    fputs("</svg>\n", out);
}

static void write_span_title(FILE *out, const struct page_span *span)
{
    uint64_t sent = span->statuses[TALLY_SENT];
    char day[PAGE_FIGURE_MAX], percent[PAGE_FIGURE_MAX];

    fprintf(out, "<title>%s", page_local(day, DAY, span->from));
    if (span->days > 1)
        fprintf(out, " and %u days more", span->days - 1);
    fprintf(out, ": %" PRIu64 " sent", sent);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++) {
        if (span->levels[i] == 0)
            continue;
        fprintf(out, "\n%s: %" PRIu32 ", ", level_class(i), span->levels[i]);
        html_text(out, page_percent(percent, span->levels[i], sent));
    }
    fputs("</title>", out);
}

/* The levels of a span on each other, the best at the bottom; `whole` is as high as the chart. */
static void write_column(FILE *out, const struct page_span *span, size_t index, uint64_t whole)
{
    double top = HEIGHT;

    fputs("<g>", out);
    write_span_title(out, span);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++) {
        double height = (double)HEIGHT * (double)span->levels[i] / (double)whole;

        top -= height;
        if (span->levels[i] > 0)
            fprintf(out, "<rect class=\"%s\" x=\"%zu\" y=\"%.2f\" width=\"%d\" height=\"%.2f\"/>",
                    level_class(i), index * STEP, top, BAR, height);
    }
    fputs("</g>\n", out);
}

static void write_plot(FILE *out, const char *kind, const char *name, const struct page_span *spans,
                       size_t count, uint64_t whole)
{
    fprintf(out,
            "<svg class=\"%s\" viewBox=\"0 0 %zu %d\" preserveAspectRatio=\"none\" role=\"img\" "
            "aria-label=\"%s\">\n",
            kind, count * STEP - (STEP - BAR), HEIGHT, name);
    for (size_t i = 0; i < count; i++) {
        uint64_t sent = page_encrypted(spans[i].levels) + spans[i].levels[TALLY_NONE] +
                        spans[i].levels[TALLY_UNKNOWN];

        if (sent > 0)
            write_column(out, &spans[i], i, whole == 0 ? sent : whole);
    }
    fputs("</svg>\n", out);
}

static void write_legend(FILE *out)
{
    fputs("<ul class=\"legend\" aria-hidden=\"true\">", out);
    for (int i = 0; i < TALLY_LEVEL_COUNT; i++)
        fprintf(out,
                "<li><svg class=\"swatch\" viewBox=\"0 0 1 1\"><rect class=\"%s\" width=\"1\" "
                "height=\"1\"/></svg>%s</li>",
                level_class(i), level_class(i));
    fputs("</ul>\n", out);
}

void html_time_chart(FILE *out, const struct page_span *spans, size_t count)
{
    char figure[PAGE_FIGURE_MAX], first[PAGE_FIGURE_MAX], last[PAGE_FIGURE_MAX];
    uint64_t most = 0;

    for (size_t i = 0; i < count; i++) {
        if (spans[i].statuses[TALLY_SENT] > most)
            most = spans[i].statuses[TALLY_SENT];
    }
    if (most == 0)
        return;
    write_legend(out);
    fputs("<div class=\"chart\">\n"
          "<p class=\"axis\" aria-hidden=\"true\"><span>100 %</span><span>50 %</span>"
          "<span>0</span></p>\n",
          out);
    write_plot(out, "shares", "Share of each level over time; the numbers are in the table", spans,
               count, 0);
    fprintf(out, "<p class=\"axis\" aria-hidden=\"true\"><span>%s</span><span>sent</span></p>\n",
            page_grouped(figure, most));
    write_plot(out, "volume", "Deliveries sent over time; the numbers are in the table", spans,
               count, most);
    fprintf(out,
            "<p class=\"dates\" aria-hidden=\"true\"><span>%s</span><span>%s</span></p>\n</div>\n",
            page_local(first, DAY, spans[0].from), page_local(last, DAY, spans[count - 1].from));
}
