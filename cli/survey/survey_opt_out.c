/* survey_opt_out: who does not want to be asked; see survey_command.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/net/hostname.h"
#include "cli/survey/survey_command.h"

#define LINE_MAX_OCTETS 1024
#define SHOWN_MAX       200
#define BLANKS          " \t\r"

/* What is added to the filter. */
struct opt_outs {
    struct arena *arena; /* borrowed */
    struct ip_prefix *prefixes;
    const char **names;
    size_t prefix_count, name_count, count; /* count: read from the file */
};

/* Room for what probe-exclude has, and for a whole file. */
static bool begin_opt_outs(struct opt_outs *out, struct arena *arena,
                           const struct address_filter *filter)
{
    *out = (struct opt_outs){.arena = arena,
                             .prefix_count = filter->excluded_count,
                             .name_count = filter->excluded_name_count};
    out->prefixes = arena_array(arena, filter->excluded_count + OPT_OUT_MAX, sizeof *out->prefixes);
    out->names = arena_array(arena, filter->excluded_name_count + OPT_OUT_MAX, sizeof *out->names);
    if (arena_failed(arena))
        return false;
    for (size_t i = 0; i < filter->excluded_count; i++)
        out->prefixes[i] = filter->excluded[i];
    for (size_t i = 0; i < filter->excluded_name_count; i++)
        out->names[i] = filter->excluded_names[i];
    return true;
}

/* Takes one entry; false for what is none. */
static bool take_entry(struct opt_outs *out, const char *entry)
{
    const char *name = entry[0] == '.' ? entry + 1 : entry;
    char *copy;

    if (ip_prefix_parse(&out->prefixes[out->prefix_count], entry)) {
        out->prefix_count++;
        return true;
    }
    if (!hostname_valid(name, strlen(name), HOSTNAME_UNDERSCORE))
        return false;
    copy = arena_strdup(out->arena, entry);
    if (copy == NULL)
        return false;
    hostname_fold(copy, strlen(copy));
    out->names[out->name_count++] = copy;
    return true;
}

/* The entry of a line, without comment; NULL: none. */
static char *entry_of(char *line)
{
    char *rest = line, *entry;

    line[strcspn(line, "#")] = '\0';
    entry = strtok_r(rest, BLANKS, &rest);
    return entry;
}

static int read_opt_outs(struct opt_outs *out, FILE *file, const char *path)
{
    char line[LINE_MAX_OCTETS + 1], shown[SHOWN_MAX];
    unsigned number = 0;
    ssize_t length;

    while ((length = file_line(line, sizeof line - 1, file)) >= 0) {
        char *entry;

        line[length] = '\0';
        number++;
        entry = entry_of(line);
        if (entry == NULL)
            continue;
        if (++out->count > OPT_OUT_MAX) {
            fprintf(stderr, "mxcrypt: %s: more than %d entries\n", path, OPT_OUT_MAX);
            return CLI_DATA;
        }
        if (!take_entry(out, entry)) {
            fprintf(stderr, "mxcrypt: %s: line %u: neither address, prefix, host nor .domain: %s\n",
                    path, number, escape_bytes(shown, sizeof shown, entry, strlen(entry)));
            return CLI_DATA;
        }
    }
    return CLI_OK;
}

int survey_opt_out(struct survey_command *survey, const char *path)
{
    struct address_filter *filter = &survey->prober.filter;
    struct opt_outs outs;
    FILE *file = fopen(path, "r");
    int status;

    if (file == NULL) {
        fprintf(stderr, "mxcrypt: %s: %s\n", path, strerror(errno));
        return CLI_USAGE;
    }
    if (begin_opt_outs(&outs, survey->arena, filter)) {
        status = read_opt_outs(&outs, file, path);
    } else {
        fputs("mxcrypt: no memory\n", stderr);
        status = CLI_INTERNAL;
    }
    fclose(file);
    filter->excluded = outs.prefixes;
    filter->excluded_count = outs.prefix_count;
    filter->excluded_names = outs.names;
    filter->excluded_name_count = outs.name_count;
    filter->excludes_policy_hosts = true;
    return status;
}
