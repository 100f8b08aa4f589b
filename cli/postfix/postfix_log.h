/*
 * postfix_log: where the Postfix of this host logs, and what of its configuration matters
 * for reading the log.
 *
 * It logs to maillog_file if that is set (Postfix 3.4 and later). Else it logs to the system,
 * which keeps lines in the journal, in /var/log/mail.log or /var/log/maillog, or in both: the
 * journal is taken if it has any line of the mail system. Files come with those that logrotate(8)
 * or `postfix logrotate` have put aside.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/source/source.h"
#include "base/arena.h"
#include "cli/postfix/postfix.h"

struct postfix_log_options {
    const char *directory; /* of Postfix's configuration; NULL: its default */
    const char *folder;    /* of the system's log files; NULL: /var/log */
    int64_t since, until;  /* seconds since 1970; 0: no limit. What is surely outside is left out */
    bool follow;           /* for source_follow */
};

/* Strings belong to the arena. */
struct postfix_log {
    struct source_place *places;
    size_t count;
    const char *description; /* "/var/log/mail.log and 4 older files", "the journal" */
    /* Of main.cf; the unknown is "", -1, false. */
    const char *relayhost;   /* as it stands there */
    const char *syslog_name; /* "postfix" */
    int tls_loglevel;        /* the lowest of all smtp(8) clients */
    int64_t changed_at;      /* main.cf or master.cf, the later of them: seconds since 1970 */
    bool tls_status;         /* smtp_log_tls_feature_status, Postfix 3.11: "tls=" in status lines */
    bool tlsrpt;             /* smtp_tlsrpt_enable, Postfix 3.10: it tells a collector itself */
    const char *fault;       /* why the configuration could not be read; NULL: it was */
};

/* Finds all of it. A Postfix that cannot be asked is no error. 0, or -1 with a message: there is no
 * log, or no memory. */
int postfix_log_find(struct postfix_log *out, struct arena *arena,
                     const struct postfix_log_options *options, char error[POSTFIX_ERROR_MAX]);
/* The same without places, for one who knows the files. */
int postfix_log_settings(struct postfix_log *out, struct arena *arena, const char *directory,
                         char error[POSTFIX_ERROR_MAX]);
