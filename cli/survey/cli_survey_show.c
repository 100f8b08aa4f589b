/* cli_survey_show: `mxcrypt survey show`; see mxcrypt(1), SURVEY. */
#include <stdio.h>
#include <string.h>

#include "base/page/page_figures.h"
#include "cli/survey/cli_survey.h"
#include "survey/page/survey_show.h"

#define ARENA_MAX ((size_t)64 << 20)

/* ", LABEL VALUE" of a member that is there. */
static void print_member(const json_t *object, const char *name, const char *label)
{
    const json_t *value = json_object_get(object, name);

    if (json_is_string(value))
        printf(", %s%s", label, json_string_value(value));
    else if (json_is_integer(value))
        printf(", %s%lld", label, (long long)json_integer_value(value));
}

static void print_time(const json_t *object, const char *name, const char *label)
{
    char utc[PAGE_FIGURE_MAX];

    if (json_is_integer(json_object_get(object, name)))
        printf(", %s%s", label, page_utc(utc, number_of(object, name)));
}

static void print_seen(const json_t *seen)
{
    printf("  %s %s", string_of(seen, "host"), string_of(seen, "ip"));
    print_time(seen, "looked_up", "asked ");
    print_member(seen, "sni", "by the name ");
    print_member(seen, "failure", "failed: ");
    print_member(seen, "protocol", "");
    print_member(seen, "cipher", "");
    printf("%s\n", number_of(seen, "opted_out") != 0 ? ", opted out" : "");
    if (*string_of(seen, "greeting") != '\0')
        printf("    greeting: %s\n", string_of(seen, "greeting"));
    if (*string_of(seen, "issuer") != '\0') {
        printf("    certificate by %s", string_of(seen, "issuer"));
        print_time(seen, "not_after", "expires ");
        print_member(seen, "key", "key ");
        print_member(seen, "signature", "");
        if (strcmp(string_of(seen, "chain_fault"), "none") != 0)
            print_member(seen, "chain_fault", "fault of the chain: ");
        putchar('\n');
    }
}

static void print_shown(const json_t *report)
{
    const json_t *recorded = json_object_get(report, "recorded"), *seen;
    size_t i;

    tree_print(report);
    fputs("\nRecorded", stdout);
    print_time(recorded, "looked_up", "looked up ");
    print_member(recorded, "weight", "weight ");
    print_member(recorded, "operator", "operator ");
    print_member(recorded, "tlsrpt", "TLSRPT ");
    print_member(recorded, "tlsrpt_rua", "");
    print_member(recorded, "mx_unmatched", "hosts that the policy does not cover: ");
    print_member(recorded, "error", "failed: ");
    print_member(recorded, "error_detail", "");
    putchar('\n');
    json_array_foreach(json_object_get(report, "seen"), i, seen) print_seen(seen);
}

static int show_domain(struct cli *cli, struct results *results, struct arena *arena)
{
    const char *file = cli->words[0], *name = cli->words[1];
    char room[PAGE_TEXT_MAX];
    json_t *report;

    switch (survey_show(&report, results, name, arena)) {
    case SHOWN:
        return cli_show(cli, report, print_shown, NULL);
    case SHOWN_NO_DOMAIN:
        fprintf(stderr, "mxcrypt: %s is not in %s\n", page_printable(room, name), file);
        return CLI_NO;
    case SHOWN_NOT_LOOKED_UP:
        fprintf(stderr, "mxcrypt: %s has not been looked up yet\n", page_printable(room, name));
        return CLI_NO;
    default:
        if (*results_error(results) != '\0')
            return cli_survey_failed(results);
        fputs("mxcrypt: no memory\n", stderr);
        return CLI_INTERNAL;
    }
}

int do_survey_show(struct cli *cli)
{
    struct arena *arena = arena_new(ARENA_MAX);
    struct results *results = cli_survey_open(cli->words[0]);
    int status = results == NULL ? CLI_DATA : CLI_INTERNAL;

    if (results != NULL && arena != NULL)
        status = show_domain(cli, results, arena);
    results_close(results);
    arena_free(arena);
    return status;
}
