/* html: see html.h. */
#include "base/page/html.h"

#include <inttypes.h>

#include "base/page/page_assets.h"

#define WHEN "%Y-%m-%d %H:%M"

/* ---- text ---- */

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

/* ---- the page ---- */

void html_head(FILE *out, const char *title)
{
    fprintf(out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
            "style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta name=\"color-scheme\" content=\"light dark\">\n"
            "<meta name=\"referrer\" content=\"no-referrer\">\n"
            "<meta name=\"robots\" content=\"noindex\">\n"
            "<meta name=\"generator\" content=\"mxcrypt %s\">\n<title>",
            page_css_hash, page_js_hash, MXC_VERSION);
    html_text(out, title);
    fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n", page_css);
}

void html_card(FILE *out, const char *title, const char *figure, const char *words)
{
    fprintf(out, "<article><h2>%s</h2><p class=\"figure\">", title);
    html_text(out, figure);
    fputs("</p><p>", out);
    html_text(out, words);
    fputs("</p></article>\n", out);
}

void html_total(FILE *out, const char *title, const char *is, uint64_t number)
{
    char figure[PAGE_FIGURE_MAX];

    fprintf(out, "<div><dt>%s</dt><dd data-is=\"%s\" data-n=\"%" PRIu64 "\">%s</dd></div>\n", title,
            is, number, page_grouped(figure, number));
}

void html_remarks(FILE *out, const char *const *remarks)
{
    if (remarks == NULL || *remarks == NULL)
        return;
    fputs("<section>\n<h2>Remarks</h2>\n<ul>\n", out);
    for (; *remarks != NULL; remarks++) {
        fputs("<li>", out);
        html_text(out, *remarks);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n</section>\n", out);
}

void html_end(FILE *out, int64_t now, const char *words)
{
    char when[PAGE_FIGURE_MAX], utc[PAGE_FIGURE_MAX];

    fprintf(out,
            "</main>\n<footer><p>Written by mxcrypt %s on <time datetime=\"%s\">%s</time>. %s"
            "</p></footer>\n",
            MXC_VERSION, page_utc(utc, now), page_local(when, WHEN " %Z", now), words);
    fprintf(out, "<script>%s</script>\n</body>\n</html>\n", page_js);
}

/* ---- tables ---- */

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
