/*
 * member: whether a domain may stand in a policy list, by what was looked up, and with which hosts.
 * Pure. Every address of its MX hosts that answered must have shown a certificate that is valid for
 * the host, at least one must have answered, and no lookup may have failed.
 */
#pragma once

#include "base/buf.h"
#include "policy/evidence.h"

/* X(constant, word, sentence for people) */
#define MEMBER_FAULTS(X)                                                                           \
    X(MEMBER_GOOD, "good", "every mail host that answered has a valid certificate")                \
    X(MEMBER_UNSEEN, "unseen", "it was not looked up")                                             \
    X(MEMBER_NO_MAIL, "no-mail", "it takes no mail: no such domain, no mail host, or a null MX")   \
    X(MEMBER_MX_ERROR, "mx-error", "the MX lookup failed")                                         \
    X(MEMBER_HOST_ERROR, "host-error", "the addresses of a mail host could not be looked up")      \
    X(MEMBER_TOO_MANY, "too-many", "it has too many mail hosts, or one with too many addresses")   \
    X(MEMBER_NAME, "name", "a mail host has a name that no list can have")                         \
    X(MEMBER_CLEAR, "no-tls", "a mail host does no TLS")                                           \
    X(MEMBER_CERTIFICATE, "certificate", "a mail host has no valid certificate")                   \
    X(MEMBER_SILENT, "silent", "no mail host answered")
enum member_fault { MEMBER_FAULTS(ENUM_CONSTANT) MEMBER_FAULT_COUNT };

struct member {
    enum member_fault fault;
    const struct mx_host *host;       /* where it is; NULL: at no one host. The evidence's */
    const struct mx_address *address; /* and at which address; NULL: at none */
    bool answered;                    /* an SMTP server of some kind answered somewhere */
};

/* The evidence must be complete. */
void member_judge(struct member *out, const struct evidence *evidence);
const char *member_fault_name(enum member_fault fault);
const char *member_fault_text(enum member_fault fault);
/* A sentence with host, address and detail where there are any: printable ASCII. */
void member_why(struct buf *out, const struct member *member);

/*
 * Appends the hosts of a domain that qualifies as the `mx` of struct policy_list_entry, each with
 * its NUL, in an order that depends on the names only. Gives their number. A name without an address is left out.
 * `fold`: two or more that differ in their first label only become "*.parent", unless that is a
 * public suffix or one label.
 */
size_t member_hosts(struct buf *out, const struct evidence *evidence, bool fold);
