/*
 * facts_make: the facts of a sound domain, to be spoilt by a test. Two hosts with two addresses each,
 * a signed zone, 3 1 1 records of the present and the next key, MTA-STS in enforce, TLSRPT.
 *
 * Everything is the builder's, in static memory; facts_make gives it anew.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "check/facts.h"

#define MADE_NOW       1795849200 /* 2026-11-28 07:00:00 UTC */
#define MADE_DAY       86400
#define MADE_HOSTS     3
#define MADE_ADDRESSES 2
#define MADE_RECORDS   4
#define MADE_CERTS     2
#define MADE_POLICY                                                                                \
    "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.org\r\nmx: mx2.example.org\r\n"            \
    "max_age: 1209600\r\n"

/* An answer and its RRset. */
struct made_rrset {
    struct dns_answer answer;
    struct dns_record record;
};

struct made_host {
    struct mx_host evidence;
    struct made_rrset a, aaaa, tlsa, reverse[MADE_ADDRESSES];
    struct tlsa records[MADE_RECORDS];
    uint8_t data[MADE_RECORDS][32];
    struct check_address addresses[MADE_ADDRESSES];
    struct tls_certificate certificates[MADE_ADDRESSES][CHECK_OFFER_COUNT][MADE_CERTS];
    bool matched[MADE_ADDRESSES][CHECK_OFFER_COUNT][MADE_RECORDS];
};

struct made {
    struct check_facts facts;
    struct evidence evidence;
    struct sts_policy policy;
    const char *patterns[4];
    struct check_fault faults[CHECK_FAULTS_MAX];
    struct made_rrset mx, sts_record, tlsrpt_record, sts_a, sts_aaaa;
    struct check_host hosts[MADE_HOSTS];
    struct made_host host[MADE_HOSTS];
    struct check_server servers[3];
    struct check_lost lost[1];
    struct check_zone zones[2];
    struct check_rua ruas[2];
    const char *bad_names[2];
};

/* ---- pieces ---- */

static inline void made_answer(struct check_rrset *out, struct made_rrset *room, const char *name,
                               enum dns_type type)
{
    room->record = (struct dns_record){.length = 4, .data = (const uint8_t *)"\xc0\x00\x02\x01"};
    room->answer = (struct dns_answer){.outcome = DNS_RECORDS,
                                       .secure = true,
                                       .ttl = 3600,
                                       .is_signed = true,
                                       .signed_since = MADE_NOW - 4 * MADE_DAY,
                                       .signed_until = MADE_NOW + 10 * MADE_DAY,
                                       .owner = name,
                                       .count = 1,
                                       .records = &room->record};
    *out = (struct check_rrset){.name = name, .type = type, .answer = &room->answer};
}

/* 64 hexadecimal digits that begin with `digit`, as the digest of nothing. */
static inline void made_digest(char out[65], char digit)
{
    memset(out, digit, 64);
    out[64] = '\0';
}

static inline void made_octets(uint8_t out[32], char digit)
{
    unsigned nibble = (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);

    memset(out, (int)(nibble << 4 | nibble), 32);
}

/* A leaf whose key's digest is of that digit, and its issuer. */
static inline void made_chain(struct tls_certificate out[MADE_CERTS], const char *host, char digit)
{
    out[0] = (struct tls_certificate){.subject = host,
                                      .issuer = "Good CA",
                                      .issuer_name = "G1",
                                      .key_type = "EC",
                                      .key_bits = 256,
                                      .signature = "sha256WithRSAEncryption",
                                      .not_before = MADE_NOW - 20 * MADE_DAY,
                                      .not_after = MADE_NOW + 70 * MADE_DAY,
                                      .name_count = 1,
                                      .names = host};
    made_digest(out[0].key_sha256, digit);
    made_digest(out[0].sha256, (char)(digit + 1));
    out[1] = (struct tls_certificate){.subject = "G1",
                                      .issuer = "Good Root",
                                      .issuer_name = "Good Root X",
                                      .key_type = "RSA",
                                      .key_bits = 2048,
                                      .signature = "sha256WithRSAEncryption",
                                      .not_before = MADE_NOW - 400 * MADE_DAY,
                                      .not_after = MADE_NOW + 700 * MADE_DAY,
                                      .names = ""};
    made_digest(out[1].key_sha256, 'c');
    made_digest(out[1].sha256, 'd');
}

/* An attempt that ends in TLS and shows the chain; record 0 matches it. */
static inline void made_tls(struct made_host *host, const char *name, size_t address,
                            enum check_offer offer, char digit)
{
    struct check_attempt *attempt = &host->addresses[address].attempts[offer];

    made_chain(host->certificates[address][offer], name, digit);
    *attempt = (struct check_attempt){.made = true,
                                      .state = STARTTLS_TLS,
                                      .protocol = "TLSv1.3",
                                      .cipher = "TLS_AES_256_GCM_SHA384",
                                      .certificate_count = MADE_CERTS,
                                      .certificates = host->certificates[address][offer],
                                      .name_ok = true,
                                      .tlsa = TLSA_MATCH_OK,
                                      .tlsa_matched = host->matched[address][offer]};
    attempt->shown.count = MADE_CERTS;
    attempt->shown.finding = (struct tls_finding){.verified = true};
    host->matched[address][offer][0] = true;
}

static inline void made_refused(struct check_attempt *attempt)
{
    *attempt = (struct check_attempt){
        .made = true, .state = STARTTLS_BROKEN, .detail = "handshake failure"};
}

static inline void made_record(struct made_host *host, size_t i, const unsigned form[3], char digit)
{
    made_octets(host->data[i], digit);
    host->records[i] = (struct tlsa){.usage = (uint8_t)form[0],
                                     .selector = (uint8_t)form[1],
                                     .matching_type = (uint8_t)form[2],
                                     .usable = form[0] == 2 || form[0] == 3,
                                     .length = 32,
                                     .data = host->data[i]};
}

#define FORM(usage, selector, type) ((const unsigned[3]){usage, selector, type})

/* ---- hosts ---- */

static inline void made_address(struct made_host *room, const char *name, size_t i,
                                const char *text, const char *reverse)
{
    struct check_address *address = &room->addresses[i];

    CHECK(ip_parse(&address->ip, text));
    address->secure = true;
    address->reverse_confirmed = true;
    made_answer(&address->reverse, &room->reverse[i], reverse, DNS_PTR);
    room->reverse[i].record.name = name;
    made_tls(room, name, i, CHECK_OFFER_DEFAULT, '1');
    made_refused(&address->attempts[CHECK_OFFER_RSA]);
    made_tls(room, name, i, CHECK_OFFER_ECDSA, '1');
    made_refused(&address->attempts[CHECK_OFFER_OLD]);
    made_refused(&address->attempts[CHECK_OFFER_WEAK]);
}

static inline void made_mx(struct made *made, size_t i, const char *name, const char *owner)
{
    static const char *const texts[MADE_HOSTS][MADE_ADDRESSES] = {
        {"9.9.9.1", "2620:fe::1"}, {"9.9.9.2", "2620:fe::2"}, {"9.9.9.3", "2620:fe::3"}};
    struct check_host *host = &made->hosts[i];
    struct made_host *room = &made->host[i];

    room->evidence = (struct mx_host){.name = name, .address_secure = true};
    *host = (struct check_host){.name = name,
                                .preference = 10,
                                .evidence = &room->evidence,
                                .record_count = 2,
                                .records = room->records,
                                .address_count = MADE_ADDRESSES,
                                .addresses = room->addresses};
    made_answer(&host->a, &room->a, name, DNS_A);
    made_answer(&host->aaaa, &room->aaaa, name, DNS_AAAA);
    made_answer(&host->tlsa, &room->tlsa, owner, DNS_TLSA);
    made_record(room, 0, FORM(3, 1, 1), '1');
    made_record(room, 1, FORM(3, 1, 1), '2');
    made_address(room, name, 0, texts[i][0], "v4.arpa");
    made_address(room, name, 1, texts[i][1], "v6.arpa");
}

/* ---- the whole ---- */

static inline void made_zone(struct made *made)
{
    made->zones[0] =
        (struct check_zone){.name = "example.org", .server_count = 2, .servers = made->servers};
    for (size_t i = 0; i < 2; i++) {
        made->servers[i] =
            (struct check_server){.name = i == 0 ? "ns1.example.org" : "ns2.example.org",
                                  .serial = 2026112801,
                                  .serial_known = true,
                                  .agreement = CHECK_SAME};
        CHECK(ip_parse(&made->servers[i].ip, i == 0 ? "9.9.9.53" : "9.9.9.54"));
    }
}

static inline void made_sts(struct made *made)
{
    struct check_facts *facts = &made->facts;

    made->patterns[0] = "mx1.example.org";
    made->patterns[1] = "mx2.example.org";
    made->policy = (struct sts_policy){
        .mode = STS_MODE_ENFORCE, .max_age = 1209600, .mx_count = 2, .mx = made->patterns};
    made->evidence.sts =
        (struct sts_evidence){.state = STS_POLICY, .id = "20261101", .policy = &made->policy};
    facts->policy = (struct check_policy){.asked = true,
                                          .status = 200,
                                          .content_type = "text/plain; charset=us-ascii",
                                          .body = MADE_POLICY,
                                          .length = sizeof MADE_POLICY - 1,
                                          .faults = made->faults,
                                          .policy = &made->policy};
}

static inline struct made *facts_make(void)
{
    static struct made made;
    struct check_facts *facts = &made.facts;

    memset(&made, 0, sizeof made);
    made.evidence = (struct evidence){
        .domain = "example.org", .port = 25, .mx = MX_LISTED, .mx_secure = true, .complete = true};
    *facts = (struct check_facts){.domain = "example.org",
                                  .now_s = MADE_NOW,
                                  .validating = true,
                                  .probed = true,
                                  .evidence = &made.evidence,
                                  .bad_names = made.bad_names,
                                  .host_count = 2,
                                  .hosts = made.hosts,
                                  .zone_count = 1,
                                  .zones = made.zones,
                                  .ruas = made.ruas};
    made_answer(&facts->mx, &made.mx, "example.org", DNS_MX);
    made_answer(&facts->sts_record, &made.sts_record, "_mta-sts.example.org", DNS_TXT);
    made_answer(&facts->tlsrpt_record, &made.tlsrpt_record, "_smtp._tls.example.org", DNS_TXT);
    made_answer(&facts->sts_a, &made.sts_a, "mta-sts.example.org", DNS_A);
    made_answer(&facts->sts_aaaa, &made.sts_aaaa, "mta-sts.example.org", DNS_AAAA);
    made_mx(&made, 0, "mx1.example.org", "_25._tcp.mx1.example.org");
    made_mx(&made, 1, "mx2.example.org", "_25._tcp.mx2.example.org");
    made_mx(&made, 2, "mx3.example.org", "_25._tcp.mx3.example.org");
    made_sts(&made);
    made_zone(&made);
    facts->tlsrpt = (struct tlsrpt){TLSRPT_VALID, "mailto:tls@example.org"};
    facts->verdicts[CHECK_SENDER_BOTH] = facts->verdicts[CHECK_SENDER_DANE] =
        (struct verdict){.level = VERDICT_DANE_ONLY, .reason = REASON_DANE_FULL};
    facts->verdicts[CHECK_SENDER_STS] =
        (struct verdict){.level = VERDICT_SECURE, .reason = REASON_STS_ENFORCE};
    facts->verdicts[CHECK_SENDER_NEITHER] =
        (struct verdict){.level = VERDICT_VERIFY, .reason = REASON_VERIFIED};
    facts->rua_count = 1;
    made.ruas[0] = (struct check_rua){"mailto:tls@example.org", CHECK_REACH_YES, NULL};
    return &made;
}
