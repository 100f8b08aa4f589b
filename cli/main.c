/* main: the command mxcrypt(1): options, then a table of commands. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log/log.h"
#include "cli/cli.h"

#define OVERRIDES_MAX 64

const char *string_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

long long number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

void print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
}

static int exit_of_status(const json_t *answer)
{
    const char *status = string_of(answer, "status");

    if (strcmp(status, "OK") == 0)
        return CLI_OK;
    return strcmp(status, "TEMP") == 0 ? CLI_TEMP : CLI_NO;
}

/* ---- commands: each gets the words after its name ---- */

static int do_query(struct cli *cli, char **words)
{
    int status;
    json_t *answer = client_ask(cli,
                                json_pack("{s:s, s:s, s:b}", "command", "query", "key", words[0],
                                          "tlsrpt", (int)cli->tlsrpt),
                                &status);

    if (answer == NULL)
        return status;
    status = exit_of_status(answer);
    if (cli->json)
        print_json(answer);
    else
        printf("%s %s\n", string_of(answer, "status"), string_of(answer, "text"));
    json_decref(answer);
    return status;
}

static int print_report(const struct cli *cli, json_t *report)
{
    int status = exit_of_status(report);

    if (cli->json)
        print_json(report);
    else
        tree_print(report);
    json_decref(report);
    return status;
}

/* Asks the daemon for a report of KEY and prints it. */
static int show_report(const struct cli *cli, const char *command, const char *key)
{
    int status;
    json_t *report = client_ask(cli, client_request(command, key), &status);

    return report == NULL ? status : print_report(cli, report);
}

static int do_explain(struct cli *cli, char **words)
{
    json_t *report;

    if (!cli->fresh)
        return show_report(cli, "explain", words[0]);
    report = local_explain(cli, words[0]);
    return report == NULL ? CLI_INTERNAL : print_report(cli, report);
}

/* TLS at every address that answered, not at all of them, or nobody answered. */
static int exit_of_probe(const json_t *host)
{
    static const char *const with_tls[] = {"tls", "verified"};
    static const char *const without[] = {"clear", "tempfail", "refused", "broken"};
    size_t tls = 0, clear = 0, i;
    const json_t *address;

    json_array_foreach(json_object_get(host, "addresses"), i, address)
    {
        const char *state = string_of(address, "starttls");

        for (size_t k = 0; k < sizeof with_tls / sizeof with_tls[0]; k++)
            tls += strcmp(state, with_tls[k]) == 0;
        for (size_t k = 0; k < sizeof without / sizeof without[0]; k++)
            clear += strcmp(state, without[k]) == 0;
    }
    if (clear > 0)
        return CLI_NO;
    return tls > 0 ? CLI_OK : CLI_TEMP;
}

static int do_probe(struct cli *cli, char **words)
{
    json_t *host = local_probe(cli, words[0]);
    int status;

    if (host == NULL)
        return CLI_USAGE;
    status = exit_of_probe(host);
    if (cli->json)
        print_json(host);
    else
        tree_print_host(host);
    json_decref(host);
    return status;
}

static void print_entry(const json_t *entry)
{
    printf("%-40s %-12s %-20s %6lld s\n", string_of(entry, "key"), string_of(entry, "level"),
           string_of(entry, "reason"), number_of(entry, "valid_for_s"));
}

static int do_cache_list(struct cli *cli, char **words)
{
    size_t count;

    (void)words;
    return client_list(cli, "cache-list", "entries", print_entry, &count);
}

static int do_cache_show(struct cli *cli, char **words)
{
    return show_report(cli, "cache-show", words[0]);
}

static void print_forgotten(const json_t *answer)
{
    puts(json_is_true(json_object_get(answer, "forgotten")) ? "forgotten" : "was not in the cache");
}

static int do_cache_forget(struct cli *cli, char **words)
{
    return client_show(cli, client_request("cache-forget", words[0]), print_forgotten, "forgotten");
}

/* An object of numbers, one per line. */
static void print_numbers(const json_t *answer)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)answer, name, value)
        printf("%s %lld\n", name, (long long)json_integer_value(value));
}

static int do_cache_flush(struct cli *cli, char **words)
{
    (void)words;
    return client_show(cli, client_request("cache-flush", NULL), print_numbers, NULL);
}

static int do_stats(struct cli *cli, char **words)
{
    (void)words;
    return client_show(cli, client_request("stats", NULL), print_numbers, NULL);
}

static const struct command {
    const char *name, *second; /* "cache" "list" */
    int words;                 /* after the name */
    const char *help;
    int (*run)(struct cli *cli, char **words);
} commands[] = {
    {"query", NULL, 1, "query [--tlsrpt] KEY     the answer to Postfix", do_query},
    {"explain", NULL, 1, "explain [--fresh] KEY    the evidence and the reason", do_explain},
    {"probe", NULL, 1, "probe HOST[:PORT]        look at one mail host now", do_probe},
    {"cache", "list", 0, "cache list               what is cached", do_cache_list},
    {"cache", "show", 1, "cache show KEY           one cached key, explained", do_cache_show},
    {"cache", "forget", 1, "cache forget KEY         forget a key and its hosts", do_cache_forget},
    {"cache", "flush", 0, "cache flush              forget all answers", do_cache_flush},
    {"held", NULL, 0, "held                     domains that are held", do_held},
    {"release", NULL, 1, "release KEY              end a hold", do_release},
    {"history", NULL, 1, "history KEY              how the verdict changed", do_history},
    {"export", NULL, 0, "export                   all that is remembered, as JSON lines",
     do_export},
    {"import", NULL, 1, "import FILE              load an export (-: stdin)", do_import},
    {"stats", NULL, 0, "stats                    counters", do_stats},
    {"rules", NULL, 0, "rules                    the rules, and their effect today", do_rules},
    {"rules", "check", 1, "rules check FILE         what a new file would change", do_rules_check},
    {"report", NULL, 0, "report                   what enforcing would change", do_report},
    {"reload", NULL, 0, "reload                   read rules and configuration again", do_reload},
    {"log-level", NULL, 0, "log-level                what is logged", do_log_level},
    {"log-level", NULL, 1, "log-level LEVEL          log more or less", do_set_log_level},
    {"doctor", NULL, 0,
     "doctor [--postfix DIR] [--mail-host HOST]...\n"
     "                           check this set-up",
     do_doctor},
    {"postfix-config", NULL, 0,
     "postfix-config [--postfix DIR]\n                           lines for main.cf",
     do_postfix_config},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int usage(FILE *out)
{
    fputs("usage: mxcrypt [-c file] [-o key=value]... [--json] command\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %s\n", commands[i].help);
    fputs("KEY is what Postfix asks for: a domain, .parent, [host] or [host]:port\n", out);
    return CLI_USAGE;
}

/* Says what is wrong with the words of no command. */
static int complain(int count, char **words)
{
    bool known = false;

    if (strcmp(words[0], "help") == 0) {
        usage(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(words[0], commands[i].name) != 0)
            continue;
        fprintf(stderr, "%s mxcrypt %s\n", known ? "      " : "usage:", commands[i].help);
        known = true;
    }
    if (!known)
        fprintf(stderr, "mxcrypt: there is no command %s; mxcrypt --help lists them\n", words[0]);
    else if (count == 1)
        fputs("a word is missing; mxcrypt --help lists all commands\n", stderr);
    else
        fputs("mxcrypt --help lists all commands\n", stderr);
    return CLI_USAGE;
}

static int run_command(struct cli *cli, int count, char **words)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *command = &commands[i];
        int skip = command->second == NULL ? 1 : 2;

        if (count != skip + command->words || strcmp(words[0], command->name) != 0)
            continue;
        if (command->second == NULL || strcmp(words[1], command->second) == 0)
            return command->run(cli, words + skip);
    }
    return complain(count, words);
}

static const struct option long_options[] = {
    {"json", no_argument, NULL, 'j'},
    {"fresh", no_argument, NULL, 'f'},
    {"tlsrpt", no_argument, NULL, 't'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {"postfix", required_argument, NULL, 'p'},
    {"mail-host", required_argument, NULL, 'm'},
    {NULL, 0, NULL, 0},
};

/* What the options say, apart from the configuration. */
struct options {
    const char *path, *overrides[OVERRIDES_MAX];
    size_t count;
};

/* -1 to go on, else the exit status. */
static int take_option(struct cli *cli, struct options *options, int option)
{
    switch (option) {
    case 'c':
        options->path = optarg;
        return -1;
    case 'o':
        if (options->count == OVERRIDES_MAX)
            return usage(stderr);
        options->overrides[options->count++] = optarg;
        return -1;
    case 'j':
        cli->json = true;
        return -1;
    case 'f':
        cli->fresh = true;
        return -1;
    case 't':
        cli->tlsrpt = true;
        return -1;
    case 'p':
        cli->postfix_directory = optarg;
        return -1;
    case 'm':
        if (cli->mail_host_count == CLI_MAIL_HOSTS_MAX)
            return usage(stderr);
        cli->mail_hosts[cli->mail_host_count++] = optarg;
        return -1;
    case 'V':
        puts("mxcrypt " MXC_VERSION);
        return CLI_OK;
    case 'h':
        usage(stdout);
        return CLI_OK;
    default:
        return usage(stderr);
    }
}

/* doctor reports what is wrong, with the configuration too, and goes on with the defaults. */
static bool go_on_without(struct cli *cli, const char *command, const char *error)
{
    char again[CONFIG_ERROR_MAX];

    if (strcmp(command, "doctor") != 0)
        return false;
    cli->config_error = error;
    config_fini(&cli->config);
    return config_parse(&cli->config, "defaults", "", 0, NULL, 0, again) == 0;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct cli cli = {.json = false};
    char error[CONFIG_ERROR_MAX];
    int option, status;

    while ((option = getopt_long(argc, argv, "c:o:V", long_options, NULL)) != -1) {
        status = take_option(&cli, &options, option);
        if (status >= 0)
            return status;
    }
    if (optind == argc)
        return usage(stderr);
    log_set_level(LOG_LEVEL_ERROR);
    if (config_load(&cli.config, options.path, options.overrides, options.count, error) != 0 &&
        !go_on_without(&cli, argv[optind], error)) {
        fprintf(stderr, "mxcrypt: %s\n", error);
        status = CLI_USAGE;
    } else {
        status = run_command(&cli, argc - optind, argv + optind);
    }
    config_fini(&cli.config);
    return status;
}
