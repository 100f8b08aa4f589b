/*
 * exim: the configuration of an Exim on this host, as exim(8) prints it with -bV, -bP, -brt and -be,
 * and what it lacks to do what mxcryptd says (mxcrypt-exim(5)). Running it is exim_run.c; reading its
 * output and judging it (exim_read.c, exim_judge.c, exim_lines.c) are pure.
 *
 * Exim's output is foreign text. A line is looked for and never guessed; what is not there is NULL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "cli/doctor/doctor.h"
#include "daemon/config/config.h"

#define EXIM_OUTPUT_MAX  ((size_t)256 * 1024) /* of one run */
#define EXIM_DEADLINE_MS 30000                /* the answer of mxcryptd takes up to 10 s */
#define EXIM_ROUTERS_MAX 200
#define EXIM_MAJOR       4 /* the first with router variables: 4.94 */
#define EXIM_MINOR       94

enum exim_router { EXIM_ASK, EXIM_SEND, EXIM_UNMATCHED, EXIM_ROUTERS };
enum exim_transport {
    EXIM_DANE_ONLY,
    EXIM_VERIFY,
    EXIM_ENCRYPT,
    EXIM_DANE,
    EXIM_MAY,
    EXIM_TRANSPORTS
};
extern const char *const exim_router_names[EXIM_ROUTERS];
extern const char *const exim_transport_names[EXIM_TRANSPORTS];

/* How Debian's files make Exim's configuration: /etc/exim4/update-exim4.conf.conf. */
enum exim_layout { EXIM_OWN_FILE, EXIM_SPLIT, EXIM_UNSPLIT };

struct exim_facts {
    struct arena *arena; /* strings below belong to it */
    const struct config *config;
    const char *program;
    const char *error; /* Exim could not be asked; NULL: it was */

    const char *version; /* "4.96"; NULL: unknown */
    unsigned major, minor;
    bool tls, dane; /* built with */

    /* Options as -bP prints them, a line each; NULL: there is none of that name. */
    const char *routers[EXIM_ROUTERS], *transports[EXIM_TRANSPORTS];
    const char *before[EXIM_ROUTERS_MAX]; /* names of the routers in front of mxcrypt_ask */
    const char *before_options[EXIM_ROUTERS_MAX];
    size_t before_count;
    bool in_order;            /* the three follow each other */
    const char *socket;       /* the macro MXCRYPT_SOCKET; NULL: not set */
    const char *retry;        /* what -brt says of an unknown domain */
    const char *dnssec_ok;    /* dns_dnssec_ok */
    const char *user, *group; /* exim_user, exim_group */

    /* As that user, which takes root's rights: */
    bool tried;
    const char *secure; /* "secure": Exim sees that a signed zone is validated */
    const char *answer; /* of mxcryptd; NULL: see answer_error */
    const char *answer_error;
    bool answer_tried;

    enum exim_layout layout;
    const char *smarthost; /* dc_smarthost of a configuration with one; NULL: none */
};

/* The value of an option in such lines; "yes" and "no" for those that are one or the other; NULL: not
 * there. Belongs to the arena. */
const char *exim_option(struct arena *arena, const char *lines, const char *name);
/* Reads what -bV prints. */
void exim_read_version(struct exim_facts *facts, const char *text);
/* Reads what `-bP router_list` prints: order, and the routers in front. */
void exim_read_order(struct exim_facts *facts, const char *text);
/* Reads Debian's update-exim4.conf.conf. */
void exim_read_debian(struct exim_facts *facts, const char *text);
/* The address of mxcryptd's first listener for Exim, as ${readsocket} takes it; NULL: there is none. */
const char *exim_socket(struct arena *arena, const struct config *config);

/* Fills the facts; takes seconds. Only with `all` is more asked than what lines depend on. */
void exim_gather(struct exim_facts *facts, bool all);
/* Judges them; strings of the report belong to their arena. */
void exim_judge(struct doctor_report *report, const struct exim_facts *facts);
/* Appends the macros for this system, and where the files of contrib/exim go. */
void exim_lines(struct buf *out, const struct exim_facts *facts);
