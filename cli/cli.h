/* cli: what the parts of the command mxcrypt share. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "daemon/config/config.h"

#define CLI_MAIL_HOSTS_MAX 100 /* as many as a certificate has names */

/* Exit statuses: mxcrypt(1). */
enum cli_exit {
    CLI_OK = 0,      /* a policy; TLS everywhere; done */
    CLI_NO = 1,      /* NOTFOUND; not TLS everywhere; not there; doctor: warnings */
    CLI_BAD = 2,     /* doctor: errors */
    CLI_UNKNOWN = 3, /* check: something could not be found out */
    CLI_NEEDED = 3,  /* rollover: somebody must do something */
    CLI_USAGE = 64,
    CLI_DATA = 65, /* no export, or not all of it */
    CLI_NO_DAEMON = 69,
    CLI_INTERNAL = 70,
    CLI_CANNOT_WRITE = 73,
    CLI_TEMP = 75 /* TEMP; no answer */
};

/* What the command line says for `audit`; NULL and 0: not given. */
struct cli_audit {
    const char *since, *until, *top, *min_messages, *min_days, *rollout, *rules; /* as written */
    const char *html, *prometheus;                                               /* paths */
    const char *tlsrpt, *day;                                                    /* as written */
    int verdicts, suggest, queue, follow, partial;
};

/* What it says for `survey`. */
struct cli_survey {
    const char *out, *rate, *jobs, *sample, *seed, *shard, *opt_out, *from_audit; /* as written */
    const char *format; /* of an export; NULL: csv */
    /* Of a survey of several machines. */
    const char *queue, *name, *spool, *chunk_size, *parts, *slots, *idle; /* as written */
    int resume, no_probe, no_dnssec;
    bool passing; /* the results file is another command's, and removed at its end */
};

/* What it says for `check`. */
struct cli_check {
    int enforced, quiet, nagios;
    const char *from, *state; /* paths; NULL: not given */
};

#define CLI_CERTS_MAX   16
#define CLI_WITHOUT_MAX 8

/* What it says for `records` and `rollover`; NULL: not given. */
struct cli_own {
    const char *mode, *max_age, *ttl, *rua; /* as written */
    const char *key, *current;              /* paths */
    const char *certs[CLI_CERTS_MAX];       /* --cert */
    size_t cert_count;
    const char *without[CLI_WITHOUT_MAX]; /* --without-server */
    size_t without_count;
    const char *unseen[CLI_WITHOUT_MAX]; /* --without-address */
    size_t unseen_count;
    int issuer, missing, zone, nsupdate, any_name;
};

/* What it says for `list`; NULL: not given. */
struct cli_list {
    const char *fingerprint, *expires, *from_survey, *report, *drop_after, *enforce_after;
    int from_rules, from_memory, fold, really;
};

/* What the command line says, and the connection to the daemon. */
struct cli {
    struct config config;
    int json;                                   /* --json; not 0: given */
    int fresh;                                  /* --fresh: look it up here, without the daemon */
    const char *as;                             /* --as: as whom to be answered; NULL: as Postfix */
    const char *postfix_directory;              /* --postfix; NULL: postconf's default */
    const char *mail_hosts[CLI_MAIL_HOSTS_MAX]; /* --mail-host */
    size_t mail_host_count;
    int self;               /* of doctor */
    int inbound, enforce;   /* of postfix-config */
    int dry_run;            /* of tlsrpt send */
    const char *exim;       /* --exim; NULL: as it is called in PATH */
    const char *sendmail;   /* --sendmail; NULL: that of the command */
    const char *cf;         /* --cf; NULL: Debian's */
    int check_it;           /* --check: of exim-config and sendmail-config */
    struct cli_audit audit; /* html and top are also for a survey, prometheus for a check */
    struct cli_survey survey;
    struct cli_check check; /* state is also of a rollover */
    struct cli_own own;     /* key and mode are also of a list */
    struct cli_list list;
    const char *config_path;      /* -c; NULL: the default */
    const char *const *overrides; /* -o */
    size_t override_count;
    char **words;             /* of the command, after its name; NULL ends them */
    const char *config_error; /* for doctor: config has the defaults then; NULL: it was read */
    int fd;                   /* of client_open; -1: not yet */
};

/* What the table in main.c names: a command, giving the exit status. */
typedef int cli_command(struct cli *cli);
cli_command do_export, do_import, do_rules, do_rules_check, do_report, do_doctor, do_postfix_config,
    do_exim_config, do_sendmail_config, do_audit, do_records, do_rollover_stage, do_rollover_step,
    do_rollover_status, do_rollover_abort, do_check, do_survey_merge, do_survey_run,
    do_survey_report, do_survey_diff, do_survey_export, do_survey_show, do_survey_status,
    do_survey_queue_status, do_survey_enqueue, do_survey_work, do_survey_collect, do_survey_chunk,
    do_list, do_tlsrpt_send, do_tlsrpt_show;
/* A line for each command of `list`, with `before` before it. */
void cli_list_help(FILE *out, const char *before);

/* Prints what doctor, or one like it, has found; the exit status. */
struct doctor_report;
int doctor_show(const struct cli *cli, const struct doctor_report *report);

/* Prints an answer, or a line of a list, for people. */
typedef void cli_printer(const json_t *json);
cli_printer print_farm;
/* The exit status that an answer stands for. */
typedef int cli_judge(const json_t *answer);
/* Prints an answer (a reference taken), with --json as it is. The exit status; without `exit_of`
 * any answer will do. */
int cli_show(const struct cli *cli, json_t *answer, cli_printer *print, cli_judge *exit_of);

/* A member's text, "" without one; its number, 0 without one; whether it is true. */
const char *string_of(const json_t *object, const char *name);
long long number_of(const json_t *object, const char *name);
bool is_true(const json_t *object, const char *name);
void print_json(const json_t *json);

/* options.c: reads the options into *cli, which is this process's; optind of getopt(3) is the first
 * word then. -1 to go on, else the exit status. */
int cli_options(struct cli **cli, int argc, char **argv);
/* Prints all commands; CLI_USAGE. */
int cli_usage(FILE *out);

/* Reads the value of an option, a number of `least` to `most`; without a `text` *out stays. False
 * after a message. */
bool cli_number(long *out, const char *option, const char *text, long least, long most);

/* Connects to the daemon, unless that was done. False with errno. */
bool client_reach(struct cli *cli);
/* The same; the exit status, after a message when it failed. */
int client_open(struct cli *cli);
/* Closes the connection, if there is one: the next question opens another. */
void client_leave(struct cli *cli);
/* A request for a command; `key` may be NULL. A new reference. */
json_t *client_request(const char *command, const char *key);
/* Sends a request (a reference taken) to the daemon. Returns its answer, or NULL after a message
 * with the exit status: no daemon, or CLI_NO when it refused. */
json_t *client_ask(struct cli *cli, json_t *request, int *status);
/* Asks and prints the answer: cli_show. The exit status. */
int client_show(struct cli *cli, json_t *request, cli_printer *print, cli_judge *exit_of);
/* Asks for a list, whose lines are added to the array `lines`. What comes with the last of them, or
 * NULL as in client_ask. */
json_t *client_lines(struct cli *cli, json_t *request, json_t *lines, int *status);
/* The same, each line for `take` when it comes. */
typedef void client_taker(void *context, const json_t *line);
json_t *client_each(struct cli *cli, json_t *request, client_taker *take, void *context,
                    int *status);
/* Asks again and again, from the "next" of each answer on; once for what is asked of one key, which
 * is never more than a page. The elements of the array `member` of the answers are added to `all`
 * or, without it, printed; they are counted. `request` is a reference taken. The exit status. */
int client_pages(struct cli *cli, json_t *request, const char *member, json_t *all,
                 cli_printer *print, size_t *count);

/* Reads a file of rules, which must be valid. The exit status, after a message when it failed; either
 * way the caller frees rules and text. */
int read_rules(const struct cli *cli, const char *path, struct buf *text, struct rules **rules);

/* Looks many keys up here, some at once, as the daemon would, and calls `take` with the line of
 * report_verdict for each, in no order. `rollout` as in report_settings. The exit status. */
typedef void local_taker(void *context, size_t index, const json_t *line);
int local_verdicts(struct cli *cli, const char *const *keys, size_t count, int rollout,
                   local_taker *take, void *context);
/* Looks KEY up here and gives the report of report.h; NULL after a message. */
json_t *local_explain(struct cli *cli, const char *text);
/* Looks up and connects to one mail host; NULL after a message. */
json_t *local_probe(struct cli *cli, const char *text);

/* Prints a report of KEY, or of one host, for people. */
void tree_print(const json_t *report);
void tree_print_host(const json_t *host);
