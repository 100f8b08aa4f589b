/*
 * fetch_failure: the kinds of fetches that gave no MTA-STS policy. They are for counters, so they
 * are few and fixed; the words are in the evidence. X(enum word, name)
 */
#pragma once

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

#define X(word, name) FETCH_FAILURE_##word,
enum fetch_failure { FETCH_FAILURES(X) FETCH_FAILURE_COUNT };
#undef X

/* The name of a kind; in https_target.c. */
const char *fetch_failure_name(enum fetch_failure failure);
