/*
 * failures: the kinds of what can go wrong outside, for counters. Few, and always the same: what
 * happened in words is in the evidence. X(enum word, name)
 */
#pragma once

/* Lookups that ended without an answer. */
#define DNS_FAILURES(X)                                                                            \
    X(TIMEOUT, "timeout")                                                                          \
    X(SERVFAIL, "servfail")                                                                        \
    X(REFUSED, "refused")                                                                          \
    X(RCODE, "other-rcode")                                                                        \
    X(MALFORMED, "malformed")                                                                      \
    X(NETWORK, "network") /* the system's error, as "connection refused" */                        \
    X(QUEUE, "queue")     /* too many lookups wait for a socket */                                 \
    X(LOCAL, "local")     /* this side: memory, descriptors */

/* Fetches of MTA-STS policies that gave none. */
#define FETCH_FAILURES(X)                                                                          \
    X(DNS, "dns")                                                                                  \
    X(CONNECT, "connect")                                                                          \
    X(TLS, "tls")                                                                                  \
    X(CERTIFICATE, "certificate")                                                                  \
    X(TIMEOUT, "timeout")                                                                          \
    X(STATUS, "status")     /* an HTTP status other than 200 */                                    \
    X(RESPONSE, "response") /* wrong headers, a body that is too large or cut off */               \
    X(POLICY, "policy")     /* against the grammar of RFC 8461 */                                  \
    X(LOCAL, "local")

/* Probes of mail hosts that came to no EHLO in TLS, by how far they came. A host that does not
 * offer it has not failed. */
#define SMTP_FAILURES(X)                                                                           \
    X(CONNECT_REFUSED, "connect-refused")                                                          \
    X(CONNECT_TIMEOUT, "connect-timeout")                                                          \
    X(CONNECT, "connect-other")                                                                    \
    X(GREETING_TIMEOUT, "greeting-timeout")                                                        \
    X(GREETING_LOST, "greeting-lost")                                                              \
    X(GREETING_REFUSED, "greeting-refused")                                                        \
    X(EHLO, "ehlo")                                                                                \
    X(STARTTLS_4XX, "starttls-4xx")                                                                \
    X(STARTTLS_5XX, "starttls-5xx")                                                                \
    X(STARTTLS, "starttls-other")                                                                  \
    X(HANDSHAKE_TIMEOUT, "handshake-timeout")                                                      \
    X(HANDSHAKE, "handshake")                                                                      \
    X(EHLO_IN_TLS, "ehlo-in-tls")                                                                  \
    X(PROTOCOL, "protocol") /* what no SMTP server says, at any point */                           \
    X(LOCAL, "local")

#define X(word, name) DNS_FAILURE_##word,
enum dns_failure { DNS_FAILURES(X) DNS_FAILURE_COUNT };
#undef X
#define X(word, name) FETCH_FAILURE_##word,
enum fetch_failure { FETCH_FAILURES(X) FETCH_FAILURE_COUNT };
#undef X
#define X(word, name) SMTP_FAILURE_##word,
enum smtp_failure { SMTP_FAILURES(X) SMTP_FAILURE_COUNT };
#undef X

const char *dns_failure_name(enum dns_failure failure);
const char *fetch_failure_name(enum fetch_failure failure);
const char *smtp_failure_name(enum smtp_failure failure);
