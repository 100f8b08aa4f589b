/*
 * unit: one piece of work of a survey, and what came of it. Plain data: the edge between what is to
 * be looked up next (survey/results, survey/manners), looking it up (survey/look/worker_uv), and writing what
 * came (survey/results). Nothing else crosses it, so that the three can be in different threads, or on
 * different machines.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/net/hostname.h"
#include "base/net/ip.h"
#include "policy/evidence.h"
#include "probe/tls/tls_chain.h"
#include "probe/tlsrpt/tlsrpt.h"

/* X(constant, word, what it means) */
#define UNIT_KINDS(X)                                                                              \
    X(UNIT_DOMAIN, "domains", "MX, MTA-STS and TLSRPT of a domain")                                \
    X(UNIT_HOST, "hosts", "addresses and TLSA records of an MX host")                              \
    X(UNIT_ADDRESS, "addresses", "one connection to an address of an MX host")
enum unit_kind { UNIT_KINDS(ENUM_CONSTANT) UNIT_KIND_COUNT };

struct unit {
    enum unit_kind kind;
    int64_t id;                  /* of the domain, host or address in the results file */
    char name[HOSTNAME_MAX + 1]; /* DOMAIN, HOST: what is looked up; ADDRESS: whose name is sent as
                                    SNI: the TLSA base domain of a host, else its name */
    char host[HOSTNAME_MAX + 1]; /* ADDRESS: the MX host */
    struct ip ip;                /* ADDRESS */
    bool again;                  /* ADDRESS: another name at an address already connected to */
    bool opted_out;              /* HOST: it is opted out; ADDRESS: a host there is, and it is not
                                    to be connected to */
    unsigned failed_here;        /* how often our own side failed at it */
    unsigned turn;               /* DOMAIN, HOST: when it began, for survey/pace */
};

/* DOMAIN. Of `evidence` mx*, expanded, hosts (name and preference only) and sts are filled. */
struct domain_seen {
    struct evidence evidence;
    const char *mx_failure; /* the kind of a failed MX lookup: dns_failure_name; else NULL */
    struct tlsrpt tlsrpt;
};

/* HOST: as host_start fills it. */
struct host_seen {
    struct mx_host host;
};

/* ADDRESS. What one connection showed, whatever the name of the host. */
struct address_seen {
    /* state, code, detail, protocol, cipher, requiretls. TLS: it works, and `shown` is to be judged;
     * never VERIFIED. */
    struct starttls_result result;
    const char *failure;    /* the kind of failure: smtp_failure_name; NULL: none */
    const char *greeting;   /* the text of the greeting, escaped; NULL without one */
    const char *software;   /* what it says the server is: software_of; NULL: nothing known */
    bool nameless;          /* TLS works without SNI only: never verified */
    unsigned connections;   /* that were made */
    struct tls_shown shown; /* count 0 and result.state < TLS: no certificate was seen */
};

/* What came of a unit. Everything in it is in `arena`, which the owner of the result frees. */
struct unit_result {
    struct unit unit;
    struct arena *arena; /* owned */
    struct list link;    /* the present owner's */
    int64_t looked_at;   /* seconds since 1970 */
    /* Our own side failed (memory, descriptors, no route): it says nothing, look it up again. */
    bool failed_here;
    bool timed_out; /* the resolver did not answer a question in time */
    /* A lookup in the DNS failed, or a policy host could not be reached: another attempt, while less
     * is asked, may go better. */
    bool try_again;
    /* Owned: what address->shown was parsed to, so that it need not be parsed again in this process.
     * NULL: nothing, or it came from elsewhere. */
    struct tls_chain *chain;
    struct domain_seen *domain; /* the one of the unit's kind; the others are NULL */
    struct host_seen *host;
    struct address_seen *address;
};

/* Frees the chain and the arena, and with it the result itself. */
static inline void unit_result_free(struct unit_result *result)
{
    if (result == NULL)
        return;
    tls_chain_free(result->chain);
    arena_free(result->arena);
}
