/*
 * orders: the commands about the operator's orders: reload, log-level, rules. See mxcrypt(1). What
 * the rules do today is counted here, over the findings that the daemon lists.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* ---- reload and log level ---- */

static void print_restart(const json_t *keys)
{
    const json_t *key;
    size_t i;

    json_array_foreach(keys, i, key)
        printf("%s is not what the daemon runs with: restart it\n", json_string_value(key));
}

int do_reload(struct cli *cli, char **words)
{
    int status;
    json_t *answer = client_ask(cli, json_pack("{s:s}", "command", "reload"), &status);

    (void)words;
    if (answer == NULL)
        return status;
    if (cli->json) {
        print_json(answer);
    } else {
        printf("reloaded, %lld rules\n",
               (long long)json_integer_value(json_object_get(answer, "rules")));
        print_restart(json_object_get(answer, "needs_restart"));
    }
    json_decref(answer);
    return CLI_OK;
}

static int ask_log_level(const struct cli *cli, const char *level)
{
    int status;
    json_t *answer =
        client_ask(cli, json_pack("{s:s, s:s?}", "command", "log-level", "level", level), &status);

    if (answer == NULL)
        return status;
    if (cli->json)
        print_json(answer);
    else
        puts(string_of(answer, "level"));
    json_decref(answer);
    return CLI_OK;
}

int do_log_level(struct cli *cli, char **words)
{
    (void)words;
    return ask_log_level(cli, NULL);
}

int do_set_log_level(struct cli *cli, char **words)
{
    enum log_level level;

    if (!log_level_parse(&level, words[0])) {
        fputs("mxcrypt: a level is error, warning, info or debug\n", stderr);
        return CLI_USAGE;
    }
    return ask_log_level(cli, words[0]);
}

/* ---- rules ---- */

/* What one rule does to the findings. */
struct deeds {
    long long nexthops, changed, withheld;
    json_t *only; /* what the first of them is told; borrowed from `pages` */
};

struct rules_list {
    json_t *rules;         /* the array, in the order of the file */
    json_t *pages;         /* keeps alive what `only` points to */
    struct deeds *deeds;   /* by rule */
    json_int_t generation; /* of the rules; 0: not known yet */
    bool torn;             /* other rules came in force meanwhile */
};

/* Lines are of one file only. */
static void note_generation(struct rules_list *list, const json_t *page)
{
    json_int_t generation = json_integer_value(json_object_get(page, "generation"));

    list->torn |= list->generation != 0 && generation != list->generation;
    list->generation = generation;
}

static void take_rules(void *context, const json_t *page)
{
    struct rules_list *list = context;

    note_generation(list, page);
    json_array_extend(list->rules, json_object_get(page, "rules"));
}

static int by_line(const struct rules_list *list, json_int_t line)
{
    size_t low = 0, high = json_array_size(list->rules);

    while (low < high) {
        size_t middle = (low + high) / 2;
        json_int_t at =
            json_integer_value(json_object_get(json_array_get(list->rules, middle), "line"));

        if (at == line)
            return (int)middle;
        if (at < line)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

static void count_finding(struct rules_list *list, json_t *finding)
{
    int index = by_line(list, json_integer_value(json_object_get(finding, "rule")));
    json_t *told = json_object_get(finding, "told");
    struct deeds *deeds;

    if (index < 0)
        return;
    deeds = &list->deeds[index];
    deeds->nexthops++;
    deeds->withheld += json_is_true(json_object_get(finding, "withheld"));
    deeds->changed += strcmp(string_of(told, "answer"),
                             string_of(json_object_get(finding, "found"), "answer")) != 0;
    if (deeds->only == NULL) {
        deeds->only = told;
        json_array_append(list->pages, told);
    }
}

static void take_findings(void *context, const json_t *page)
{
    json_t *finding;
    size_t i;

    note_generation(context, page);
    json_array_foreach(json_object_get(page, "findings"), i, finding)
        count_finding(context, finding);
}

static void print_option(const json_t *rule, const char *name)
{
    if (*string_of(rule, name) != '\0')
        printf(" %s=%s", name, string_of(rule, name));
}

static void print_deeds(const json_t *rule, const struct deeds *deeds)
{
    if (json_is_true(json_object_get(rule, "lapsed")))
        printf("has lapsed");
    else if (deeds->nexthops == 1)
        printf("now %s", string_of(deeds->only, "answer"));
    else if (deeds->nexthops > 0)
        printf("%lld next-hops, %lld of them answered otherwise than found", deeds->nexthops,
               deeds->changed);
    else
        printf("nobody cached");
    if (deeds->withheld > 0)
        printf(", %lld withheld", deeds->withheld);
}

static void print_rule(const json_t *rule, const struct deeds *deeds)
{
    printf("%lld: %s %s", (long long)json_integer_value(json_object_get(rule, "line")),
           string_of(rule, "pattern"), string_of(rule, "action"));
    if (*string_of(rule, "policy") != '\0')
        printf(" %s", string_of(rule, "policy"));
    print_option(rule, "until");
    print_option(rule, "ticket");
    fputs("\n    ", stdout);
    print_deeds(rule, deeds);
    putchar('\n');
}

static void print_rules(const struct cli *cli, const struct rules_list *list)
{
    json_t *rule;
    size_t i;

    json_array_foreach(list->rules, i, rule)
    {
        const struct deeds *deeds = &list->deeds[i];

        if (cli->json)
            json_object_set_new(
                rule, "today",
                json_pack("{s:I, s:I, s:I}", "nexthops", (json_int_t)deeds->nexthops, "changed",
                          (json_int_t)deeds->changed, "withheld", (json_int_t)deeds->withheld));
        else
            print_rule(rule, deeds);
    }
    if (cli->json)
        print_json(list->rules);
}

int do_rules(struct cli *cli, char **words)
{
    struct rules_list list = {.rules = json_array(), .pages = json_array()};
    int status = client_pages(cli, json_pack("{s:s}", "command", "rules"), take_rules, &list);

    (void)words;
    list.deeds = calloc(json_array_size(list.rules) + 1, sizeof *list.deeds);
    if (list.deeds == NULL)
        status = CLI_INTERNAL;
    if (status == CLI_OK && json_array_size(list.rules) > 0)
        status = client_pages(cli, json_pack("{s:s}", "command", "findings"), take_findings, &list);
    if (status == CLI_OK && list.torn) {
        fputs("mxcrypt: other rules came in force while these were listed: ask again\n", stderr);
        status = CLI_NO;
    }
    if (status == CLI_OK)
        print_rules(cli, &list);
    free(list.deeds);
    json_decref(list.pages);
    json_decref(list.rules);
    return status;
}
