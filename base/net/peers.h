/*
 * peers: others who look up the same as we do, and what they have found. Before a key, a policy or an
 * address is looked up, peers_begin asks whether one of them knows it, and waits while one of them
 * looks it up. This is the interface only: who the peers are is not known here. NULL: there are none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/net/ip.h"

enum peers_subject { PEERS_KEY, PEERS_POLICY, PEERS_PROBE };

/* A lookup that others may spare; embedded in its owner. */
struct peers_wait {
    /* Whether what is known here now is enough; asked after something was loaded. */
    bool (*enough)(struct peers_wait *wait);
    /* Go on: with what is known, or by looking it up. Once, later, unless peers_end comes first. */
    void (*go)(struct peers_wait *wait);
    void *context;
    void *own; /* the peers'; NULL: nothing is awaited, nor ours */
};

struct peers {
    int (*begin)(struct peers *peers, struct peers_wait *wait, enum peers_subject subject,
                 const char *name, const struct ip *ip);
    void (*end)(struct peers *peers, struct peers_wait *wait);
};

/* `name`: a key, a policy domain, or the identity of a probe result, whose address is `ip` (else
 * NULL). True: wait for `go`. False: look it up at once. */
static inline bool peers_begin(struct peers *peers, struct peers_wait *wait,
                               enum peers_subject subject, const char *name, const struct ip *ip)
{
    wait->own = NULL;
    return peers != NULL && peers->begin(peers, wait, subject, name, ip) == 0;
}

/* The lookup has ended, and what was found has been saved; or nobody wants it any more. Harmless
 * where nothing was begun. */
static inline void peers_end(struct peers *peers, struct peers_wait *wait)
{
    if (peers != NULL && wait->own != NULL)
        peers->end(peers, wait);
}
