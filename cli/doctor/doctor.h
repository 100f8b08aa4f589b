/*
 * doctor: the facts that `mxcrypt doctor` gathers, and what it makes of them.
 *
 * Glossary
 *   facts     what was read and what was tried, plain data (doctor_gather.c and what it calls)
 *   client    the smtp(8) services of master.cf that have the same settings: seen as one
 *   check     a name, and a function that judges the facts (doctor_judge*.c): pure
 *   finding   something that is wrong, and the line that fixes it
 *   not made  a check for which a fact could not be had: reported, never skipped
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/net/hostname.h"
#include "cli/postfix/postfix.h"
#include "daemon/config/config.h"
#include "probe/dns/dns_check.h"

#define DOCTOR_FINDINGS_MAX 200
#define DOCTOR_CLIENTS_MAX  POSTFIX_SERVICES_MAX
#define DOCTOR_CHECKS_MAX   40
#define DOCTOR_HOSTS_MAX    8 /* mail hosts tried for port 25 */
#define DOCTOR_WHY_MAX      256

#define DOCTOR_INTERFACES_MAX 64 /* addresses that inet_interfaces stands for */

/* ---- facts ---- */

enum doctor_state { DOCTOR_NOT_TRIED, DOCTOR_GOOD, DOCTOR_BAD };

/* Something that was really tried. */
struct doctor_try {
    enum doctor_state state;
    int error; /* BAD: errno, 0 when it is none */
    char why[DOCTOR_WHY_MAX];
};

struct doctor_map {
    struct postfix_map map;
    bool chrooted;             /* like its reader: smtp(8), proxymap(8) for proxy: */
    struct doctor_try catches; /* before ours: BAD when it answers for a name that does not
                                  exist; with an errno when it cannot be looked up */
    struct doctor_try socket;  /* ours: asked one question, as smtp(8) would */
};

struct doctor_client {
    const char *where; /* "main.cf", "master.cf service X, Y" */
    bool main;         /* none of its settings is by -o */
    bool chrooted;
    const char *values[POSTFIX_PARAMETER_COUNT]; /* in force */
    struct doctor_map *maps;
    size_t map_count;
    int ours;              /* index of the first map that leads to mxcryptd; -1: none */
    const char *map_error; /* the list makes no sense; else NULL */
    struct doctor_try ca_file, ca_path;
    struct ip interfaces[2]; /* by inet_interfaces: see doctor_one_interface */
    bool interfaces_unknown;
};

enum doctor_answer { DOCTOR_UNREACHABLE, DOCTOR_INSECURE, DOCTOR_SECURE };

/* A resolver, asked for the signed root. */
struct doctor_resolver {
    bool asked;
    enum doctor_answer answer;
    char why[DOCTOR_WHY_MAX];            /* UNREACHABLE */
    char servers[DNS_CHECK_SERVERS_MAX]; /* its addresses */
    bool remote;                         /* one of them is not on this host */
    bool trust_ad;                       /* resolv.conf says so */
    bool no_file;                        /* there is no such resolv.conf: libc asks 127.0.0.1 */
};

enum doctor_helo {
    DOCTOR_HELO_NOT_TRIED,
    DOCTOR_HELO_NO_NAME, /* none is configured, and this host has none */
    DOCTOR_HELO_NO_ADDRESS,
    DOCTOR_HELO_ELSEWHERE,
    DOCTOR_HELO_HERE
};

#define DOCTOR_SECRETS_MAX 4
#define DOCTOR_RELAYS_MAX  1000

/* A file with a secret of the share. */
struct doctor_secret {
    const char *path;
    const char *key; /* of mxcryptd.conf, that names it; NULL: it is that file itself */
    bool open;       /* to others than its owner and group, or for its group to write */
};

/* A relay of the farm, as the daemon lists it. */
struct doctor_relay {
    const char *name, *version, *rules, *settings, *mode; /* rules "": none */
    int64_t rollout, silent_s, behind_s, skew_ms;
    bool self;
};

/* The share: what its files are, and what the daemon says of its server. */
struct doctor_share {
    const char *secrets_error; /* NULL: they can be read */
    bool secrets_forbidden;    /* they are not for us */
    struct doctor_secret secrets[DOCTOR_SECRETS_MAX];
    size_t secret_count;
    const char *unknown; /* the daemon says nothing of it, for this reason; else NULL */
    bool unshared;       /* it has none */
    const char *server, *user;
    bool ready;
    int64_t for_s;
    const char *error, *news_error; /* "": none */
    int64_t skew_ms;                /* the clock here, less the server's */
    const char *policy;             /* NULL: see memory_error */
    const char *memory_error;
    int64_t used_octets, max_octets; /* max_octets 0: no limit */
    bool rights_known;
    const char *lacks, *exceeds; /* commands, with ", " between; "": none */
    const char *rights_error;
    struct doctor_relay *relays;
    size_t relay_count;
};

/* A policy-list line: its key, and what the daemon says of it. */
struct doctor_list {
    const char *source, *key_path;
    bool openpgp;
    bool key_forbidden;    /* it is not for us */
    const char *key_error; /* NULL: it can be read, and is a key */
    const char *state;     /* of the daemon; NULL: it has no such list */
    const char *why;       /* what is wrong with the source; "": nothing */
    const char *not_kept;  /* why it cannot be kept on disk; "": it is */
    bool stale;
    int64_t expires_s; /* of the list in memory, wall clock; 0: there is none */
};

struct doctor_lists {
    const char *unknown; /* the daemon says nothing of them, for this reason; else NULL */
    bool no_gpgv;        /* it is nowhere in PATH */
    struct doctor_list *lists;
    size_t count;
};

/* A `listen` address, asked one question in its protocol. */
struct doctor_listener {
    const char *name; /* as a `listen` line has it */
    struct doctor_try tried;
};

struct doctor_facts {
    /* given */
    bool self;           /* only mxcryptd itself is asked, and judged */
    struct arena *arena; /* strings and arrays below belong to it */
    const struct config *config;
    const char *config_error; /* NULL: it was read */
    const char *config_path;
    const char *postfix_directory; /* NULL: postconf's */
    const char *const *mail_hosts; /* for port 25; none: some are chosen */
    size_t mail_host_count;

    /* gathered */
    const char *rules_error; /* NULL: they were read, or there are none */
    bool rules_forbidden;    /* the file is not for us */

    struct doctor_try daemon;   /* its control socket */
    const char *daemon_version; /* NULL: unknown */
    const char *version;        /* ours */
    int64_t end_ms;             /* monotonic: when asking it must end; 0: no such limit */

    /* Only with `self`. */
    struct doctor_listener *listeners;
    size_t listener_count;
    struct doctor_try store; /* of a configuration with one */

    const struct postfix *postfix; /* NULL: see postfix_error */
    const char *postfix_error;
    struct postfix_version postfix_version;
    bool postfix_version_known;
    struct doctor_client *clients;
    size_t client_count;

    struct doctor_resolver resolver; /* mxcryptd's */
    struct doctor_resolver libc[2];  /* smtp(8)'s: not chrooted, chrooted */
    const char *resolv_conf[2];      /* their files */

    bool clock_known, clock_unsynchronised;
    int64_t now_s, built_s;

    struct doctor_share share; /* of a configuration with one */
    struct doctor_lists lists; /* of a configuration with policy lists */

    struct doctor_try source[2]; /* probe-bind-address, probe-bind-address6; NOT_TRIED: not set */
    struct doctor_try port25;    /* BAD: error is ETIMEDOUT or ECONNREFUSED */
    const char *ca_suggestion;   /* a CA file that exists */
    const char *map_suggestion;  /* the value of smtp_tls_policy_maps that suits */

    enum doctor_helo helo;
    char helo_name[HOSTNAME_MAX + 1]; /* found where none is configured; "": none */
    char helo_why[DOCTOR_WHY_MAX];    /* addresses, or why not tried */
};

/* Makes clients of the services of facts->postfix: values, maps and which of them are ours. What
 * is tried is left NOT_TRIED. Pure. Without memory facts->arena has failed. */
void doctor_clients(struct doctor_facts *facts);
/* Whether mxcryptd is asked by a client. */
bool doctor_any_asks(const struct doctor_facts *facts);
/* True when mxcryptd is asked by this client, or by none: then main.cf's is looked at. */
bool doctor_client_matters(const struct doctor_facts *facts, const struct doctor_client *client);
/* A parameter of a client or of main.cf; "" when this Postfix has it not. */
const char *doctor_value(const char *const *values, enum postfix_parameter parameter);
/* True when a map leads to a `listen` address of the configuration. Pure: names are compared. */
bool doctor_map_is_ours(const struct config *config, const struct postfix_map *map,
                        const char *queue_directory);
/* The value for smtp_tls_policy_maps that suits this Postfix and this configuration; NULL when
 * mxcryptd listens nowhere. Pure. */
const char *doctor_suggest_map(const struct doctor_facts *facts);

/* Addresses of a host name: their number, at most `max`; -1 on failure. */
typedef int doctor_resolve(const char *name, struct ip *out, size_t max);
/*
 * The source address that smtp(8) binds to without smtp_bind_address. Fills out[0] for IPv4 and
 * out[1] for IPv6: the one address of the family when inet_interfaces stands for one only and it is
 * no loopback address (postconf(5)), else family 0. False when a name could not be resolved, or for
 * too many addresses. As pure as `resolve`.
 */
bool doctor_one_interface(struct ip out[2], const char *inet_interfaces, doctor_resolve *resolve);

/* ---- findings ---- */

enum doctor_level { DOCTOR_WARNING, DOCTOR_ERROR };

struct doctor_finding {
    const char *check;
    enum doctor_level level;
    const char *where; /* "" for what is not Postfix's */
    const char *what, *fix;
};

struct doctor_outcome {
    const char *check;
    const char *why; /* could not be made; NULL: made */
};

struct doctor_report {
    struct arena *arena; /* the facts' */
    struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
    size_t finding_count;
    struct doctor_outcome checks[DOCTOR_CHECKS_MAX];
    size_t check_count;
    bool restart_helps; /* something is wrong that a restart of mxcryptd may end */
    /* while judging */
    const struct doctor_facts *facts;
    const struct doctor_client *client; /* NULL: what is judged is not Postfix's */
};

/* Judges everything, or only what compares the probes with Postfix: for that clients are all that
 * it needs of the facts. Strings of the report belong to the facts. Pure. */
void doctor_judge(struct doctor_report *report, const struct doctor_facts *facts,
                  bool probes_alone);

/* Appends what `mxcrypt postfix-config` prints: lines of main.cf(5) that suit the facts, with their
 * reasons as comments. `compared` is what the probes alone were judged by. Pure. */
void doctor_lines(struct buf *out, const struct doctor_facts *facts,
                  const struct doctor_report *compared);

/* Appends what `mxcrypt postfix-config --inbound` prints: lines for the mail that comes in. More
 * than one of facts->mail_hosts: names that the server is known by. `enforce`: no mail without TLS.
 * Pure. */
void doctor_lines_inbound(struct buf *out, const struct doctor_facts *facts, bool enforce);

/* For the judges of doctor_judge*.c: something is wrong with report->client. The same fault of
 * another client is reported once. */
void doctor_find(struct doctor_report *report, enum doctor_level level, const char *fix,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
void doctor_not_made(struct doctor_report *report, const char *why);

typedef void doctor_judgement(struct doctor_report *report);
doctor_judgement doctor_judge_version, doctor_judge_map, doctor_judge_socket, doctor_judge_source;
/* doctor_judge_share.c: of a configuration with a share. */
doctor_judgement doctor_judge_share, doctor_judge_share_files, doctor_judge_share_tls,
    doctor_judge_share_key, doctor_judge_share_rights, doctor_judge_share_memory,
    doctor_judge_share_clock, doctor_judge_share_relays;
/* doctor_judge_lists.c: of a configuration with policy lists. */
doctor_judgement doctor_judge_list_keys, doctor_judge_gpgv, doctor_judge_lists,
    doctor_judge_list_expiry, doctor_judge_list_kept;
/* For each client that matters. */
doctor_judgement doctor_judge_map_name, doctor_judge_map_order, doctor_judge_proxy,
    doctor_judge_dns_support, doctor_judge_host_lookup, doctor_judge_insecure_mx, doctor_judge_ca,
    doctor_judge_security_level, doctor_judge_protocols, doctor_judge_ciphers,
    doctor_judge_bind_address;

/* ---- gathering ---- */

/* Fills the facts from what is given in them; takes seconds. Without memory facts->arena has
 * failed. */
void doctor_gather(struct doctor_facts *facts);
/* Only what is to be read about Postfix, and what follows from it: nothing is tried. */
void doctor_gather_postfix(struct doctor_facts *facts);
/* A CA file that exists: mxcryptd's own, else the system's; NULL when there is none. */
const char *doctor_ca_file(const struct config *config);
