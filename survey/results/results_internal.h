/*
 * results_internal: what the files of this folder share: the statements, values to bind and rows to
 * read, words of enums, ids.
 *
 * A results file can come from anybody. Columns are read by row_*: a value of another type than
 * ours, a text with a NUL inside or one that is too long, is taken for NULL.
 */
#pragma once

#include "base/sql/sql.h"
#include "survey/results/results.h"
#include "survey/results/results_statements.h"

#define RESULTS_APPLICATION_ID 0x4d584352        /* PRAGMA application_id: "MXCR" */
#define RESULTS_VALUE_MAX      (4 * 1024 * 1024) /* octets of a row; ours have less than a tenth */
#define RESULTS_DER_MAX        (128 * 1024)      /* octets of a certificate that is read */
#define RESULTS_RUN            1                 /* run.id of what is added */

#define RESULTS_NONE "it is no results file of mxcrypt survey"

extern const char results_schema[]; /* schema.sql */

/* Units of one kind: in all, and those that have a result. */
struct results_tally {
    int64_t all, done;
};

struct results_hosts;
struct results_known;

struct results {
    struct sql *sql; /* owned */
    int lock;        /* a descriptor that holds the lock of who writes; -1: reads only */
    char *path;      /* owned */
    char error[RESULTS_ERROR_MAX];
    bool in_transaction;
    struct arena *arena;         /* owned: the strings of `run` */
    struct arena *scratch;       /* owned: of one call */
    struct results_hosts *hosts; /* owned */
    struct results_known *known; /* owned */
    struct results_run run;
    int64_t sample_end;     /* domains with greater ids are not in the sample */
    bool counted;           /* `tallies` were read from the file */
    bool operators_counted; /* verdicts are written with the shares: results_shares.c */
    struct results_tally tallies[UNIT_KIND_COUNT];
    const struct address_filter *filter;                  /* borrowed, or NULL */
    struct sql_statement *statements[RESULTS_STATEMENTS]; /* NULL until they are needed */
};

/* ---- errors, transactions ---- */

/* What SQLite said last, in words for who opened the file. Static, or until the next call. */
const char *results_said(const struct results *results);
/* Notes it; false. */
bool results_fail(struct results *results);
/* Notes something else; false. */
bool results_fail_with(struct results *results, const char *why);
/* Begins a transaction unless one is under way. */
bool results_begin(struct results *results);
/* Runs statements that sort many rows, as a transaction of their own, in little memory. */
bool results_sort(struct results *results, const char *sql);
/* Whether what is open is a results file: `schema` is "main" or that of an attached one. */
bool results_format_ok(struct results *results, const char *schema, char error[RESULTS_ERROR_MAX]);

/* Whether the path is that of a plain file, and its journals are: a device or a pipe could block for
 * ever. */
bool results_is_file(struct results *results);

/* ---- hosts, for evidence: results_host.c ---- */

/* NULL without memory. */
struct results_hosts *results_hosts_new(void);
void results_hosts_free(struct results_hosts *hosts);
/* The host with that id, without preference, its addresses as they are in the file; NULL: there is
 * none. Borrowed until results_hosts_tidy or results_hosts_forget. False on failure. */
bool results_host(struct results *results, int64_t id, const struct mx_host **out);
/* Forgets all hosts if there are many. */
void results_hosts_tidy(struct results *results);
/* The same at once: something is written. */
void results_hosts_forget(struct results *results);

/* ---- hosts that were named lately: results_known.c ---- */

/* NULL without memory. */
struct results_known *results_known_new(void);
void results_known_free(struct results_known *known);
/* Whether the host is known to be there under that id. */
bool results_is_known(const struct results_known *known, int64_t id, const char *name);
void results_know(struct results_known *known, int64_t id, const char *name);
/* The base domain of a host: a part of `name`. */
const char *results_operator(struct results_known *known, int64_t id, const char *name);
/* Forgets which are there: what was written may be gone. */
void results_known_forget(struct results_known *known);

/* ---- statements ---- */

/* Runs one that writes. */
bool results_execute(struct results *results, enum results_statement which,
                     const struct sql_value *values, int count);
/* Runs the UPDATE of a result, whose last value says whether it may replace another: not at first;
 * *again: there is one, and nothing was written. */
bool results_update(struct results *results, enum results_statement which,
                    const struct sql_value *values, int count, bool *again);
/* Binds one that reads; NULL on failure. Step with results_row, and end with sql_reset. */
struct sql_statement *results_select(struct results *results, enum results_statement which,
                                     const struct sql_value *values, int count);
/* SQL_ERROR has been noted. */
enum sql_step results_row(struct results *results, struct sql_statement *statement);
/* The first column of the first row, 0 without one. */
bool results_number(struct results *results, enum results_statement which,
                    const struct sql_value *values, int count, int64_t *out);

static inline struct sql_value value_none(void)
{
    return (struct sql_value){.type = SQL_NONE};
}

static inline struct sql_value value_number(int64_t number)
{
    return (struct sql_value){.type = SQL_NUMBER, .number = number};
}

/* A name or word of ours; NULL is NULL. */
static inline struct sql_value value_text(const char *text)
{
    return (struct sql_value){.type = text == NULL ? SQL_NONE : SQL_TEXT, .text = text};
}

static inline struct sql_value value_octets(const void *octets, size_t length)
{
    return (struct sql_value){.type = SQL_OCTETS, .octets = octets, .length = length};
}

/* Texts that come from elsewhere: made printable, and cut at RESULTS_TEXT_MAX; the copy is of
 * `scratch`. */
struct sql_value value_foreign(struct results *results, const char *text);
/* A name from the DNS, which need not be a host name: none then. */
struct sql_value value_name(const char *name);
/* A TTL: UINT32_MAX is none. */
struct sql_value value_ttl(uint32_t ttl);
/* A number that is none when it is 0. */
struct sql_value value_unless_zero(int64_t number);

int64_t row_number(struct sql_statement *row, int column, int64_t otherwise);
uint32_t row_ttl(struct sql_statement *row, int column); /* UINT32_MAX: none */
bool row_is(struct sql_statement *row, int column);      /* a truth; not known is false */
bool row_null(struct sql_statement *row, int column);
/* NULL for what is no text of at most `max` octets; borrowed until the next step. */
const char *row_text(struct sql_statement *row, int column, size_t max);
/* A copy in `arena`. */
const char *row_text_copy(struct sql_statement *row, int column, size_t max, struct arena *arena);

/* ---- words ---- */

struct results_words {
    const char *const *words;
    int count;
    bool unknown; /* the first word means that nothing is known: NULL in the file */
};
extern const struct results_words results_mx_words, results_dane_words, results_starttls_words,
    results_sts_words, results_match_words, results_fault_words, results_partial_words,
    results_mode_words;
struct sql_value value_word(const struct results_words *words, unsigned number);
/* The number of the word in a column; 0 for NULL and for any other word. */
unsigned row_word(struct sql_statement *row, int column, const struct results_words *words);

/* ---- ids ---- */

enum results_id_kind { RESULTS_ID_DOMAIN, RESULTS_ID_HOST, RESULTS_ID_ADDRESS };

/* The id that a name should have: 1 to INT64_MAX. */
int64_t results_id(const struct results *results, enum results_id_kind kind, const void *name,
                   size_t length);
/* The one after it, for a name whose id another has. */
int64_t results_next_id(int64_t id);

struct results_name_at {
    bool is_other;  /* another name has the id */
    int64_t weight; /* of a domain; else 0 */
};
/* Looks at the row with an id, by a statement that gives name and weight: END, nobody has it; ROW,
 * and then *out is filled. */
enum sql_step results_name_at(struct results *results, enum results_statement which, int64_t id,
                              const char *name, struct results_name_at *out);

/* ---- hosts ---- */

/* The TLSA records of a host, in `arena`. */
bool results_read_tlsa(struct results *results, int64_t host, struct arena *arena,
                       const struct tlsa **out, size_t *count);

/* ---- operator_share: results_shares.c ---- */

/* Writes all shares that are not right yet, in several transactions. */
bool results_put_shares(struct results *results);

/* ---- what came: results_put*.c ---- */

/* Writes what a result says of its unit's kind; notes whether it had a result before. */
bool results_put_domain(struct results *results, const struct unit_result *result, bool *again);
bool results_put_host(struct results *results, const struct unit_result *result, bool *again);
bool results_put_address(struct results *results, const struct unit_result *result, bool *again);
/* A host as a new unit, unless it is known. */
bool results_add_host(struct results *results, const char *name, int64_t *id);
/* A host as its addresses see it. */
struct results_holder {
    int64_t id;
    bool dane; /* usable TLSA records */
    bool opted_out;
};
/* An address of that host as a new unit, unless it is known. */
bool results_add_address(struct results *results, const struct ip *ip,
                         const struct results_holder *host, int64_t *id);
/* As results_add_domain; gives its id. */
bool results_add_domain_id(struct results *results, const char *name, int64_t weight, int64_t *id);
