/*
 * sendmail: the configuration of a Sendmail on this host, its sendmail.cf and what the program says of
 * itself, and what it lacks to do what mxcryptd says (mxcrypt-sendmail(5)). Gathering is
 * sendmail_gather.c; reading, judging and the lines that are printed (sendmail_read.c,
 * sendmail_judge.c, sendmail_lines.c) are pure.
 *
 * A sendmail.cf is foreign text, which m4 made of a sendmail.mc. Lines are looked for and never
 * guessed; what is not there is NULL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "cli/doctor/doctor.h"
#include "daemon/config/config.h"

#define SENDMAIL_CF          "/etc/mail/sendmail.cf"
#define SENDMAIL_CF_MAX      ((size_t)4 * 1024 * 1024)
#define SENDMAIL_OUTPUT_MAX  ((size_t)64 * 1024)
#define SENDMAIL_DEADLINE_MS 90000 /* it waits for a minute where this host has no full name */
#define SENDMAIL_MAILERS_MAX 32

enum sendmail_map { SENDMAIL_MAP_STS, SENDMAIL_MAP_REQUIREMENT, SENDMAIL_MAPS };
extern const char *const sendmail_map_names[SENDMAIL_MAPS];

/* A K line of a socket map. */
struct sendmail_socket {
    const char *text;      /* what follows the name; NULL: there is no such map */
    bool is_socket;        /* its class is "socket" */
    const char *temporary; /* after -T; NULL: not given */
    long timeout_s;        /* after -d; 0: not given, or no number */
    const char *address;   /* "inet:PORT@HOST", "unix:PATH"; NULL: none */
};

/* A mailer that speaks SMTP to other hosts. */
struct sendmail_mailer {
    const char *name;
    long recipients; /* r=; 0: not given, which is 100 */
};

struct sendmail_facts {
    struct arena *arena; /* strings below belong to it */
    const struct config *config;
    const char *program; /* NULL: as it is called in PATH */
    const char *cf;      /* the file's name */

    const char *program_error; /* it could not be asked; NULL: it was */
    const char *version;       /* "8.17.1.9"; NULL: it is not Sendmail */
    unsigned major, minor;
    const char *compiled; /* all that it prints of how it was compiled */

    const char *cf_error; /* NULL: it was read */
    bool cf_forbidden;    /* it is not for us */
    const char *text;     /* of sendmail.cf */
    struct sendmail_socket sockets[SENDMAIL_MAPS];
    const char *submit; /* submit.cf beside cf; NULL: there is none that can be read */
    struct sendmail_mailer mailers[SENDMAIL_MAILERS_MAX];
    size_t mailer_count;

    struct doctor_try ca_file, ca_path;
    const char
        *open_folder; /* on the way to a Unix socket, and anybody may write there; NULL: none */
    struct doctor_try answers[SENDMAIL_MAPS];
};

/* Reads what `sendmail -d0.14 -bv root` prints. */
void sendmail_read_program(struct sendmail_facts *facts, const char *text);
/* Reads sendmail.cf: facts->text, sockets, mailers. */
void sendmail_read_cf(struct sendmail_facts *facts, const char *text);
/* Whether it replaces a domain that is an alias: FEATURE(nocanonify) has a rule of its own,
 * and what is submitted on this host does as an option says. */
bool sendmail_canonifies(struct arena *arena, const char *text);
/* The value of an option, by the last line that sets it; NULL: none does. Belongs to the arena. */
const char *sendmail_option(const struct sendmail_facts *facts, const char *name);
/* The first rule of a ruleset, to the end of its line; NULL: there is none. Belongs to the arena. */
const char *sendmail_first_rule(const struct sendmail_facts *facts, const char *ruleset);
/* mxcryptd's listener that suits best, as a K line names it; NULL: there is none. */
const char *sendmail_address(struct arena *arena, const struct config *config);
/* True when a K line's address is one of mxcryptd's listeners. */
bool sendmail_is_ours(const struct config *config, const char *address);

/* Fills the facts; takes seconds. */
void sendmail_gather(struct sendmail_facts *facts);
/* Judges them; strings of the report belong to their arena. */
void sendmail_judge(struct doctor_report *report, const struct sendmail_facts *facts);
/* How long Sendmail must wait for mxcryptd, in seconds: longer than answer-deadline. */
long sendmail_timeout(const struct config *config);
/* Appends the lines of sendmail.mc for this system; `ca_file` may be NULL. */
void sendmail_lines(struct buf *out, const char *address, const char *ca_file, long timeout_s);
