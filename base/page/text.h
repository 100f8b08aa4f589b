/* text: what the pages for a terminal share. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Whether `out` is a terminal that can write in bold. */
bool text_is_terminal(FILE *out);
void text_heading(FILE *out, bool bold, const char *words);
/* Running text after `label`, broken at blanks; further lines begin below its first word. */
void text_paragraph(FILE *out, const char *label, const char *words);
/* A foreign text, on lines of its own; nothing for none. */
void text_quote(FILE *out, const char *label, const char *foreign);
