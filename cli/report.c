/*
 * report: `mxcrypt report`, what enforcing everything would change today; `mxcrypt rules`, the rules
 * and their effect; and `mxcrypt rules check`, what a new rules file would change. The daemon works
 * them out from its cache; here the lines are sorted and printed. See mxcrypt(1).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "cli/cli.h"
#include "policy/rules/rules.h"

#define LISTED_MAX  20    /* next-hops named on the page; --json has them all */
#define PART_OCTETS 16384 /* the daemon reads one in a turn of its loop */
#define BOM         "\xef\xbb\xbf"

static int by_key(const void *a, const void *b)
{
    return strcmp(string_of(*(const json_t *const *)a, "key"),
                  string_of(*(const json_t *const *)b, "key"));
}

/* The daemon lists in no order; without memory it stays that way. */
static void sort_by_key(json_t **array)
{
    size_t count = json_array_size(*array), i;
    json_t **lines = calloc(count + 1, sizeof *lines), *line, *sorted;

    if (lines == NULL)
        return;
    json_array_foreach(*array, i, line) lines[i] = line;
    qsort(lines, count, sizeof *lines, by_key);
    sorted = json_array();
    for (i = 0; i < count; i++)
        json_array_append(sorted, lines[i]);
    free(lines);
    json_decref(*array);
    *array = sorted;
}

/* ---- report ---- */

static bool stops_mail(const json_t *line)
{
    const char *forecast = string_of(line, "forecast");

    return strcmp(forecast, "defers") == 0 || strcmp(forecast, "bounces") == 0;
}

/* Under a policy list in testing mode, once its maker enforces it. */
static bool list_stops_mail(const json_t *line)
{
    const char *forecast = string_of(line, "list_forecast");

    return strcmp(forecast, "defers") == 0 || strcmp(forecast, "bounces") == 0;
}

static bool changes(const json_t *line)
{
    return strcmp(string_of(line, "told"), string_of(line, "enforced")) != 0;
}

/* A new array of those lines that are meant. */
static json_t *those_that(bool (*is_meant)(const json_t *line), const json_t *lines)
{
    json_t *those = json_array(), *line;
    size_t i;

    json_array_foreach(lines, i, line)
    {
        if (is_meant(line))
            json_array_append(those, line);
    }
    return those;
}

static void print_stopped(const json_t *stopped)
{
    const json_t *line;
    size_t i;

    printf("\nMail that would wait or come back: %zu next-hop%s", json_array_size(stopped),
           json_array_size(stopped) == 1 ? "" : "s");
    puts(json_array_size(stopped) > 0 ? "; mxcrypt explain says at which mail host" : "");
    json_array_foreach(stopped, i, line)
    {
        if (i == LISTED_MAX) {
            printf("  and %zu more: mxcrypt --json report\n", json_array_size(stopped) - i);
            break;
        }
        printf("  %-40s %s %s\n    %s: %s\n", string_of(line, "key"), string_of(line, "forecast"),
               is_true(line, "withheld") ? "once enforced" : "now", string_of(line, "level"),
               string_of(line, "why"));
    }
}

/* What policy lists do, where there are any. */
static void print_lists(const json_t *totals, const json_t *stopped)
{
    long long listed = number_of(totals, "listed"), testing = number_of(totals, "listed_testing");
    const json_t *line;
    size_t i;

    if (listed == 0 && testing == 0)
        return;
    printf(
        "\nPolicy lists answer for %lld next-hops; entries in testing mode would for %lld more.\n",
        listed, testing);
    if (json_array_size(stopped) > 0)
        puts("Enforced, mail to these would wait or come back:");
    json_array_foreach(stopped, i, line)
    {
        if (i == LISTED_MAX) {
            printf("  and %zu more: mxcrypt --json report\n", json_array_size(stopped) - i);
            break;
        }
        printf("  %-40s %s\n", string_of(line, "key"), string_of(line, "list_forecast"));
    }
}

static void print_report(const json_t *totals, const json_t *stopped, const json_t *list_stopped)
{
    printf("mode %s, rollout %lld %%; %lld next-hops with a verdict, %lld of them withheld\n\n",
           string_of(totals, "mode"), number_of(totals, "rollout"), number_of(totals, "nexthops"),
           number_of(totals, "withheld"));
    printf("%-12s %10s %10s\n", "verdict", "found", "told");
    for (int level = VERDICT_TEMP; level >= 0; level--) {
        const char *name = verdict_level_name((enum verdict_level)level);
        const json_t *counts = json_object_get(json_object_get(totals, "verdicts"), name);

        printf("%-12s %10lld %10lld\n", name, number_of(counts, "found"),
               number_of(counts, "told"));
    }
    printf("\nEnforcing all of it would change the answer for %lld next-hops.\n",
           number_of(totals, "would_change"));
    print_stopped(stopped);
    print_lists(totals, list_stopped);
    if (number_of(totals, "unsure") > 0)
        printf(
            "For %lld it is not known: no mail host was seen with TLS, or none with a certificate\n"
            "that a rule's match= is sure to accept.\n",
            number_of(totals, "unsure"));
}

int do_report(struct cli *cli)
{
    json_t *lines = json_array(), *stopped, *list_stopped, *totals;
    int status;

    totals = client_lines(cli, json_pack("{s:s, s:b}", "command", "report", "changes", cli->json),
                          lines, &status);
    sort_by_key(&lines);
    stopped = those_that(stops_mail, lines);
    list_stopped = those_that(list_stops_mail, lines);
    if (status == CLI_OK && cli->json) {
        json_object_set_new(totals, "would_change", those_that(changes, lines));
        json_object_set(totals, "would_stop", stopped);
        json_object_set(totals, "list_would_stop", list_stopped);
        print_json(totals);
    } else if (status == CLI_OK) {
        print_report(totals, stopped, list_stopped);
    }
    json_decref(totals);
    json_decref(stopped);
    json_decref(list_stopped);
    json_decref(lines);
    return status;
}

/* ---- rules ---- */

static void print_option(const json_t *rule, const char *name)
{
    if (*string_of(rule, name) != '\0')
        printf(" %s=%s", name, string_of(rule, name));
}

static void print_deeds(const json_t *rule)
{
    const json_t *today = json_object_get(rule, "today");
    long long nexthops = number_of(today, "nexthops"), withheld = number_of(today, "withheld");

    if (is_true(rule, "lapsed"))
        printf("has lapsed");
    else if (nexthops == 1)
        printf("now %s", string_of(rule, "told"));
    else if (nexthops > 0)
        printf("%lld next-hops, %lld of them answered otherwise than found", nexthops,
               number_of(today, "changed"));
    else
        printf("nobody cached");
    if (withheld > 0)
        printf(", %lld withheld", withheld);
}

static void print_rule(const json_t *rule)
{
    printf("%lld: %s %s", number_of(rule, "line"), string_of(rule, "pattern"),
           string_of(rule, "action"));
    if (*string_of(rule, "policy") != '\0')
        printf(" %s", string_of(rule, "policy"));
    print_option(rule, "until");
    print_option(rule, "ticket");
    fputs("\n    ", stdout);
    print_deeds(rule);
    putchar('\n');
}

int do_rules(struct cli *cli)
{
    json_t *rules = json_array(), *rule, *totals;
    int status;
    size_t i;

    totals = client_lines(cli, client_request("rules", NULL), rules, &status);
    json_array_foreach(rules, i, rule)
    {
        if (status == CLI_OK && !cli->json)
            print_rule(rule);
        json_object_del(rule, "told"); /* a help for print_rule */
    }
    if (status == CLI_OK && cli->json)
        print_json(rules);
    json_decref(totals);
    json_decref(rules);
    return status;
}

/* ---- rules check: the file ---- */

int read_rules(const struct cli *cli, const char *path, struct buf *text, struct rules **rules)
{
    char error[RULES_ERROR_MAX];
    bool valid = false;

    *rules = NULL;
    buf_init(text, RULES_TEXT_MAX + 1);
    if (file_read(text, path) != 0)
        snprintf(error, sizeof error, "%s", strerror(errno));
    else
        valid = rules_parse(rules, buf_text(text), text->length, cli->config.prober.smtp_port,
                            error) == 0;
    if (valid)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: %s: %s\n", path, error);
    return CLI_DATA;
}

/* Copies whole lines to `part`; gives the octets taken. Of a comment only the line's end is copied,
 * so that lines keep their numbers: the rest need not be UTF-8. */
static size_t fill_part(struct buf *part, const char *text, size_t length)
{
    size_t taken = 0;

    while (taken < length && part->length < PART_OCTETS) {
        const char *line = text + taken, *end = memchr(line, '\n', length - taken);
        size_t octets = end == NULL ? length - taken : (size_t)(end - line);

        if (line[strspn(line, " \t")] != '#')
            buf_add(part, line, octets);
        if (end != NULL)
            buf_adds(part, "\n");
        taken += octets + (end != NULL);
    }
    return taken;
}

/* Sends the text in parts, the last of which begins the check. The totals, or NULL after a message
 * with the exit status. */
static json_t *try_rules(struct cli *cli, const struct buf *text, json_t *lines, int *status)
{
    const char *rest = buf_text(text), *end = rest + text->length;
    json_t *request, *taken = NULL;
    struct buf part;
    bool more;

    if (strncmp(rest, BOM, strlen(BOM)) == 0)
        rest += strlen(BOM);
    buf_init(&part, PART_OCTETS + RULES_LINE_MAX + 1);
    do {
        buf_clear(&part);
        rest += fill_part(&part, rest, (size_t)(end - rest));
        more = rest < end;
        request = json_pack("{s:s, s:s%, s:b}", "command", "rules-check", "text", buf_text(&part),
                            part.length, "more", (int)more);
        if (!more)
            break;
        taken = client_ask(cli, request, status);
        json_decref(taken);
    } while (taken != NULL);
    buf_fini(&part);
    return more ? NULL : client_lines(cli, request, lines, status);
}

/* ---- rules check: the changes ---- */

static void print_change(const json_t *change)
{
    long long line = number_of(change, "line");

    printf("%s: %s -> %s", string_of(change, "key"), string_of(change, "now"),
           string_of(change, "then"));
    if (line > 0)
        printf(" (line %lld)", line);
    if (is_true(change, "stops"))
        printf(strcmp(string_of(change, "forecast"), "bounces") == 0
                   ? "; mail would start to bounce"
                   : "; mail would start to wait");
    else if (strcmp(string_of(change, "forecast"), "unknown") == 0)
        printf("; whether mail would flow is not known");
    putchar('\n');
}

static void print_check(const struct cli *cli, json_t *totals, const json_t *list)
{
    const json_t *change;
    size_t i;

    if (cli->json) {
        json_object_set(totals, "changes", (json_t *)list);
        print_json(totals);
        return;
    }
    json_array_foreach(list, i, change) print_change(change);
    printf("%lld rules; of %lld cached next-hops %zu change, %lld start to wait or bounce\n",
           number_of(totals, "rules"), number_of(totals, "nexthops"), json_array_size(list),
           number_of(totals, "would_stop"));
}

int do_rules_check(struct cli *cli)
{
    json_t *lines = json_array(), *totals = NULL;
    const char *path = cli->words[0];
    struct rules *rules;
    struct buf text;
    int status;

    status = read_rules(cli, path, &text, &rules);
    rules_free(rules);
    if (status == CLI_OK) {
        totals = try_rules(cli, &text, lines, &status);
        if (status != CLI_OK)
            fprintf(stderr,
                    "mxcrypt: %s: the rules are valid; what they would change is not known\n",
                    path);
    }
    buf_fini(&text);
    sort_by_key(&lines);
    if (status == CLI_OK) {
        print_check(cli, totals, lines);
        status = number_of(totals, "would_stop") > 0 ? CLI_NO : CLI_OK;
    }
    json_decref(totals);
    json_decref(lines);
    return status;
}
