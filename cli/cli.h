/* cli: what the parts of the command mxcrypt share. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "daemon/config.h"

/* Exit statuses: mxcrypt(1). */
enum cli_exit {
    CLI_OK = 0, /* a policy; TLS everywhere; done */
    CLI_NO = 1, /* NOTFOUND; not TLS everywhere; not there */
    CLI_USAGE = 64,
    CLI_NO_DAEMON = 69,
    CLI_INTERNAL = 70,
    CLI_TEMP = 75 /* TEMP; nobody answered */
};

struct cli {
    struct config config;
    bool json;   /* --json */
    bool fresh;  /* --fresh: look it up here, without the daemon */
    bool tlsrpt; /* --tlsrpt: as Postfix 3.10 and later would be answered */
};

/* Sends a request (a reference taken) to the daemon; its answer, or NULL after a message with the
 * exit status: no daemon, or CLI_NO when it refused. */
json_t *client_ask(const struct cli *cli, json_t *request, int *status);

/* Looks KEY up here and gives the report of report.h; NULL after a message. */
json_t *local_explain(struct cli *cli, const char *text);
/* Looks up and connects to one mail host; NULL after a message. */
json_t *local_probe(struct cli *cli, const char *text);

/* Prints a report of KEY, or of one host, for people. */
void tree_print(const json_t *report);
void tree_print_host(const json_t *host);
