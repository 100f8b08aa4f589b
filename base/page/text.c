/* text: see text.h. */
#include "base/page/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/page/page_figures.h"

#define LINE_MAX 78 /* columns of running text */

bool text_is_terminal(FILE *out)
{
    const char *name = getenv("TERM");
    int fd = fileno(out);

    return fd >= 0 && isatty(fd) && name != NULL && strcmp(name, "dumb") != 0;
}

void text_heading(FILE *out, bool bold, const char *words)
{
    fprintf(out, bold ? "\n\033[1m%s\033[0m\n" : "\n%s\n", words);
}

void text_paragraph(FILE *out, const char *label, const char *words)
{
    size_t indent = strlen(label), column = indent;

    fputs(label, out);
    while (*words != '\0') {
        size_t length = strcspn(words, " ");

        if (column > indent && column + 1 + length > LINE_MAX) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fwrite(words, 1, length, out);
        column += length;
        words += length + strspn(words + length, " ");
    }
    fputc('\n', out);
}

void text_quote(FILE *out, const char *label, const char *foreign)
{
    char room[PAGE_TEXT_MAX];

    if (foreign != NULL && *foreign != '\0')
        text_paragraph(out, label, page_printable(room, foreign));
}
