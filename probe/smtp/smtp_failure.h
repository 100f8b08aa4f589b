/*
 * smtp_failure: the kinds of probes that did not reach EHLO in TLS, by how far they came. A host
 * that does not offer TLS has not failed. They are for counters, so they are few and fixed; the
 * words are in the evidence. X(enum word, name)
 */
#pragma once

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

#define X(word, name) SMTP_FAILURE_##word,
enum smtp_failure { SMTP_FAILURES(X) SMTP_FAILURE_COUNT };
#undef X

/* The name of a kind; in smtp_uv.c. */
const char *smtp_failure_name(enum smtp_failure failure);
