/*
 * survey_html_chart: the charts of the survey's HTML pages, as SVG; see survey_html.h.
 *
 * A chart is stretched to the width of its place, so that no text is in it. Its parts have titles,
 * which browsers show under the pointer; for those who cannot see it the chart has a name, and the
 * table that follows has the numbers.
 */
#include <string.h>

#include "survey/page/survey_html.h"

#define GAP 2.0 /* between levels, of 100 */

/* Nothing foreign becomes a class. */
static const struct {
    const char *figure, *key, *colour;
} colours[] = {
    {"levels", "dane-only", "verified"},
    {"levels", "secure", "trusted"},
    {"levels", "verify", "checked"},
    {"levels", "dane", "anonymous"},
    {"levels", "encrypt", "untrusted"},
    {"levels", "notfound", "none"},
    {"levels", "temp", "stop"},
    {"starttls", "verified", "verified"},
    {"starttls", "tls", "untrusted"},
    {"starttls", "partly", "kept"},
    {"starttls", "clear", "none"},
    {"starttls", "refused", "stop"},
    {"dane", "full", "verified"},
    {"dane", "mixed", "trusted"},
    {"dane", "unusable", "kept"},
    {"dane", "unsigned", "anonymous"},
    {"dane", "error", "stop"},
    {"mta_sts", "enforce", "verified"},
    {"mta_sts", "testing", "untrusted"},
    {"mta_sts", "none", "anonymous"},
    {"mta_sts", "bad-record", "kept"},
    {"mta_sts", "dns-error", "stop"},
    {"mta_sts", "fetch-failed", "none"},
    {"mta_sts", "bad-policy", "kept"},
    {"enforcing", "all-meet", "verified"},
    {"enforcing", "some-fail", "kept"},
    {"enforcing", "all-fail", "none"},
    {"enforcing", "temp", "stop"},
    {"enforcing", "no-demand", "untrusted"},
    {"tlsrpt", "valid", "verified"},
    {"tlsrpt", "invalid", "kept"},
    {"tlsrpt", "error", "stop"},
};

const char *survey_colour(const char *figure, const char *key)
{
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
        if (strcmp(colours[i].figure, figure) == 0 && strcmp(colours[i].key, key) == 0)
            return colours[i].colour;
    }
    return "unknown";
}

bool survey_has_colours(const char *figure)
{
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
        if (strcmp(colours[i].figure, figure) == 0)
            return true;
    }
    return false;
}

/* ---- shares ---- */

static void write_bar(FILE *out, const struct survey_page *page, const struct figure_data *data,
                      enum survey_way way)
{
    double at = 0;

    fprintf(out,
            "<svg class=\"wide\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" role=\"img\" "
            "aria-label=\"%s by %s; the numbers are in the table\">",
            data->figure->title, survey_way_name(way));
    for (size_t i = 0; i < data->row_count; i++) {
        struct survey_share share = survey_share(page, data, i, way);
        char room[PAGE_TEXT_MAX], percent[PAGE_FIGURE_MAX];
        const char *key = survey_key(room, data, i);

        if (share.part <= 0)
            continue;
        fprintf(out, "<rect class=\"%s\" x=\"%.3f\" width=\"%.3f\" height=\"1\"><title>",
                survey_colour(data->figure->name, key), at, 100 * share.share);
        html_text(out, key);
        fputs(": ", out);
        html_text(out, survey_percent(percent, &share));
        fputs("</title></rect>", out);
        at += 100 * share.share;
    }
    fputs("</svg>\n", out);
}

void survey_html_bars(FILE *out, const struct survey_page *page, const struct figure_data *data)
{
    static const char *const titles[SURVEY_WAYS] = {"Domains", "Operators", "Weight"};

    if (data->row_count == 0)
        return;
    fputs("<div class=\"bars\">\n", out);
    for (enum survey_way way = 0; way < SURVEY_WAYS; way++) {
        fprintf(out, "<span aria-hidden=\"true\">%s</span>", titles[way]);
        write_bar(out, page, data, way);
    }
    fputs("</div>\n", out);
}

/* ---- flows ---- */

/* The best is on top; no-mail is the last. */
static const char *const places[] = {"dane-only", "secure",   "verify", "dane",
                                     "encrypt",   "notfound", "temp",   "no-mail"};
#define PLACES (sizeof places / sizeof *places)

struct flow_chart {
    double flow[PLACES][PLACES]; /* domains, from before to now */
    double was[PLACES], now[PLACES], all;
};

static size_t place_of(const char *level)
{
    size_t i = 0;

    while (i < PLACES && (level == NULL || strcmp(places[i], level) != 0))
        i++;
    return i;
}

static void add_flows(struct flow_chart *chart, const struct figure_data *flows)
{
    for (size_t i = 0; i < flows->row_count; i++) {
        size_t from = place_of(figure_at(flows, i, "was").text);
        size_t to = place_of(figure_at(flows, i, "now").text);
        double domains = figure_number(flows, i, "domains");

        if (from == PLACES || to == PLACES || !(domains > 0))
            continue;
        chart->flow[from][to] += domains;
        chart->was[from] += domains;
        chart->now[to] += domains;
        chart->all += domains;
    }
}

/* The height of so many domains, of 100 without the gaps. */
static double height_of(const struct flow_chart *chart, double domains)
{
    return (100 - GAP * (PLACES - 1)) * domains / chart->all;
}

/* A band from one side to the other, in the colour of where it comes from. */
static void write_band(FILE *out, const struct flow_chart *chart, size_t from, size_t to,
                       double left, double right)
{
    double domains = chart->flow[from][to], high = height_of(chart, domains);
    char figure[PAGE_FIGURE_MAX];

    fprintf(out,
            "<path class=\"%s%s\" d=\"M3 %.3fC50 %.3f 50 %.3f 97 %.3fV%.3fC50 %.3f 50 %.3f 3 "
            "%.3fZ\"><title>%s to %s: %s</title></path>",
            survey_colour("levels", places[from]), from == to ? " same" : "", left, left, right,
            right, right + high, right + high, left + high, left + high, places[from], places[to],
            page_grouped(figure, (uint64_t)domains));
}

static void write_side(FILE *out, const struct flow_chart *chart, const double sums[PLACES], int x)
{
    double top = 0;
    char figure[PAGE_FIGURE_MAX];

    for (size_t i = 0; i < PLACES; i++) {
        double high = height_of(chart, sums[i]);

        if (sums[i] > 0)
            fprintf(out,
                    "<rect class=\"%s\" x=\"%d\" y=\"%.3f\" width=\"3\" height=\"%.3f\"><title>%s: "
                    "%s</title></rect>",
                    survey_colour("levels", places[i]), x, top, high, places[i],
                    page_grouped(figure, (uint64_t)sums[i]));
        top += high + GAP;
    }
}

static void write_bands(FILE *out, const struct flow_chart *chart)
{
    double right[PLACES], top = 0, left = 0;

    for (size_t i = 0; i < PLACES; i++) {
        right[i] = top;
        top += height_of(chart, chart->now[i]) + GAP;
    }
    for (size_t from = 0; from < PLACES; from++) {
        double at = left;

        for (size_t to = 0; to < PLACES; to++) {
            if (chart->flow[from][to] > 0)
                write_band(out, chart, from, to, at, right[to]);
            at += height_of(chart, chart->flow[from][to]);
            right[to] += height_of(chart, chart->flow[from][to]);
        }
        left += height_of(chart, chart->was[from]) + GAP;
    }
}

static void write_flow_legend(FILE *out, const struct flow_chart *chart)
{
    fputs("<ul class=\"legend\" aria-hidden=\"true\">", out);
    for (size_t i = 0; i < PLACES; i++) {
        if (chart->was[i] > 0 || chart->now[i] > 0)
            fprintf(out,
                    "<li><svg class=\"swatch\" viewBox=\"0 0 1 1\"><rect class=\"%s\" width=\"1\" "
                    "height=\"1\"/></svg>%s</li>",
                    survey_colour("levels", places[i]), places[i]);
    }
    fputs("</ul>\n", out);
}

void survey_html_flows(FILE *out, const struct figure_data *flows)
{
    struct flow_chart chart = {0};

    add_flows(&chart, flows);
    if (!(chart.all > 0))
        return;
    write_flow_legend(out, &chart);
    fputs("<p class=\"dates\" aria-hidden=\"true\"><span>Before</span><span>Now</span></p>\n"
          "<svg class=\"flows\" viewBox=\"0 0 100 100\" preserveAspectRatio=\"none\" role=\"img\" "
          "aria-label=\"Domains from level to level; the numbers are in the table\">\n",
          out);
    write_bands(out, &chart);
    write_side(out, &chart, chart.was, 0);
    write_side(out, &chart, chart.now, 97);
    fputs("</svg>\n", out);
}
