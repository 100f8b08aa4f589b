/*
 * book_uv: STARTTLS results per MX host address, shared by every domain behind it, and the queue of
 * probes that fill it: one connection at a time per address, a cap per prefix (IPv4 /24, IPv6 /48)
 * and one for all, fair between prefixes.
 *
 * A result belongs to (address, port, MX host name, SNI, TLSA set): the certificate depends on the
 * name sent, the match on the records. Bounded; the oldest results go first.
 */
#pragma once

#include "base/arena.h"
#include "probe/smtp/book.h"
#include "probe/smtp/smtp_uv.h"

struct book_options {
    struct smtp_options smtp;
    unsigned connections_max, connections_prefix_max;
    size_t entries_max;
    int64_t good_ms;                    /* a TLS or CLEAR answer lives, +-10 % */
    int64_t retry_min_ms, retry_max_ms; /* anything else: doubling */
};

struct book_stats {
    uint64_t probes, by_state[STARTTLS_VERIFIED + 1];
    uint64_t by_failure[SMTP_FAILURE_COUNT];
    unsigned in_flight, queued;
    size_t entries;
};

struct book;
struct book_waiter;

/* 0 or a libuv error. */
int book_new(struct book **out, const struct book_options *options);
/* Ends every probe, calls nobody; frees itself once its handles are closed. */
void book_close(struct book *book);
void book_get_stats(const struct book *book, struct book_stats *out);

/* The name that probes say from now on, borrowed; NULL: this host has none. */
void book_set_helo_name(struct book *book, const char *name);

typedef void (*book_done)(void *context, const struct starttls_result *result);

/* What is known, still valid now and seen at `seen_after` (monotonic ms, 0: whenever) or later, or
 * NULL. Borrowed until the book is used again. */
const struct starttls_result *book_peek(struct book *book, const struct smtp_target *target,
                                        int64_t seen_after);
/*
 * Asks for a result: the one under way or a new probe. `done` exactly once, later, with a borrowed
 * result, unless an error is returned (UV_ENOMEM, UV_ENOBUFS when the queue is full) or book_cancel
 * comes first; the probe itself goes on and fills the book. `seen_after` as in book_peek.
 */
int book_ask(struct book_waiter **out, struct book *book, const struct smtp_target *target,
             int64_t seen_after, book_done done, void *context);
void book_cancel(struct book_waiter *waiter);
/* Forgets what is known about some addresses, any port and name. One walk through all that is
 * known: ask once for many. */
void book_forget(struct book *book, const struct ip *ips, size_t count);
/* The trust anchors changed at `before_ms` (monotonic): certificates judged earlier are judged
 * again, those of restored results too. */
void book_judge_again(struct book *book, int64_t before_ms);
int64_t book_judged_after(const struct book *book);
/* As book_store_restore. */
enum kept book_restore(struct book *book, const struct book_kept *kept);
/* From now on `changed` gets every new result, borrowed. */
void book_watch(struct book *book, book_take changed, void *context);
/* Gives it some of those there are, as book_store_some; true when that were the last. */
bool book_tell_some(const struct book *book, struct map_walk *walk);
