/*
 * judge_internal: what the chapters of the judge share. A chapter looks at one kind of facts and
 * adds what it finds. It says the cause of a fault, and not what follows from it.
 */
#pragma once

#include "check/judge.h"

#include "base/buf.h"

#define DAY_S 86400

struct judging {
    struct check_report *report;
    const struct check_facts *facts;
};

/* What a finding is about; all NULL: the domain. */
struct judge_at {
    const struct check_host *host;
    const struct check_address *address; /* of the host */
    const char *name;                    /* instead of a host: a zone, the policy host */
};

/* ---- findings ---- */

/* Adds a finding with code, severity, evidence, fix and cause of *found. One that differs from
 * another only in the address joins it. Texts are borrowed as long as the report, and may be foreign: what
 * is not printable is escaped, and what is too long is cut. */
void judge_put(const struct judging *judging, const struct judge_at *at,
               const struct check_finding *found);
/* The same with the severity of check_kinds. */
void judge_add(const struct judging *judging, const struct judge_at *at, enum check_code code,
               const char *evidence, const char *fix);
/* A fact that could not be had: not-found-out. `why` may be NULL. */
void judge_unknown(const struct judging *judging, const struct judge_at *at, const char *what,
                   const char *why);
/* Whether one of those codes was found at the host (NULL: anywhere); the codes end with
 * CHECK_CODE_COUNT. */
bool judge_has(const struct judging *judging, const struct check_host *host,
               const enum check_code *codes);

/* ---- texts, the report's ---- */

/* Never NULL: "" without memory. */
const char *judge_text(const struct judging *judging, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "2026-12-20" */
const char *judge_date(const struct judging *judging, int64_t at);
/* "1 day left", of that many seconds */
const char *judge_days(const struct judging *judging, int64_t seconds);

/* "a, b, c and 5 more" */
struct judge_list {
    struct buf buf;
    size_t count;
};
void judge_list_init(struct judge_list *list);
void judge_list_add(struct judge_list *list, const char *item);
/* Its text, the report's; the list is gone. */
const char *judge_list_take(const struct judging *judging, struct judge_list *list);

/* ---- facts ---- */

/* What came of a question. */
enum judge_answer {
    JUDGE_UNASKED,
    JUDGE_UNKNOWN, /* our side failed */
    JUDGE_FAILED,  /* the lookup failed */
    JUDGE_EMPTY,   /* no such record, or no such name */
    JUDGE_RECORDS
};
enum judge_answer judge_answer(const struct check_rrset *rrset);
/* "SERVFAIL" */
const char *judge_why(const struct check_rrset *rrset);

/* Whether there is an A or an AAAA record. */
bool judge_has_address(const struct check_host *host);

/* Whether the host's TLSA records count. */
enum judge_dane {
    JUDGE_DANE_NONE,     /* no record, or it is not known; no address that it could be for */
    JUDGE_DANE_UNSIGNED, /* records that no sender looks at */
    JUDGE_DANE_UNUSABLE, /* signed, none of them usable */
    JUDGE_DANE_USABLE    /* at least one is; also where the resolver does not validate */
};
#define TLSA_SHOWN_OCTETS 8 /* of a record's data: enough to tell one from another */
/* "3 1 1 ab12cd34ab12cd34..." */
const char *judge_tlsa_text(const struct judging *judging, const struct tlsa *record);
/* "_25._tcp.mx.example", or the name that it is an alias of */
const char *judge_tlsa_owner(const struct judging *judging, const struct check_host *host);
/* Whether no record matches because all of them name issuers that issue no more. */
bool judge_all_retired(const struct check_host *host);
enum judge_dane judge_dane_of(const struct check_facts *facts, const struct check_host *host);
/* The policy that is in force, or NULL; its mode may be none. */
const struct sts_policy *judge_policy(const struct check_facts *facts);
/* The mode of that policy for a host that it allows; NONE also where there is none. */
enum sts_mode judge_sts_mode(const struct check_facts *facts, const struct check_host *host);

/* Whether the machine that checks has no IPv6: then it reaches no such address at all, neither of a
 * mail host nor of a name server, which says nothing about them. */
bool judge_lacks_ipv6(const struct check_facts *facts);
/* Whether the attempt ended in TLS. */
bool judge_is_tls(const struct check_attempt *attempt);
/* The attempts whose certificates count: the first is CHECK_OFFER_DEFAULT. */
#define JUDGE_LEAVES 3
extern const enum check_offer judge_leaf_offers[JUDGE_LEAVES];
/* The i-th of them, if it showed a certificate that none before it has shown at this address; else
 * NULL. */
const struct check_attempt *judge_leaf(const struct check_address *address, size_t i);

/* ---- chapters ---- */

void judge_mx(const struct judging *judging);
void judge_tls(const struct judging *judging);
/* Of one host. */
void judge_certificates(const struct judging *judging, const struct check_host *host);
void judge_dane(const struct judging *judging);
/* Of a host with usable records. True when a 3 0 x record was told of. */
bool judge_rollover(const struct judging *judging, const struct check_host *host);
/* Whether the addresses of each host show the same: after the two. */
void judge_same(const struct judging *judging);
void judge_sts(const struct judging *judging);
void judge_dns(const struct judging *judging);
void judge_other(const struct judging *judging);
