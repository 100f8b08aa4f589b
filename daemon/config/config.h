/*
 * config: mxcryptd.conf, parsed. The command mxcrypt reads the same file.
 *
 * Every key has a default for a Postfix on the same host, so that an empty file works. The table in
 * config_table.c is the only list of keys.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/log/log.h"
#include "base/valkey/valkey_tls.h"
#include "base/valkey/valkey_url.h"
#include "policy/rules/override.h"
#include "policy/decide/verdict.h"
#include "probe/options.h"

#define CONFIG_KEYS          83
#define CONFIG_LISTEN_MAX    16
#define CONFIG_LISTS_MAX     16
#define CONFIG_UNIX_PATH_MAX 107 /* sockaddr_un, less the NUL */

/* The protocol of a listening socket. */
enum listen_protocol {
    LISTEN_SOCKETMAP,
    LISTEN_TCP_TABLE,
    LISTEN_EXIM,
    LISTEN_CONTROL,
    LISTEN_KINDS
};

/* The names of a protocol. */
struct listen_kind {
    const char *fd_name; /* FileDescriptorName= of a socket that systemd passes */
    /* What comes before the path or address in a `listen` line and in the log; NULL: never there */
    const char *unix_prefix, *tcp_prefix;
};
extern const struct listen_kind listen_kinds[LISTEN_KINDS];

/* One `listen =` line. */
struct listen_address {
    enum listen_protocol protocol;
    const char *path; /* Unix socket; NULL for TCP */
    struct ip ip;
    uint16_t port;
    const char *owner, *group; /* NULL: ours */
    unsigned mode;
};

/* How the modes that a policy list has are taken. */
enum list_as { LIST_AS_FILE, LIST_AS_TESTING, LIST_AS_ENFORCE };

/* One `policy-list =` line. */
struct config_list {
    const char *source; /* as it is written: the name of the list */
    const char *host;   /* of an https URL; NULL: the list is a file */
    uint16_t port;
    const char *path; /* of the URL, or of the file */
    const char *key_path;
    const char *fingerprint; /* of an OpenPGP primary key (openpgp_fingerprint); NULL: minisign */
    enum list_as as;
    int64_t min_age_ms;
};

/* Where a configuration came from, to read it again. Borrowed from the caller of config_load. */
struct config_source {
    const char *path; /* NULL: the default file */
    const char *const *overrides;
    size_t override_count;
};

struct config {
    struct arena *arena; /* owned; every string below is in it */
    struct config_source source;
    const char *texts[CONFIG_KEYS]; /* the values as given */

    struct listen_address listen[CONFIG_LISTEN_MAX];
    size_t listen_count;
    bool listen_default; /* no `listen` line was given */
    const char *control_socket;
    struct ip metrics_ip;
    uint16_t metrics_port; /* 0: no metrics */
    const char *user;      /* that root becomes */
    bool sandbox;
    bool log_syslog;
    enum log_level log_level;

    struct override_options override;
    const char *rules_path;
    bool rules_optional; /* the default file may be missing */

    struct verdict_options verdict;
    struct prober_options prober;

    int64_t answer_deadline_ms, job_deadline_ms;
    unsigned jobs_max, jobs_suffix_max;
    unsigned connections_max;
    int64_t idle_timeout_ms;
    int64_t stall_warning_ms;
    size_t cache_entries, cache_octets;

    const char *store_path; /* NULL: nothing survives a restart */
    int64_t store_flush_ms;
    const char *import_path; /* an export to begin with; NULL: none */
    int64_t stale_deadline_ms;
    int64_t refresh_idle_ms; /* 0: nothing is refreshed */
    unsigned refresh_rate;   /* lookups a second */
    int64_t hold_reminder_ms;

    struct config_list lists[CONFIG_LISTS_MAX]; /* the first that has a domain counts */
    size_t list_count;
    int64_t list_refresh_ms, list_stale_ms;

    /* Of TLSRPT reports, which the command mxcrypt makes; NULL: not set */
    const char *tlsrpt_organization, *tlsrpt_contact;

    const struct valkey_url *share;                   /* NULL: this relay shares nothing */
    const char *share_password_file, *share_key_file; /* NULL: none */
    const char *share_prefix, *share_name;            /* share_name: of this relay */
    const char *share_ca_file, *share_cert_file, *share_cert_key; /* NULL: none */
    int64_t share_deadline_ms;
    /* of config_read_share */
    const char *share_password;   /* NULL: that of the URL */
    struct valkey_tls *share_tls; /* owned; NULL: in clear */
    const char *share_key;        /* NULL: none */
    size_t share_key_length;      /* octets: MAC_KEY_MIN to MAC_KEY_MAX */
};

/* A message names file and line: "mxcryptd.conf:12: lisen: unknown key". */
#define CONFIG_ERROR_MAX 1024

/*
 * Reads `path` (NULL: the default file, which may be missing), then the `overrides` ("key=value",
 * as from -o; they override the file); both are borrowed and must stay in place. 0, or -1 with
 * a message in `error`. Free with config_fini either way.
 */
int config_load(struct config *config, const char *path, const char *const *overrides,
                size_t override_count, char error[CONFIG_ERROR_MAX]);
/* The same from text, for tests; `name` is the file in messages. */
int config_parse(struct config *config, const char *name, const char *text, size_t length,
                 const char *const *overrides, size_t override_count, char error[CONFIG_ERROR_MAX]);
/* Reads the files of share-password-file and share-key-file, as the user that may, where an end of
 * line at the end does not count; and what TLS to the share takes. 0, or -1 with a message. */
int config_read_share(struct config *config, char error[CONFIG_ERROR_MAX]);
/* A hash of the keys that decide what a lookup finds (CONFIG_LOOKUP), as they are written: equal at
 * relays that can use each other's results. */
uint32_t config_lookup_hash(const struct config *config);
void config_fini(struct config *config);
/* Reads the file of rules. 0 with *out (NULL when the default file is missing) for the caller to
 * free, or -1 with a message: "/etc/mxcrypt/rules: line 12: ...". */
int config_read_rules(struct rules **out, const struct config *config,
                      char error[CONFIG_ERROR_MAX]);

/* The first key from *index on whose values differ and which a reload cannot change; NULL if there
 * is none. Moves *index past it. */
const char *config_next_fixed_change(const struct config *a, const struct config *b, size_t *index);
