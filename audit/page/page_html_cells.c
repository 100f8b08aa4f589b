/* page_html_cells: text, tables and cells of the HTML page; see page_html.h. */
#include <inttypes.h>
#include <string.h>

#include "audit/page/page_html.h"

static void write_octet(FILE *out, char octet)
{
    switch (octet) {
    case '&':
        fputs("&amp;", out);
        break;
    case '<':
        fputs("&lt;", out);
        break;
    case '>':
        fputs("&gt;", out);
        break;
    case '"':
        fputs("&quot;", out);
        break;
    case '\'':
        fputs("&#39;", out);
        break;
    default:
        fputc(octet, out);
    }
}

void html_text(FILE *out, const char *text)
{
    char room[PAGE_TEXT_MAX];

    for (const char *c = page_printable(room, text); *c != '\0'; c++)
        write_octet(out, *c);
}

/* A line may be broken after the dots of a name. */
static void write_heading(FILE *out, const char *name)
{
    char room[PAGE_TEXT_MAX];

    for (const char *c = page_printable(room, name); *c != '\0'; c++) {
        write_octet(out, *c);
        if (*c == '.')
            fputs("<wbr>", out);
    }
}

void html_table(FILE *out, const char *caption, const char *in, const struct html_column *columns,
                size_t count)
{
    fprintf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n<table",
            caption);
    if (in != NULL)
        fprintf(out, " data-in=\"%s\"", in);
    fprintf(out, ">\n<caption>%s</caption>\n<thead><tr>", caption);
    for (size_t i = 0; i < count; i++) {
        fputs("<th scope=\"col\"", out);
        if (columns[i].number)
            fputs(" class=\"n\"", out);
        if (columns[i].is != NULL)
            fprintf(out, " data-is=\"%s\"", columns[i].is);
        fprintf(out, ">%s</th>", columns[i].title);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

void html_table_end(FILE *out)
{
    fputs("</tbody>\n</table>\n</div>\n", out);
}

void html_row(FILE *out, const char *title, const char *key, const char *swatch)
{
    fputs("<tr", out);
    if (key != NULL) {
        fputs(" data-key=\"", out);
        html_text(out, key);
        fputc('"', out);
    }
    fputs("><th scope=\"row\">", out);
    if (swatch != NULL)
        fprintf(out,
                "<svg class=\"swatch\" viewBox=\"0 0 1 1\" aria-hidden=\"true\"><rect class=\"%s\" "
                "width=\"1\" height=\"1\"/></svg>",
                swatch);
    write_heading(out, title);
    fputs("</th>", out);
}

void html_number(FILE *out, uint64_t number)
{
    char figure[PAGE_FIGURE_MAX];

    fprintf(out, "<td class=\"n\" data-n=\"%" PRIu64 "\">%s</td>", number,
            page_grouped(figure, number));
}

void html_share(FILE *out, uint64_t part, uint64_t whole)
{
    char figure[PAGE_FIGURE_MAX];

    fputs("<td class=\"n\">", out);
    html_text(out, page_percent(figure, part, whole));
    fputs("</td>", out);
}

void html_cell(FILE *out, const char *text)
{
    fputs("<td>", out);
    html_text(out, text);
    fputs("</td>", out);
}

void html_words(FILE *out, const char *text)
{
    fputs("<td class=\"words\">", out);
    html_text(out, text);
    fputs("</td>", out);
}

void html_part(FILE *out, uint64_t part, uint64_t whole, const char *colour)
{
    fprintf(out,
            "<td class=\"bar\"><svg viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" "
            "aria-hidden=\"true\"><rect class=\"%s\" width=\"%.2f\" height=\"1\"/></svg></td>",
            colour, whole == 0 ? 0 : 100.0 * (double)part / (double)whole);
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
                    tally_level_name((enum tally_level)i), at, width);
        at += width;
    }
    fputs("</svg></td>", out);
}
