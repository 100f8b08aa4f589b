/*
 * exposition: a strict reader of Prometheus' text format 0.0.4, as far as this program uses it:
 * every family has HELP, TYPE and samples, in this order and together; counters end in _total and
 * nothing else does; no series comes twice; histograms are cumulative and end in +Inf.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EXPOSITION_SERIES_MAX 2000
#define EXPOSITION_NAME       "abcdefghijklmnopqrstuvwxyz_"

struct exposition_series {
    char text[200]; /* name and labels, as they stand there */
    char value[40];
};

struct exposition {
    struct exposition_series series[EXPOSITION_SERIES_MAX];
    size_t count, families;
    char family[100], kind[20], names[200][100];
    size_t samples;    /* of the family */
    uint64_t bucket;   /* the last one's value */
    char last_le[20];  /* its bound; "" none */
    double last_bound; /* as a number */
};

static void exposition_refuse(const char *line, const char *why)
{
    fail_msg("%s: %.*s", why, (int)strcspn(line, "\n"), line);
}

static void exposition_family_ends(struct exposition *out)
{
    if (out->family[0] != '\0' && out->samples == 0)
        fail_msg("no samples: %s", out->family);
    if (out->last_le[0] != '\0')
        fail_msg("a histogram without +Inf, sum and count: %s", out->family);
}

/* "# HELP name words" begins a family, "# TYPE name kind" must follow. */
static void exposition_comment(struct exposition *out, const char *line)
{
    char name[100], rest[400];

    if (sscanf(line, "# HELP %99[" EXPOSITION_NAME "] %399[^\n]", name, rest) == 2) {
        exposition_family_ends(out);
        for (size_t i = 0; i < out->families; i++)
            assert_string_not_equal(out->names[i], name);
        assert_true(out->families < 200);
        strcpy(out->names[out->families++], name);
        strcpy(out->family, name);
        out->kind[0] = '\0';
        out->samples = 0;
        if (strchr(rest, '\\') != NULL || rest[strlen(rest) - 1] != '.')
            exposition_refuse(line, "help is a sentence without escapes");
        return;
    }
    if (sscanf(line, "# TYPE %99[" EXPOSITION_NAME "] %19[a-z]", name, out->kind) != 2 ||
        strcmp(name, out->family) != 0 || out->samples > 0)
        exposition_refuse(line, "no HELP, and no TYPE that belongs to one");
    if (strcmp(out->kind, "counter") != 0 && strcmp(out->kind, "gauge") != 0 &&
        strcmp(out->kind, "histogram") != 0)
        exposition_refuse(line, "no such type");
    if ((strcmp(out->kind, "counter") == 0) !=
        (strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0))
        exposition_refuse(line, "counters end in _total, and nothing else does");
}

static bool exposition_value_is_good(const char *value)
{
    size_t whole = strspn(value, "0123456789"), part = 0;

    if (value[whole] == '.')
        part = strspn(value + whole + 1, "0123456789");
    return whole > 0 && (value[whole] == '\0' || (part > 0 && value[whole + 1 + part] == '\0'));
}

/* le="..." of a bucket: rising bounds, rising counts. */
static void exposition_bucket(struct exposition *out, const char *line, const char *labels,
                              const char *value)
{
    const char *le = strstr(labels, ",le=\"");
    char bound[20];
    uint64_t count = strtoull(value, NULL, 10);

    if (le == NULL || sscanf(le, ",le=\"%19[^\"]\"}", bound) != 1)
        exposition_refuse(line, "a bucket without bound");
    if (out->last_le[0] != '\0' && (count < out->bucket || strtod(bound, NULL) <= out->last_bound))
        exposition_refuse(line, "buckets are cumulative and their bounds rise");
    out->bucket = count;
    out->last_bound = strtod(bound, NULL);
    strcpy(out->last_le, bound);
}

static void exposition_histogram(struct exposition *out, const char *line, const char *suffix,
                                 const char *value)
{
    if (strncmp(suffix, "_bucket{", 8) == 0) {
        exposition_bucket(out, line, suffix + 7, value);
        return;
    }
    if (strcmp(out->last_le, "+Inf") != 0)
        exposition_refuse(line, "the last bucket is +Inf");
    if (strncmp(suffix, "_sum{", 5) == 0)
        return;
    if (strncmp(suffix, "_count{", 7) != 0)
        exposition_refuse(line, "no part of a histogram");
    assert_int_equal(strtoull(value, NULL, 10), out->bucket);
    out->last_le[0] = '\0';
}

static void exposition_labels(const char *line, const char *labels)
{
    while (*labels == '{' || *labels == ',') {
        size_t name = strspn(labels + 1, EXPOSITION_NAME), value;

        labels += 1 + name;
        if (name == 0 || strncmp(labels, "=\"", 2) != 0)
            exposition_refuse(line, "a label without name or value");
        value = strcspn(labels + 2, "\"\\\n");
        labels += 2 + value;
        if (value == 0 || *labels != '"')
            exposition_refuse(line, "the value of a label is empty, or needs escapes");
        labels++;
    }
    if (strcmp(labels, "}") != 0)
        exposition_refuse(line, "labels do not end");
}

static void exposition_sample(struct exposition *out, const char *line)
{
    struct exposition_series *series = &out->series[out->count];
    size_t name = strspn(line, EXPOSITION_NAME), family = strlen(out->family);
    const char *suffix = line + family;

    assert_true(out->count < EXPOSITION_SERIES_MAX);
    if (sscanf(line, "%199[^ \n] %39[^\n]", series->text, series->value) != 2 ||
        !exposition_value_is_good(series->value))
        exposition_refuse(line, "no name and value");
    if (out->kind[0] == '\0' || name < family || strncmp(line, out->family, family) != 0)
        exposition_refuse(line, "a sample without family");
    if (strcmp(out->kind, "histogram") == 0)
        exposition_histogram(out, line, suffix, series->value);
    else if (name != family)
        exposition_refuse(line, "a sample of another family");
    if (series->text[name] != '\0')
        exposition_labels(line, series->text + name);
    for (size_t i = 0; i < out->count; i++)
        if (strcmp(out->series[i].text, series->text) == 0)
            exposition_refuse(line, "twice");
    out->count++;
    out->samples++;
}

/* Reads all of `text`, or fails the test. */
static inline void exposition_read(struct exposition *out, const char *text)
{
    const char *line = text;

    memset(out, 0, sizeof *out);
    while (*line != '\0') {
        const char *end = strchr(line, '\n');

        if (end == NULL)
            exposition_refuse(line, "the last line does not end");
        if (*line == '#')
            exposition_comment(out, line);
        else
            exposition_sample(out, line);
        line = end + 1;
    }
    exposition_family_ends(out);
}

/* The value of a series, as it stands there; fails the test without one. */
static inline const char *exposition_get(const struct exposition *in, const char *series)
{
    for (size_t i = 0; i < in->count; i++)
        if (strcmp(in->series[i].text, series) == 0)
            return in->series[i].value;
    fail_msg("no series %s", series);
    return NULL;
}
