/* smtp_options: the options of a probe and the limits of the cache of results, as plain data. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net/ip.h"
#include "policy/evidence.h"
#include "probe/tls/tls.h"

struct smtp_options {
    /* The name given in EHLO; borrowed. NULL: the connection's own address (RFC 5321 §4.1.3). */
    const char *helo_name;
    /* A name is being looked up: a host that refuses the present EHLO may accept a later one. */
    bool helo_pending;
    struct ip bind, bind6; /* source addresses; family 0: the kernel's choice */
    uint64_t connect_ms, greeting_ms, command_ms, total_ms;
    /* The outcome tells the certificates and the greeting too. The certificates are verified, but
     * not compared with the target: that is tls_chain's, and the best state is TLS. */
    bool keep_chain;
    /* What the handshake offers. All but TLS_OFFER_DEMANDED are asked for to learn what a host takes:
     * one connection, with SNI, whatever comes of it. */
    enum tls_offer offer;
    /* MAIL FROM:<> instead of STARTTLS, then RSET: does the host insist on TLS? The result is CLEAR,
     * and the outcome has mail_code. Only for hosts of one's own. */
    bool try_mail;
    bool skip_offer_all; /* no further connection to see what a host does that is offered all: it
                            brings words and never changes the state */
};

/* The host to probe, and what its certificate is compared with. */
struct smtp_target {
    struct ip ip;
    uint16_t port;
    const char *host; /* MX host name */
    const char *sni;  /* TLSA base domain, else the MX host name */
    const struct tlsa *tlsa;
    size_t tlsa_count;
    const char *tlsa_names[4]; /* see struct tls_reference */
};

struct probe_cache_options {
    struct smtp_options smtp; /* without helo_name it is pending until probe_cache_set_helo_name */
    unsigned connections_max, connections_prefix_max;
    size_t entries_max;
    int64_t good_ms;                    /* life of a TLS or CLEAR answer, +-10 % */
    int64_t retry_min_ms, retry_max_ms; /* anything else: doubling */
};
