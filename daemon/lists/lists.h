/*
 * lists: the policy lists in force (mxcrypt-list(5)), in the order of the configuration: read from
 * files and fetched over HTTPS, verified, and used from the moment that they may be until they
 * expire. No mail waits for any of it: a list that cannot be used is not there.
 *
 * GLOSSARY
 *   source     where a list comes from: one policy-list line, and the list's name for people
 *   newest     the latest timestamp that was in force from a source: no older list is taken
 *   copy       the list and its signature as they were read last, in the folder of the store
 *
 * DIAGNOSTICS
 *   policy-list            a list is in force
 *   policy-list-refused    a list is not taken; the one in force stays, as long as it may
 *   policy-list-dropped    the key is another, and the list in force is not verified by it
 *   policy-list-waits      a list waits for its timestamp, or for min-age
 *   policy-list-expires    the list in force expires within LISTS_WARN_BEFORE_S
 *   policy-list-expired    the list has expired, and is used no more
 *   policy-list-stale      the source has not been read or fetched for policy-list-stale
 *   policy-list-not-kept   newest and copy cannot be kept in the folder of the store
 */
#pragma once

#include <uv.h>

#include "daemon/config/config.h"
#include "policy/evidence.h"

#define LISTS_START_MS      20000
#define LISTS_WARN_BEFORE_S (3 * 86400) /* before a list expires */

struct lists;
struct dns;
struct tls_context;
struct verifier;

/* What lists are fetched and verified with; borrowed. */
struct lists_tools {
    struct dns *dns; /* NULL: nothing is fetched */
    struct tls_context *tls;
    struct verifier *verifier; /* NULL: no OpenPGP signature can be verified */
};

/* Reads the files, and the copies of lists that are fetched; this waits for all of them, for
 * LISTS_START_MS at most: what takes longer goes on while the daemon runs. `config`
 * is borrowed. 0 or UV_ENOMEM: whatever is wrong with a list is no reason not to start. */
int lists_new(struct lists **out, uv_loop_t *loop, const struct config *config,
              const struct lists_tools *tools);
/* Ends all that is under way. Handles close as the loop runs; then lists_free. */
void lists_close(struct lists *lists);
void lists_free(struct lists *lists);

/* Called whenever what lists_find says may have changed. */
typedef void (*lists_on_changed)(void *context);
void lists_watch(struct lists *lists, lists_on_changed changed, void *context);

/* Takes the lines of a configuration that was read again; `config` is borrowed for the call only.
 * All lists are read again, a while later. */
void lists_configure(struct lists *lists, const struct config *config);

/* What the first list in force that has the domain says of it; what it points to is valid until
 * `changed` is called next. False, and LIST_NONE, when none has it. NULL stands for no lists.
 * `domain`: A-label, lower case. */
bool lists_find(struct list_evidence *out, const struct lists *lists, const char *domain);
