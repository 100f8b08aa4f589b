/*
 * survey_names: the names of a survey from a file, standard input, or the JSON of `mxcrypt audit`,
 * into the results file. A list is read line by line, so that its length does not matter; an audit
 * is read whole.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/progress.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/net/hostname.h"
#include "cli/survey/survey_command.h"
#include "survey/names.h"

#define BATCH     10000 /* names in one transaction */
#define BAD_SHOWN 5     /* lines that are no domain, on the terminal */
#define SHOWN_MAX 200

struct reading {
    struct survey_command *survey;
    struct progress progress;
    int64_t lines, names, bad, repeated, opted_out;
    bool failed;
};

static bool is_opted_out(const struct survey_command *survey, const char *name)
{
    const struct address_filter *filter = &survey->prober.filter;
    const struct ip nowhere = {0};
    const struct address_filter names = {.excluded_names = filter->excluded_names,
                                         .excluded_name_count = filter->excluded_name_count};

    return address_filter_excludes(&names, &nowhere, name);
}

static void add_name(struct reading *reading, const char *name, int64_t weight)
{
    struct survey_command *survey = reading->survey;
    bool is_new = false;

    if (is_opted_out(survey, name)) {
        reading->opted_out++;
        return;
    }
    reading->failed |= !results_add_domain(survey->results, name, weight, &is_new);
    reading->names += is_new;
    reading->repeated += !is_new;
    if (reading->lines++ % BATCH != BATCH - 1)
        return;
    if (survey->sample > 0)
        reading->failed |= !results_sample(survey->results, survey->sample);
    reading->failed |= !results_commit(survey->results);
    progress_show(&reading->progress, (uint64_t)reading->names, 0);
}

static void bad_line(struct reading *reading, const char *line, size_t length)
{
    char shown[SHOWN_MAX];

    reading->bad++;
    if (reading->bad > BAD_SHOWN)
        return;
    progress_clear(&reading->progress);
    fprintf(stderr, "mxcrypt: no domain: %s\n", escape_bytes(shown, sizeof shown, line, length));
}

/* ---- a list ---- */

static int read_list(struct reading *reading, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    char line[NAMES_LINE_MAX + 1]; /* one more: a longer line is seen to be longer */
    struct name_line name;
    ssize_t length;
    int status = CLI_OK;

    if (file == NULL) {
        fprintf(stderr, "mxcrypt: %s: %s\n", path, strerror(errno));
        return CLI_USAGE;
    }
    while (!reading->failed && (length = file_line(line, sizeof line, file)) >= 0) {
        enum names_line kind = names_read(&name, line, (size_t)length);

        if (kind == NAMES_DOMAIN)
            add_name(reading, name.name, name.weight);
        else if (kind == NAMES_BAD)
            bad_line(reading, line, (size_t)length);
    }
    if (ferror(file)) {
        fprintf(stderr, "mxcrypt: %s: %s\n", path, strerror(errno));
        status = CLI_DATA;
    }
    if (file != stdin)
        fclose(file);
    return status;
}

/* ---- an audit ---- */

static void add_audited(struct reading *reading, const json_t *domain)
{
    const char *name = string_of(domain, "name");
    int64_t weight = number_of(domain, "messages");
    struct name_line line;

    if (names_read(&line, name, strlen(name)) != NAMES_DOMAIN) {
        bad_line(reading, name, strlen(name));
        return;
    }
    if (weight > NAMES_WEIGHT_MAX)
        weight = NAMES_WEIGHT_MAX;
    add_name(reading, line.name, weight < 0 ? 0 : weight);
}

static int read_audit(struct reading *reading, const char *path)
{
    json_error_t error;
    json_t *audit = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *domain;
    json_t *domains = json_object_get(audit, "domains");
    size_t i;

    if (!json_is_array(domains)) {
        char shown[SHOWN_MAX];

        fprintf(stderr, "mxcrypt: %s: not what mxcrypt --json audit writes: %s\n", path,
                audit == NULL ? escape_bytes(shown, sizeof shown, error.text, strlen(error.text))
                              : "it has no list of domains");
        json_decref(audit);
        return CLI_DATA;
    }
    json_array_foreach(domains, i, domain)
    {
        if (!reading->failed)
            add_audited(reading, domain);
    }
    json_decref(audit);
    return CLI_OK;
}

/* ---- both ---- */

static void say_counts(const struct reading *reading)
{
    fprintf(stderr, "mxcrypt: %" PRId64 " domains", reading->names);
    if (reading->repeated > 0)
        fprintf(stderr, ", %" PRId64 " more line%s", reading->repeated,
                reading->repeated == 1 ? " that repeats one" : "s that repeat one");
    if (reading->bad > 0)
        fprintf(stderr, ", %" PRId64 " line%s no domain", reading->bad,
                reading->bad == 1 ? " that is" : "s that are");
    if (reading->opted_out > 0)
        fprintf(stderr, ", %" PRId64 " opted out", reading->opted_out);
    fputc('\n', stderr);
}

int survey_read_names(struct survey_command *survey)
{
    const char *audit = survey->cli->survey.from_audit;
    struct reading reading = {.survey = survey};
    int status;

    progress_begin(&reading.progress, stderr);
    reading.progress.unit = "domains";
    status = audit != NULL ? read_audit(&reading, audit) : read_list(&reading, survey->list);
    progress_clear(&reading.progress);
    if (status != CLI_OK)
        return status;
    if (survey->sample > 0)
        reading.failed |= !results_sample(survey->results, survey->sample);
    survey->run.names = reading.names;
    survey->run.lines_bad = reading.bad;
    survey->run.names_read = true;
    if (reading.failed || !results_set_run(survey->results, &survey->run) ||
        !results_commit(survey->results)) {
        fprintf(stderr, "mxcrypt: %s\n", results_error(survey->results));
        return CLI_CANNOT_WRITE;
    }
    survey->run = *results_run(survey->results);
    say_counts(&reading);
    return CLI_OK;
}
