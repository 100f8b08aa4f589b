/*
 * look_uv: one unit being looked up, on the loop of a worker. What happens to a unit of each kind is
 * in look_domain_uv.c, look_host_uv.c and look_address_uv.c.
 */
#pragma once

#include "base/list.h"
#include "probe/dns/dns_question_uv.h"
#include "probe/host_uv.h"
#include "probe/options.h"
#include "probe/smtp/smtp_uv.h"
#include "probe/sts/sts_uv.h"
#include "survey/unit/unit.h"

/* All that is borrowed by the look-ups of a worker. */
struct look_tools {
    struct dns *dns;
    struct sts *sts; /* NULL: MTA-STS is switched off */
    struct smtp_tools smtp;
    struct smtp_options smtp_options;
    uint16_t smtp_port;
    bool dane;
};

struct look;
typedef void look_done(struct look *look);

/* It lies in the arena of its result, as all that is found. */
struct look {
    struct list link; /* the worker's */
    void *context;    /* the same */
    struct unit_result *result;
    const struct look_tools *tools;
    look_done *done;
    struct dns_asker asker;
    unsigned query_budget;
    union {
        struct {
            struct dns_question mx, tlsrpt;
            struct sts_lookup *sts; /* NULL when none is under way */
        } domain;
        struct host_lookup *host;
        struct {
            struct smtp_probe *probe; /* NULL when none is under way */
            struct smtp_target target;
            struct address_filter filter; /* the tools', or one that excludes this address */
            struct ip_prefix excluded;
        } address;
    } at;
};

/* A copy of the unit with an arena for its result; NULL without memory. Until look_start it may be
 * handed to another thread. unit_result_free(look->result) frees it. */
struct look *look_new(const struct unit *unit);
/* Calls `done` exactly once, later, unless look_cancel comes first; the look-up is not touched
 * afterwards. False when our own side failed: the result says so, and there is no call. */
bool look_start(struct look *look, const struct look_tools *tools, look_done *done);
void look_cancel(struct look *look);

/* ---- for the kinds ---- */

/* How a kind is looked up; `start` as look_start. */
struct look_kind {
    bool (*start)(struct look *look);
    void (*cancel)(struct look *look);
};
extern const struct look_kind look_domain, look_host, look_address;

/* Whether a kind of failure (dns_failure_name, fetch_failure_name; NULL: none) is on our side. */
bool look_failed_here(const char *failure);
/* Notes that a question failed, of that kind; NULL: it did not. */
void look_note_failure(struct look *look, const char *failure);
/* All is found: calls `done`. */
void look_finish(struct look *look);
