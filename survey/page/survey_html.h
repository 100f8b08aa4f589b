/*
 * survey_html: what the parts of the survey's HTML pages share, beside base/page/html.h. The rules of
 * that file hold: a number that is also in the JSON has data-n, and data-in, data-key and data-is say
 * where it is there. The key of a row of a list is its place, from 0.
 */
#pragma once

#include "base/page/html.h"
#include "survey/page/survey_page.h"

/* The class that gives a key of a figure its colour; "unknown" for one that has none. Static. */
const char *survey_colour(const char *figure, const char *key);
bool survey_has_colours(const char *figure);

/* A table of a figure, by its kind; nothing of one without rows. */
void survey_html_figure(FILE *out, const struct survey_page *page, const char *name);
/* Title and words of a figure, then its table. */
void survey_html_titled(FILE *out, const struct survey_page *page, const char *name);
/* A number that is in the JSON as a sum. */
void survey_html_total(FILE *out, const struct figure_data *data, size_t column);
void survey_html_definitions(FILE *out);

/* Three bars of a figure of shares: by domains, by operators, by weight. */
void survey_html_bars(FILE *out, const struct survey_page *page, const struct figure_data *data);
/* Bands from the levels before, at the left, to those of now. */
void survey_html_flows(FILE *out, const struct figure_data *flows);
