/* rules: the commands about the operator's rules: reload, log-level, rules. See mxcrypt(1). */
#include <stdio.h>

#include "cli/cli.h"

/* ---- reload and log level ---- */

static void print_restart(const json_t *keys)
{
    const json_t *key;
    size_t i;

    json_array_foreach(keys, i, key)
        printf("%s is not what the daemon runs with: restart it\n", json_string_value(key));
}

static void print_reloaded(const json_t *answer)
{
    printf("reloaded, %lld rules\n", number_of(answer, "rules"));
    print_restart(json_object_get(answer, "needs_restart"));
}

int do_reload(struct cli *cli, char **words)
{
    (void)words;
    return client_show(cli, client_request("reload", NULL), print_reloaded, NULL);
}

static void print_level(const json_t *answer)
{
    puts(string_of(answer, "level"));
}

static int ask_log_level(const struct cli *cli, const char *level)
{
    json_t *request = json_pack("{s:s, s:s*}", "command", "log-level", "level", level);

    return client_show(cli, request, print_level, NULL);
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

static void print_option(const json_t *rule, const char *name)
{
    if (*string_of(rule, name) != '\0')
        printf(" %s=%s", name, string_of(rule, name));
}

static void print_deeds(const json_t *rule)
{
    const json_t *today = json_object_get(rule, "today");
    long long nexthops = number_of(today, "nexthops"), withheld = number_of(today, "withheld");

    if (json_is_true(json_object_get(rule, "lapsed")))
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

static void print_rules(const struct cli *cli, json_t *rules)
{
    json_t *rule;
    size_t i;

    json_array_foreach(rules, i, rule)
    {
        if (cli->json)
            json_object_del(rule, "told");
        else
            print_rule(rule);
    }
    if (cli->json)
        print_json(rules);
}

int do_rules(struct cli *cli, char **words)
{
    json_t *rules = json_array(), *totals;
    int status;

    (void)words;
    totals = client_lines(cli, client_request("rules", NULL), rules, &status);
    if (status == CLI_OK)
        print_rules(cli, rules);
    json_decref(totals);
    json_decref(rules);
    return status;
}
