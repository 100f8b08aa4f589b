/* cli: what the parts of the command mxcrypt share. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "daemon/config/config.h"

#define CLI_MAIL_HOSTS_MAX 8

/* Exit statuses: mxcrypt(1). */
enum cli_exit {
    CLI_OK = 0,  /* a policy; TLS everywhere; done */
    CLI_NO = 1,  /* NOTFOUND; not TLS everywhere; not there; doctor: warnings */
    CLI_BAD = 2, /* doctor: errors */
    CLI_USAGE = 64,
    CLI_DATA = 65, /* no export, or not all of it */
    CLI_NO_DAEMON = 69,
    CLI_INTERNAL = 70,
    CLI_TEMP = 75 /* TEMP; no answer */
};

struct cli {
    struct config config;
    bool json;                     /* --json */
    bool fresh;                    /* --fresh: look it up here, without the daemon */
    bool tlsrpt;                   /* --tlsrpt: as Postfix 3.10 and later would be answered */
    const char *postfix_directory; /* --postfix; NULL: postconf's default */
    const char *mail_hosts[CLI_MAIL_HOSTS_MAX]; /* --mail-host */
    size_t mail_host_count;
    const char *config_error; /* for doctor: config has the defaults then; NULL: it was read */
};

/* A request for a command; `key` may be NULL. A new reference. */
json_t *client_request(const char *command, const char *key);

/* Sends a request (a reference taken) to the daemon. Returns its answer, or NULL after a message
 * with the exit status: no daemon, or CLI_NO when it refused. */
json_t *client_ask(const struct cli *cli, json_t *request, int *status);

/* The same over one connection: a descriptor, or -1 after a message. */
int client_open(const struct cli *cli);
json_t *client_ask_on(const struct cli *cli, int fd, json_t *request, int *status);

/* Prints an answer, or a line of a list, for people. */
typedef void (*client_printer)(const json_t *json);
/* Asks and prints the answer, with --json as it is. The exit status: CLI_NO when `member` of the
 * answer is not true; NULL: any answer will do. */
int client_show(const struct cli *cli, json_t *request, client_printer print, const char *member);

typedef void (*client_page_taker)(void *context, const json_t *page);
/* Asks again and again, from the "next" of each answer on, and hands out every page. `request` is a
 * reference taken. The exit status. */
int client_pages(const struct cli *cli, json_t *request, client_page_taker take, void *context);

/* Prints the lines that are the array `member` of every page, and counts them. The exit status. */
int client_list(const struct cli *cli, const char *command, const char *member,
                client_printer print, size_t *count);

/* Asks for a list, whose lines are added to the array `lines`. What comes with the last of them, or
 * NULL as in client_ask. */
json_t *client_lines(const struct cli *cli, json_t *request, json_t *lines, int *status);
/* The same on a connection of client_open. */
json_t *client_lines_on(const struct cli *cli, int fd, json_t *request, json_t *lines, int *status);

/* What the table in main.c names: a command with its words, giving the exit status. */
int do_held(struct cli *cli, char **words);
int do_release(struct cli *cli, char **words);
int do_history(struct cli *cli, char **words);
int do_export(struct cli *cli, char **words);
int do_import(struct cli *cli, char **words);
int do_reload(struct cli *cli, char **words);
int do_log_level(struct cli *cli, char **words);
int do_set_log_level(struct cli *cli, char **words);
int do_rules(struct cli *cli, char **words);
int do_rules_check(struct cli *cli, char **words);
int do_report(struct cli *cli, char **words);
int do_doctor(struct cli *cli, char **words);
int do_postfix_config(struct cli *cli, char **words);

/* For commands: prints as --json wants it; a member's text, "" without one. */
void print_json(const json_t *json);
const char *string_of(const json_t *object, const char *name);
/* A member's number, 0 without one. */
long long number_of(const json_t *object, const char *name);

/* Looks KEY up here and gives the report of report.h; NULL after a message. */
json_t *local_explain(struct cli *cli, const char *text);
/* Looks up and connects to one mail host; NULL after a message. */
json_t *local_probe(struct cli *cli, const char *text);

/* Prints a report of KEY, or of one host, for people. */
void tree_print(const json_t *report);
void tree_print_host(const json_t *host);
