/* main: the command mxcrypt(1): a table of commands, and those commands that ask the daemon
 * one thing and print what it says. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log/log.h"
#include "cli/cli.h"

#define TIME_MAX 32

/* ---- query, explain, probe ---- */

static int exit_of_status(const json_t *answer)
{
    const char *status = string_of(answer, "status");

    if (strcmp(status, "OK") == 0)
        return CLI_OK;
    return strcmp(status, "TEMP") == 0 ? CLI_TEMP : CLI_NO;
}

static void print_reply(const json_t *answer)
{
    printf("%s %s\n", string_of(answer, "status"), string_of(answer, "text"));
}

/* The answer to Exim says its status itself. */
static void print_line(const json_t *answer)
{
    puts(string_of(answer, "text"));
}

static int do_query(struct cli *cli)
{
    const char *as = cli->as != NULL ? cli->as : "postfix";
    json_t *request =
        json_pack("{s:s, s:s, s:s}", "command", "query", "key", cli->words[0], "as", as);

    return client_show(cli, request, strcmp(as, "exim") == 0 ? print_line : print_reply,
                       exit_of_status);
}

static int do_explain(struct cli *cli)
{
    json_t *report;

    if (!cli->fresh)
        return client_show(cli, client_request("explain", cli->words[0]), tree_print,
                           exit_of_status);
    report = local_explain(cli, cli->words[0]);
    return report == NULL ? CLI_INTERNAL : cli_show(cli, report, tree_print, exit_of_status);
}

/* TLS at every address that answered, not at all of them, or nobody answered. */
static int exit_of_probe(const json_t *host)
{
    size_t tls = 0, clear = 0, i;
    const json_t *address;

    json_array_foreach(json_object_get(host, "addresses"), i, address)
    {
        const char *state = string_of(address, "starttls");

        tls += strcmp(state, "tls") == 0 || strcmp(state, "verified") == 0;
        clear += strcmp(state, "clear") == 0 || strcmp(state, "tempfail") == 0 ||
                 strcmp(state, "refused") == 0 || strcmp(state, "broken") == 0;
    }
    if (clear > 0)
        return CLI_NO;
    return tls > 0 ? CLI_OK : CLI_TEMP;
}

static int do_probe(struct cli *cli)
{
    json_t *host = local_probe(cli, cli->words[0]);

    return host == NULL ? CLI_USAGE : cli_show(cli, host, tree_print_host, exit_of_probe);
}

/* ---- cache, stats ---- */

static void print_entry(const json_t *entry)
{
    printf("%-40s %-12s %-20s %6lld s\n", string_of(entry, "key"), string_of(entry, "level"),
           string_of(entry, "reason"), number_of(entry, "valid_for_s"));
}

/* An object of numbers, one per line. */
static void print_numbers(const json_t *answer)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)answer, name, value)
        printf("%s %lld\n", name, (long long)json_integer_value(value));
}

/* ---- holds and history ---- */

/* Seconds since 1970 as local time. */
static const char *time_text(char out[TIME_MAX], const json_t *object, const char *name)
{
    time_t seconds = (time_t)number_of(object, name);
    struct tm parts;

    if (localtime_r(&seconds, &parts) == NULL || strftime(out, TIME_MAX, "%F %T", &parts) == 0)
        snprintf(out, TIME_MAX, "?");
    return out;
}

static void print_hold(const json_t *hold)
{
    char since[TIME_MAX], until[TIME_MAX];

    printf("%-40s %-8s since %s until %s, sees %s\n", string_of(hold, "key"),
           string_of(hold, "level"), time_text(since, hold, "since"),
           time_text(until, hold, "until"), string_of(hold, "reason"));
}

static void print_event(const json_t *event)
{
    const char *was = string_of(event, "was");
    char at[TIME_MAX];

    printf("%s  %-9s -> %-9s  %s\n", time_text(at, event, "at"), *was == '\0' ? "(new)" : was,
           string_of(event, "now"), string_of(event, "reason"));
}

/* ---- the running daemon ---- */

static void print_reloaded(const json_t *answer)
{
    const json_t *key;
    size_t i;

    printf("reloaded, %lld rules\n", number_of(answer, "rules"));
    json_array_foreach(json_object_get(answer, "needs_restart"), i, key)
        printf("%s is not what the daemon runs with: restart it\n", json_string_value(key));
}

static void print_level(const json_t *answer)
{
    puts(string_of(answer, "level"));
}

static int do_log_level(struct cli *cli)
{
    const char *name = cli->words[0]; /* NULL: only ask */
    enum log_level level;

    if (name != NULL && !log_level_parse(&level, name)) {
        fputs("mxcrypt: a level is error, warning, info or debug\n", stderr);
        return CLI_USAGE;
    }
    return client_show(cli, json_pack("{s:s, s:s*}", "command", "log-level", "level", name),
                       print_level, NULL);
}

/* ---- the table ---- */

#define ANY (-1)

/* A command is a function or, when the daemon does all of it, what that is asked, with the word as
 * the key, and how the answer is shown. */
static const struct command {
    const char *name, *second; /* "cache" "list" */
    int words;                 /* after the name; ANY: none or more */
    const char *help;
    cli_command *run;
    const char *ask;
    cli_printer *print; /* the answer, or each line of a list */
    cli_judge *exit_of; /* of the answer; NULL: any will do */
    const char *done;   /* the member that says whether something was done, and what is printed */
    const char *not_done;
    const char *list;   /* the member that is a list */
    enum cli_exit none; /* where the list is empty */
} commands[] = {
    {"query", NULL, 1, "query [--as WHOM] KEY    the answer to Postfix, Exim or Sendmail",
     .run = do_query},
    {"explain", NULL, 1, "explain [--fresh] KEY    the evidence and the reason", .run = do_explain},
    {"probe", NULL, 1, "probe HOST[:PORT]        look at one mail host now", .run = do_probe},
    {"cache", "list", 0, "cache list               what is cached", .ask = "cache-list",
     .print = print_entry, .list = "entries"},
    {"cache", "show", 1, "cache show KEY           one cached key, explained", .ask = "cache-show",
     .print = tree_print, .exit_of = exit_of_status},
    {"cache", "forget", 1, "cache forget KEY         forget a key and its hosts",
     .ask = "cache-forget", .done = "forgotten", .not_done = "was not in the cache"},
    {"cache", "flush", 0, "cache flush              forget all answers", .ask = "cache-flush",
     .print = print_numbers},
    {"held", NULL, 0, "held                     domains that are held", .ask = "held",
     .print = print_hold, .list = "held", .none = CLI_NO},
    {"release", NULL, 1, "release KEY              end a hold", .ask = "release",
     .done = "released", .not_done = "was not held"},
    {"history", NULL, 1, "history KEY              how the verdict changed", .ask = "history",
     .print = print_event, .list = "history", .none = CLI_NO},
    {"export", NULL, 0, "export                   all that is remembered, as JSON lines",
     .run = do_export},
    {"import", NULL, 1, "import FILE              load an export (-: stdin)", .run = do_import},
    {"stats", NULL, 0, "stats                    counters", .ask = "stats", .print = print_numbers},
    {"rules", NULL, 0, "rules                    the rules, and their effect today",
     .run = do_rules},
    {"rules", "check", 1, "rules check FILE         what a new file would change",
     .run = do_rules_check},
    {"report", NULL, 0, "report                   what enforcing would change", .run = do_report},
    {"reload", NULL, 0, "reload                   read rules and configuration again",
     .ask = "reload", .print = print_reloaded},
    {"farm", NULL, 0, "farm                     the relays that share, and how they differ",
     .ask = "farm", .print = print_farm},
    {"farm", "reload", 0, "farm reload              reload, at all of them", .ask = "farm-reload",
     .done = "told", .not_done = "could not be told"},
    {"log-level", NULL, 0, "log-level                what is logged", .run = do_log_level},
    {"log-level", NULL, 1, "log-level LEVEL          log more or less", .run = do_log_level},
    {"audit", NULL, ANY,
     "audit [--since WHEN] [--until WHEN] [--top N] [--html FILE] [--prometheus FILE]\n"
     "        [--verdicts] [--rollout N] [--rules FILE] [--queue] [--suggest-rules]\n"
     "        [--min-messages N] [--min-days N] [--follow] [--postfix DIR] [FILE]...\n"
     "                           what Postfix made of your mail, from its log\n"
     "  audit --tlsrpt DIR [--day DAY] [--partial] [--fresh] [--postfix DIR] [FILE]...\n"
     "                           writes reports by RFC 8460 of a day",
     .run = do_audit},
    {"tlsrpt", "send", 1,
     "tlsrpt send [--dry-run] [--sendmail PROGRAM] DIR\n"
     "                           sends the reports that audit --tlsrpt wrote",
     .run = do_tlsrpt_send},
    {"tlsrpt", "show", 1, "tlsrpt show FILE         such a report, for people",
     .run = do_tlsrpt_show},
    {"survey", "merge", ANY,
     "survey merge OUT.db A.db B.db...\n"
     "                           several results files as one",
     .run = do_survey_merge},
    {"survey", "run", ANY,
     "survey run --out FILE.db [--resume] [--rate N] [--jobs N] [--sample N] [--seed N]\n"
     "        [--shard I/N] [--opt-out FILE] [--no-probe] [--no-dnssec]\n"
     "        [--from-audit FILE.json] [DOMAINS]\n"
     "                           what the mail hosts of many domains do",
     .run = do_survey_run},
    {"survey", "report", 1,
     "survey report [--html FILE] [--top N] RESULTS\n"
     "                           adoption, faults and operators, from a results file",
     .run = do_survey_report},
    {"survey", "diff", 2,
     "survey diff [--html FILE] [--top N] OLD NEW\n"
     "                           what changed between two results files",
     .run = do_survey_diff},
    {"survey", "export", 1,
     "survey export [--format csv|jsonl] RESULTS\n"
     "                           its domains, a row each; or, instead:",
     .run = do_survey_export},
    {"survey", "export", 2, "survey export [--format csv|jsonl] RESULTS domains|hosts|addresses",
     .run = do_survey_export},
    {"survey", "show", 2,
     "survey show RESULTS DOMAIN\n"
     "                           one domain, explained from what was recorded",
     .run = do_survey_show},
    {"survey", "status", 1, "survey status RESULTS    how far a survey is",
     .run = do_survey_status},
    {"survey", "enqueue", ANY,
     "survey enqueue --queue URL --name RUN [--seed N] [--sample N] [--chunk-size N]\n"
     "        [--parts N] [--rate N] [--opt-out FILE] [--no-probe] [--no-dnssec]\n"
     "        [--from-audit FILE.json] [DOMAINS]\n"
     "                           a survey of several machines: its domains",
     .run = do_survey_enqueue},
    {"survey", "work", ANY,
     "survey work --queue URL --name RUN --spool DIR [--slots N] [--idle S] [--rate N]\n"
     "        [--jobs N] [--opt-out FILE]\n"
     "                           one of its machines",
     .run = do_survey_work},
    {"survey", "collect", ANY,
     "survey collect --queue URL --name RUN --spool DIR --out FILE.db [--opt-out FILE]\n"
     "                           its results, as one file",
     .run = do_survey_collect},
    {"survey", "status", 0, "survey status --queue URL --name RUN", .run = do_survey_queue_status},
    {"survey", "chunk", 1, "survey chunk FILE        what survey work starts",
     .run = do_survey_chunk},
    {"check", NULL, ANY,
     "check [--quiet] [--nagios] [--enforced] [--from FILE] [--state DIR]\n"
     "        [--prometheus FILE] [DOMAIN]...\n"
     "                           what senders see of a domain, and what is wrong with it",
     .run = do_check},
    {"records", NULL, 1,
     "records [--cert FILE]... [--mode testing|enforce] [--max-age S] [--issuer] [--rua URI]\n"
     "        [--ttl S] [--missing] [--zone|--nsupdate] DOMAIN\n"
     "                           what a domain of your own should publish",
     .run = do_records},
    {"rollover", "stage", 0,
     "rollover stage --state FILE --cert FILE [--key FILE] [--current FILE] [--any-name]\n"
     "        [--mail-host HOST]...\n"
     "                           a next certificate, put aside",
     .run = do_rollover_stage},
    {"rollover", "step", ANY,
     "rollover step --state FILE [--without-server NAME]... [--without-address ADDRESS]...\n"
     "                           [--] [COMMAND [ARGUMENT]...]\n"
     "                           look, and install it when it is ripe",
     .run = do_rollover_step},
    {"rollover", "status", 0, "rollover status --state FILE [--no-probe]",
     .run = do_rollover_status},
    {"rollover", "abort", 0, "rollover abort --state FILE", .run = do_rollover_abort},
    {.name = "list", .words = ANY, .run = do_list}, /* its commands are in cli/list/cli_list.c */
    {"doctor", NULL, 0,
     "doctor [--postfix DIR] [--mail-host HOST]...\n"
     "                           check this set-up\n"
     "  doctor --self            check mxcryptd alone, in seconds: status 1 if a restart may help",
     .run = do_doctor},
    {"postfix-config", NULL, 0,
     "postfix-config [--postfix DIR] [--inbound [--enforce] [--mail-host HOST]...]\n"
     "                           lines for main.cf",
     .run = do_postfix_config},
    {"exim-config", NULL, 0,
     "exim-config [--exim PROGRAM] [--check]\n"
     "                           macros for Exim; or what is wrong with its set-up",
     .run = do_exim_config},
    {"sendmail-config", NULL, 0,
     "sendmail-config [--check [--sendmail PROGRAM] [--cf FILE]]\n"
     "                           lines for sendmail.mc; or what is wrong with the set-up",
     .run = do_sendmail_config},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

int cli_usage(FILE *out)
{
    fputs("usage: mxcrypt [-c file] [-o key=value]... [--json] command\n", out);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (commands[i].help == NULL)
            cli_list_help(out, "  ");
        else
            fprintf(out, "  %s\n", commands[i].help);
    }
    fputs("KEY is what Postfix asks for: a domain, .parent, [host] or [host]:port\n", out);
    return CLI_USAGE;
}

/* Says what is wrong with the words of no command. */
static int no_command(int count, char **words)
{
    bool known = false;

    if (strcmp(words[0], "help") == 0) {
        cli_usage(stdout);
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

/* A list, printed line by line or, with --json, as one array. The exit status. */
static int show_list(struct cli *cli, const struct command *command)
{
    json_t *request = client_request(command->ask, cli->words[0]);
    json_t *all = cli->json ? json_array() : NULL;
    size_t count;
    int status = client_pages(cli, request, command->list, all, command->print, &count);

    if (all != NULL && status == CLI_OK)
        print_json(all);
    json_decref(all);
    return status == CLI_OK && count == 0 ? (int)command->none : status;
}

static int show_done(struct cli *cli, const struct command *command)
{
    int status;
    json_t *answer = client_ask(cli, client_request(command->ask, cli->words[0]), &status);
    bool done = is_true(answer, command->done);

    if (answer == NULL)
        return status;
    if (cli->json)
        print_json(answer);
    else
        puts(done ? command->done : command->not_done);
    json_decref(answer);
    return done ? CLI_OK : CLI_NO;
}

static int run_command(struct cli *cli, int count, char **words)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *command = &commands[i];
        int skip = command->second == NULL ? 1 : 2;

        if ((command->words != ANY && count != skip + command->words) ||
            strcmp(words[0], command->name) != 0 ||
            (command->second != NULL && (count < 2 || strcmp(words[1], command->second) != 0)))
            continue;
        cli->words = words + skip;
        if (command->run != NULL)
            return command->run(cli);
        if (command->list != NULL)
            return show_list(cli, command);
        if (command->done != NULL)
            return show_done(cli, command);
        return client_show(cli, client_request(command->ask, cli->words[0]), command->print,
                           command->exit_of);
    }
    return no_command(count, words);
}

/* Nagios and its kin know four exit statuses, and show what stands on standard output. */
static int status_for_plugin(int status, int argc, char **argv)
{
    bool plugin = false;

    for (int i = 1; i < argc; i++)
        plugin |= strcmp(argv[i], "--nagios") == 0;
    if (!plugin || status <= CLI_UNKNOWN)
        return status;
    if (status != CLI_CANNOT_WRITE)
        puts("MXCRYPT UNKNOWN - it was called wrong, or is configured so: see standard error");
    return CLI_UNKNOWN;
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

static int run(int argc, char **argv)
{
    char error[CONFIG_ERROR_MAX];
    struct cli *cli;
    int status;

    signal(SIGXFSZ, SIG_IGN); /* a file that becomes too long is one that takes no more */
    if (hash_init() != 0) {   /* before the first map is made */
        perror("mxcrypt: getrandom");
        return CLI_INTERNAL;
    }
    status = cli_options(&cli, argc, argv);
    if (status >= 0)
        return status;
    log_set_level(LOG_LEVEL_ERROR);
    if (config_load(&cli->config, cli->config_path, cli->overrides, cli->override_count, error) !=
            0 &&
        !go_on_without(cli, argv[optind], error)) {
        fprintf(stderr, "mxcrypt: %s\n", error);
        status = CLI_USAGE;
    } else {
        status = run_command(cli, argc - optind, argv + optind);
    }
    client_leave(cli);
    config_fini(&cli->config);
    return status;
}

int main(int argc, char **argv)
{
    return status_for_plugin(run(argc, argv), argc, argv);
}
