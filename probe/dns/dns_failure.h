/*
 * dns_failure: the kinds of lookups that ended without an answer. They are for counters, so they
 * are few and fixed; the words are in the evidence. X(enum word, name)
 */
#pragma once

#define DNS_FAILURES(X)                                                                            \
    X(TIMEOUT, "timeout")                                                                          \
    X(SERVFAIL, "servfail")                                                                        \
    X(REFUSED, "refused")                                                                          \
    X(RCODE, "other-rcode")                                                                        \
    X(MALFORMED, "malformed")                                                                      \
    X(NETWORK, "network") /* the system's error, as "connection refused" */                        \
    X(QUEUE, "queue")     /* too many lookups wait for a socket */                                 \
    X(LOCAL, "local")     /* this side: memory, descriptors */

#define X(word, name) DNS_FAILURE_##word,
enum dns_failure { DNS_FAILURES(X) DNS_FAILURE_COUNT };
#undef X

/* The name of a kind; in dns_uv.c. */
const char *dns_failure_name(enum dns_failure failure);
