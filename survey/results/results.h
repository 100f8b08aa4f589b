/*
 * results: the results file of a survey: an SQLite database whose tables mxcrypt-survey(5) describes.
 * It is also the survey's memory: what is to be looked up next is asked of it, so that memory does
 * not grow with the number of domains, and a run that was killed goes on from it.
 *
 * One thread, one writer. What is written is in a transaction that results_commit ends: a kill
 * loses what came after the last one, and leaves the file whole.
 *
 * Glossary
 *   id      of a domain, host or address: a hash of its name under the seed of the run, so that the
 *           order of ids is a random one, and the same in every run with this seed
 *   pair    a host and one of its addresses: what was shown there is judged for the host's name
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/net/address_filter.h"
#include "policy/decide/verdict.h"
#include "survey/unit/unit.h"

#define RESULTS_FORMAT    1 /* PRAGMA user_version */
#define RESULTS_ERROR_MAX 600
#define RESULTS_TEXT_MAX                                                                           \
    600 /* octets of a column of text that is foreign, escaped; longer is cut */

/* The row of the table `run`: what the survey was made with. Strings belong to its holder. */
struct results_run {
    const char *list; /* where the names came from */
    int64_t seed;
    int64_t sample;                 /* 0: all */
    unsigned shard, shards;         /* this is number `shard`, from 1, of `shards`; 1 and 1: all */
    bool dnssec;                    /* the resolver validates */
    const char *helo;               /* NULL: none */
    struct verdict_options verdict; /* dane, partial_dane, testing_enforced, wildcard_hosts, probe,
                                       verify are kept; times are not */
    int64_t began, ended;           /* seconds since 1970; ended 0: not finished */
    int64_t names;     /* different domains in the list, before sampling and sharding */
    int64_t lines_bad; /* lines that are no domain */
    bool names_read;   /* the whole list is in the file */
};

struct results;

/* Makes a new file, which must not exist (EEXIST in words), or NULL after a message in `error`. */
struct results *results_create(const char *path, const struct results_run *run,
                               char error[RESULTS_ERROR_MAX]);
/* Opens an existing one, `write` to go on with it; NULL after a message: not there, not ours, of a
 * later format, in use by another survey. */
struct results *results_open(const char *path, bool write, char error[RESULTS_ERROR_MAX]);
/* The file that is being written once more, for another thread to read: what was committed. NULL
 * after a message. */
struct results *results_reader(struct results *results, char error[RESULTS_ERROR_MAX]);
/* What is read between these two is of one moment. False on failure, and then the second may be
 * called as well. */
bool results_read_begin(struct results *reader);
void results_read_end(struct results *reader);
/* Commits first when it is being written to; closes a NULL too. A finished file is one file then:
 * without -wal and -shm. False when the last commit failed. */
bool results_close(struct results *results);
/* Removes a closed file that was not made to its end, with its log. */
void results_remove(const char *path);
/* What went wrong last, in words, with the file's name. */
const char *results_error(const struct results *results);

/* What it was made with; the strings are the results'. After a merge: the first run. */
const struct results_run *results_run(const struct results *results);
bool results_set_run(struct results *results, const struct results_run *run);

/* Ends the transaction under way, if there is one, and lets the next write begin another. */
bool results_commit(struct results *results);
/* Drops what was written since the last commit, so that no half of a result stays: to be called when
 * a write has failed. results_error is left as it is. */
void results_rollback(struct results *results);
/* Whether the path still leads to the file that is being written. False when it was removed or
 * replaced, so that nobody would find what is written. */
bool results_in_place(struct results *results);

/* ---- names ---- */

/* Hosts that it excludes by name are noted as opted out, those that are in the file already as well,
 * with their addresses; domains that it excludes and that were not looked up yet are dropped.
 * Borrowed. */
bool results_set_filter(struct results *results, const struct address_filter *filter);
/* Adds a domain (A-labels, lower case), unless it is there: then the larger weight counts, so that
 * reading a list twice changes nothing. False on failure of the disk. *is_new: it was not there. */
bool results_add_domain(struct results *results, const char *name, int64_t weight, bool *is_new);
/* Keeps the `count` domains with the smallest ids and drops the others: a random sample. To be
 * called now and then while names are added, and at the end. */
bool results_sample(struct results *results, int64_t count);
/* Drops all domains, so that a list which was not read to its end is read anew and counted as a
 * whole. Nothing was looked up yet. */
bool results_drop_names(struct results *results);

/* ---- what to look up next ---- */

/*
 * Gives up to `max` units of a kind with ids greater than `after` that have no result yet, in the
 * order of their ids. Their number, or -1. For UNIT_ADDRESS: the first connection to an address
 * sends the name of one of its hosts, those with usable TLSA records first, then the smallest id;
 * addresses that `results_retry` has asked for again come too.
 * An address that also belongs to a host that is opted out is given with `opted_out` set.
 */
int results_next(struct results *results, enum unit_kind kind, int64_t after, struct unit *out,
                 int max);
/* To be called before addresses are looked up: makes the indexes that this needs, unless they are
 * there. Made at once they cost less than row by row. */
bool results_index_addresses(struct results *results);
/* Units of a kind that exist, and that have a result; connections that are wanted again count. */
bool results_count(struct results *results, enum unit_kind kind, int64_t *all, int64_t *done);

/* ---- what came ---- */

/* Writes one result: its rows and, for a domain, its hosts, for a host its addresses, as new units
 * unless they are known. failed_here results are written too (error "local"): the caller has tried
 * again often enough. */
bool results_put(struct results *results, const struct unit_result *result);

/* ---- judging: survey/judge.c ---- */

/* One handshake of an address: the first, and those with another name. */
struct results_handshake {
    const char *sni;          /* the name that was sent */
    struct address_seen seen; /* with `shown` from the file */
};
#define RESULTS_HANDSHAKES_MAX 8

/* The handshakes at an address, the first one first; their number, -1 on failure. In `arena`. */
int results_handshakes(struct results *results, int64_t address, struct arena *arena,
                       struct results_handshake out[RESULTS_HANDSHAKES_MAX]);

/* A pair to be judged. */
struct results_pair {
    int64_t host;
    const char *name, *sni; /* of the host: its name, and what it should be asked by */
    size_t tlsa_count;
    const struct tlsa *tlsa;
};
/* Calls `take` with each pair of an address, by the ids of the hosts. False on failure, or when
 * `take` says false. */
typedef bool results_pair_taker(void *context, const struct results_pair *pair);
bool results_each_pair(struct results *results, int64_t address, results_pair_taker *take,
                       void *context);
/* Writes what the pair came to; `sni` is that of the handshake which was judged. */
bool results_put_pair(struct results *results, int64_t address, int64_t host, const char *sni,
                      const struct starttls_result *result);
/* Notes that a TLSA record (by its place among its host's) matched at an address, or did not: in the
 * end it matched if it did everywhere. */
bool results_put_match(struct results *results, int64_t host, size_t index, bool matched);
/* Wants another connection to an address, with this name. */
bool results_retry(struct results *results, int64_t address, int64_t host, const char *sni);

/* ---- deciding: survey/decide.c ---- */

/* The evidence of a domain, as the daemon would have it after a whole lookup at `now` (the clock of
 * evidence.h), in `arena`; what is said of hosts is the results' until the next call or write. False
 * when the domain is not there or was not looked up, or on failure; results_error is "" in the first
 * cases. */
bool results_evidence(struct results *results, int64_t domain, int64_t now, struct arena *arena,
                      struct evidence *out);
/* Gives up to `max` ids of domains that were looked up and have no verdict, greater than `after`.
 * Their number, or -1. */
int results_undecided(struct results *results, int64_t after, int64_t *out, int max);
/* To be called when all is looked up, before the first verdict: makes results_finish faster. */
bool results_count_operators(struct results *results);
/* Writes the columns of a verdict; `answer` is what Postfix would be told. */
bool results_put_verdict(struct results *results, int64_t domain, const struct verdict *verdict,
                         const char *answer);
/* For a domain that gets none: it has no share of its operator. */
bool results_put_no_share(struct results *results, int64_t domain);
/* The id of a domain by its name; false when it is not there. */
bool results_find(struct results *results, const char *name, int64_t *id);
/* Works out what needs all rows (the operator's share of each domain), sets `ended`, and leaves the
 * file as one file. */
bool results_finish(struct results *results, int64_t ended);

/* ---- merging ---- */

/*
 * Makes a new file of several: their runs are in it side by side, the first one first, and of a
 * domain, host, address or chain that is in several the result that is the latest; one that says
 * nothing, since it failed here or no connection was made, only if there is no other. Ids are those
 * under the seed of the first. No domain has a verdict: to be decided, by the options of the first
 * run, and finished. NULL after a message; there is no file then. *unwritten: it is the new file
 * that failed.
 */
struct results *results_merge(const char *out, const char *const *paths, size_t count,
                              bool *unwritten, char error[RESULTS_ERROR_MAX]);

/* ---- reading for pages ---- */

/* One value of a row. */
struct results_value {
    enum { RESULTS_NULL, RESULTS_NUMBER, RESULTS_REAL, RESULTS_TEXT, RESULTS_OCTETS } type;
    int64_t number;
    double real;
    const char *text; /* borrowed until the next row; TEXT: ends with a NUL; OCTETS: not */
    size_t length;
};
/* Runs one SELECT and calls `take` with each row. `parameters` are bound to ?1, ?2 ... as texts.
 * False on failure, or when `take` says false. */
typedef bool results_row_taker(void *context, const struct results_value *values, int count);
bool results_query(struct results *results, const char *sql, const char *const *parameters,
                   size_t parameter_count, results_row_taker *take, void *context);
/* The names of the columns of a SELECT; their number, -1 on failure. Borrowed until the next call. */
int results_columns(struct results *results, const char *sql, const char **names, int max);
/* Attaches another results file, to read it as schema `old`; for diff and merge. */
bool results_attach(struct results *results, const char *path, const char *schema,
                    char error[RESULTS_ERROR_MAX]);
