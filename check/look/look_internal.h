/*
 * look_internal: a look while it is under way, as the files of this folder share it.
 *
 * It is driven by events: whenever an answer, a probe or a fetch has come, look_advance calls the
 * `advance` of every part, which starts what has become possible and says whether it waits for
 * something. When no part waits, the look is over. So nothing waits for what it does not need.
 */
#pragma once

#include "base/list.h"
#include "check/look/look_uv.h"
#include "check/servers/servers_uv.h"
#include "probe/dns/dns_question_uv.h"
#include "probe/host_uv.h"
#include "probe/https/https_uv.h"
#include "probe/smtp/smtp_uv.h"
#include "probe/sts/sts_uv.h"

#define LOOK_REVERSE_MAX 4 /* reverse names of an address that are looked at */

/* One address of one host: its reverse name, and connections one after the other. */
struct look_address {
    struct check_look *look;
    struct look_host *host;
    struct check_address *out;
    struct dns_question reverse, forward[LOOK_REVERSE_MAX]; /* of each reverse name in turn */
    unsigned step;             /* connections that were made or passed over */
    struct smtp_probe *probe;  /* NULL: none is under way */
    struct smtp_target target; /* of that one */
};

struct look_host {
    struct check_look *look;
    struct check_host *out;
    struct mx_host *evidence;
    struct host_lookup *lookup; /* NULL: none is under way */
    bool looked_up, read;
    struct dns_question a, aaaa, tlsa;
    struct look_address *addresses;
};

/* An address of a TLSRPT record. */
struct look_rua {
    struct check_rua *out;
    bool over;
    char host[HOSTNAME_MAX + 1];
    const char *path; /* https: NULL: mailto */
    struct dns_question mx, a, aaaa;
    struct https_fetch *fetch;
    struct check_look *look;
};

struct check_look {
    uv_loop_t *loop;
    uv_timer_t finish; /* `done` is called from the loop */
    struct check_request request;
    const struct domain_tools *tools;
    check_look_done *done;
    void *context;
    bool advancing, over, closing;

    struct dns_asker asker;
    unsigned budget;

    struct check_facts facts;
    struct evidence evidence;

    struct dns_question mx, sts_record, tlsrpt, sts_a, sts_aaaa, wild_a, wild_aaaa;
    const char *wild_name; /* a name that nobody has published */
    bool hosts_made;
    struct look_host *hosts;
    struct sts_lookup *sts; /* of the evidence; NULL: none is under way */
    bool sts_started;
    struct https_fetch *policy; /* of the file as it is */
    bool policy_started;
    struct servers *servers; /* NULL: not under way */
    bool servers_started;
    struct servers_question *server_questions;
    struct check_rrset **server_rrsets; /* of the facts: what each question is about */
    size_t server_question_count;
    struct servers_said said;
    bool ruas_made;
    struct look_rua *ruas;
};

/* Runs all parts until nothing more can be started. */
void look_advance(struct check_look *look);

/* A part starts what it can, and tells whether it waits for anything. */
typedef bool look_part(struct check_look *look);
look_part look_mx, look_hosts, look_policy, look_reports, look_servers;
/* And how each ends before its time. */
typedef void look_stop(struct check_look *look);
look_stop look_hosts_stop, look_policy_stop, look_reports_stop, look_servers_stop;

/* ---- for the parts ---- */

/* Asks unless it has been asked; true while the answer is awaited. */
bool look_ask(struct check_look *look, struct dns_question *question, const char *name,
              enum dns_type type);
/* The RRset of a question that has been answered. */
void look_rrset(const struct check_look *look, struct check_rrset *out,
                const struct dns_question *question, const char *name, enum dns_type type);
/* Adds the addresses of an answer, at most `max` in all; the new count. */
size_t look_addresses(struct ip *out, size_t count, size_t max, const struct dns_answer *answer);

/* Gives the RRsets their published TTLs and signatures, when all else is known. */
void look_published(struct check_look *look);

/* ---- connections: look_smtp_uv.c ---- */

/* Starts the next connection to an address, if it is its turn; true while one is under way. */
bool look_connect(struct look_address *address);
