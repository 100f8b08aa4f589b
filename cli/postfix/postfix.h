/*
 * postfix: the configuration of a Postfix on this host, as postconf(1) prints it. Reading its
 * output is pure (postfix_read.c); running it is postfix_run.c.
 *
 * postconf's output is foreign text: it depends on the author of main.cf. Every line must be
 * `name = value`, of bounded length; anything else is an error, never a guess.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

#define POSTFIX_OUTPUT_MAX   ((size_t)1024 * 1024)
#define POSTFIX_LINE_MAX     65536 /* main.cf's own limit on a value is far below */
#define POSTFIX_SERVICES_MAX 200
#define POSTFIX_MAPS_MAX     50
#define POSTFIX_DEADLINE_MS  10000
#define POSTFIX_ERROR_MAX    512

/* The parameters that matter: FIRST_OF_CLIENT and what follows per service of master.cf;
 * FIRST_OF_LOG and what follows for the log, and for the mail that comes in. */
#define POSTFIX_PARAMETERS(X)                                                                      \
    X(MAIL_VERSION, "mail_version")                                                                \
    X(QUEUE_DIRECTORY, "queue_directory")                                                          \
    X(CONFIG_DIRECTORY, "config_directory")                                                        \
    X(MAIL_OWNER, "mail_owner")                                                                    \
    X(COMPATIBILITY_LEVEL, "compatibility_level")                                                  \
    X(POLICY_MAPS, "smtp_tls_policy_maps")                                                         \
    X(DNS_SUPPORT, "smtp_dns_support_level")                                                       \
    X(HOST_LOOKUP, "smtp_host_lookup")                                                             \
    X(INSECURE_MX, "smtp_tls_dane_insecure_mx_policy")                                             \
    X(CA_FILE, "smtp_tls_CAfile")                                                                  \
    X(CA_PATH, "smtp_tls_CApath")                                                                  \
    X(APPEND_CA, "tls_append_default_CA")                                                          \
    X(SECURITY_LEVEL, "smtp_tls_security_level")                                                   \
    X(USE_TLS, "smtp_use_tls")                                                                     \
    X(ENFORCE_TLS, "smtp_enforce_tls")                                                             \
    X(MANDATORY_PROTOCOLS, "smtp_tls_mandatory_protocols")                                         \
    X(MANDATORY_CIPHERS, "smtp_tls_mandatory_ciphers")                                             \
    X(MANDATORY_EXCLUDE, "smtp_tls_mandatory_exclude_ciphers")                                     \
    X(EXCLUDE_CIPHERS, "smtp_tls_exclude_ciphers")                                                 \
    X(HIGH_CIPHERS, "tls_high_cipherlist")                                                         \
    X(MEDIUM_CIPHERS, "tls_medium_cipherlist")                                                     \
    X(BIND_ADDRESS, "smtp_bind_address")                                                           \
    X(BIND_ADDRESS6, "smtp_bind_address6")                                                         \
    X(INET_INTERFACES, "inet_interfaces")                                                          \
    X(INET_PROTOCOLS, "inet_protocols")                                                            \
    X(TLS_LOGLEVEL, "smtp_tls_loglevel")                                                           \
    X(LOG_TLS_STATUS, "smtp_log_tls_feature_status")                                               \
    X(TLSRPT_ENABLE, "smtp_tlsrpt_enable")                                                         \
    X(SYSLOG_NAME, "syslog_name")                                                                  \
    X(RELAYHOST, "relayhost")                                                                      \
    X(MAILLOG_FILE, "maillog_file")                                                                \
    X(MAILLOG_SUFFIX, "maillog_file_rotate_suffix")                                                \
    X(MYHOSTNAME, "myhostname")                                                                    \
    X(SMTPD_LEVEL, "smtpd_tls_security_level")                                                     \
    X(SMTPD_CHAIN_FILES, "smtpd_tls_chain_files")                                                  \
    X(SMTPD_CERT_FILE, "smtpd_tls_cert_file")                                                      \
    X(SMTPD_KEY_FILE, "smtpd_tls_key_file")                                                        \
    X(SMTPD_ECCERT_FILE, "smtpd_tls_eccert_file")                                                  \
    X(SMTPD_ECKEY_FILE, "smtpd_tls_eckey_file")                                                    \
    X(SMTPD_AUTH_ONLY, "smtpd_tls_auth_only")                                                      \
    X(SERVER_SNI_MAPS, "tls_server_sni_maps")

enum postfix_parameter {
#define X(id, name) POSTFIX_##id,
    POSTFIX_PARAMETERS(X)
#undef X
        POSTFIX_PARAMETER_COUNT
};
#define POSTFIX_FIRST_OF_CLIENT POSTFIX_POLICY_MAPS
#define POSTFIX_FIRST_OF_LOG    POSTFIX_TLS_LOGLEVEL

extern const char *const postfix_parameter_names[POSTFIX_PARAMETER_COUNT];

/* A service of master.cf(5). Strings belong to the arena. */
struct postfix_service {
    const char *name, *type;
    const char *program;                            /* first word of the command */
    const char *chroot;                             /* "y", "n", "-" */
    const char *overrides[POSTFIX_PARAMETER_COUNT]; /* by -o; NULL: as in main.cf */
};

struct postfix {
    const char *values[POSTFIX_PARAMETER_COUNT]; /* NULL: unknown to this version */
    struct postfix_service services[POSTFIX_SERVICES_MAX];
    size_t service_count;
};

/* What postconf is asked for, in this order. */
enum postfix_question {
    POSTFIX_VALUES,   /* -x NAMES: parameters; anything read before is forgotten */
    POSTFIX_SERVICES, /* -F: services */
    POSTFIX_OVERRIDES /* -x -P: what services set by -o */
};
/* Reads what it prints. 0, or -1 with a message. Strings are copied to the arena. */
int postfix_read(struct postfix *postfix, struct arena *arena, enum postfix_question question,
                 const char *text, size_t length, char error[POSTFIX_ERROR_MAX]);

struct postfix_version {
    unsigned major, minor, patch;
};
/* "3.7.11", "3.12-20260821", "3.10.0-RC1"; false for anything else. */
bool postfix_version_parse(struct postfix_version *out, const char *text);
/* mail_version is at least MAJOR.MINOR. */
bool postfix_version_from(const struct postfix_version *version, unsigned major, unsigned minor);
/* Whether a service runs chrooted: "-" means what the compatibility level says (master.cf(5)). */
bool postfix_is_chrooted(const struct postfix *postfix, const struct postfix_service *service);

/* ---- lists of maps ---- */

enum postfix_map_kind {
    POSTFIX_MAP_UNIX, /* socketmap:unix:PATH:NAME */
    POSTFIX_MAP_INET, /* socketmap:inet:HOST:PORT:NAME */
    POSTFIX_MAP_TCP,  /* tcp:HOST:PORT */
    POSTFIX_MAP_STATIC,
    POSTFIX_MAP_OTHER
};

struct postfix_map {
    const char *text; /* as it stands, with proxy: */
    bool proxied;
    enum postfix_map_kind kind;
    const char *path, *host; /* UNIX: path; INET, TCP: host without brackets; else NULL */
    uint16_t port;
    const char *name; /* socketmap's map name; else NULL */
};

/* Splits a value of *_maps as Postfix does: commas and blanks, not inside braces. The number of
 * maps; -1 with a message when it is no list of TYPE:NAME. */
int postfix_maps_parse(struct postfix_map out[POSTFIX_MAPS_MAX], struct arena *arena,
                       const char *value, char error[POSTFIX_ERROR_MAX]);

/* ---- running postconf and postmap ---- */

/*
 * Runs a program of Postfix without a shell, with nothing on its standard input; its standard
 * output is appended to `out`. Its exit status, or -1 with a message: not there, longer than
 * the deadline, more output than `out` takes. With another status than 0, `error` is what it
 * said last on its standard error, "" for nothing.
 */
int postfix_program(const char *const *words, int64_t deadline_ms, struct buf *out,
                    char error[POSTFIX_ERROR_MAX]);
/* The same, with each part of the output for `take` when it comes; false from it ends the program,
 * which then printed too much. */
typedef bool postfix_taker(void *context, const char *text, size_t length);
int postfix_stream(const char *const *words, int64_t deadline_ms, postfix_taker *take,
                   void *context, char error[POSTFIX_ERROR_MAX]);
/* postfix_program with a file on its standard input, and its output dropped. */
int postfix_feed(const char *const *words, int64_t deadline_ms, int input,
                 char error[POSTFIX_ERROR_MAX]);
/* Asks postconf about the Postfix of that configuration directory (NULL: its default). 0, or -1. */
int postfix_load(struct postfix *postfix, struct arena *arena, const char *directory,
                 char error[POSTFIX_ERROR_MAX]);
