/*
 * evidence_packed: what the tests of evidence_pack share: one arena and one buffer for each test,
 * evidence with something in every field, and a comparison of all of them.
 */
#pragma once

#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/support/evidence_make.h"
#include "policy/evidence/evidence_pack.h"

#define ARENA_OCTETS (8u << 20)
#define OCTETS_MAX   (8u << 20)

static struct arena *arena;
static struct buf octets;

static inline int set_up(void **state)
{
    (void)state;
    arena = arena_new(ARENA_OCTETS);
    buf_init(&octets, OCTETS_MAX);
    return arena == NULL;
}

static inline int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    buf_fini(&octets);
    return 0;
}

static inline void pack(const struct evidence *evidence)
{
    buf_clear(&octets);
    evidence_pack(&octets, evidence);
    assert_false(octets.failed);
}

static inline struct evidence *unpack(int64_t shift_ms)
{
    return evidence_unpack(arena, octets.data, octets.length, shift_ms);
}

/* ---- equal in every field ---- */

static inline bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static inline bool same_result(const struct starttls_result *a, const struct starttls_result *b)
{
    return a->state == b->state && a->chain_ok == b->chain_ok && a->expired == b->expired &&
           a->name_ok == b->name_ok && a->tlsa == b->tlsa && a->requiretls == b->requiretls &&
           a->distrusted == b->distrusted && a->code == b->code && a->probed_at == b->probed_at &&
           a->valid_until == b->valid_until && same_text(a->protocol, b->protocol) &&
           same_text(a->cipher, b->cipher) && same_text(a->subject, b->subject) &&
           same_text(a->detail, b->detail) && a->not_after == b->not_after;
}

static inline bool same_lists(const struct mx_host *a, const struct mx_host *b)
{
    if (a->tlsa_count != b->tlsa_count || a->address_count != b->address_count)
        return false;
    for (size_t i = 0; i < a->tlsa_count; i++) {
        const struct tlsa *one = &a->tlsa[i], *other = &b->tlsa[i];

        if (one->usage != other->usage || one->selector != other->selector ||
            one->matching_type != other->matching_type || one->usable != other->usable ||
            one->length != other->length || memcmp(one->data, other->data, one->length) != 0)
            return false;
    }
    for (size_t i = 0; i < a->address_count; i++)
        if (!ip_equal(&a->addresses[i].ip, &b->addresses[i].ip) ||
            a->addresses[i].secure != b->addresses[i].secure ||
            !same_result(&a->addresses[i].starttls, &b->addresses[i].starttls))
            return false;
    return true;
}

static inline bool same_host(const struct mx_host *a, const struct mx_host *b)
{
    return same_text(a->name, b->name) && a->preference == b->preference && a->dane == b->dane &&
           a->address_secure == b->address_secure && a->addresses_known == b->addresses_known &&
           a->tlsa_short == b->tlsa_short && a->tlsa_truncated == b->tlsa_truncated &&
           same_text(a->tlsa_base, b->tlsa_base) && same_text(a->expanded, b->expanded) &&
           same_text(a->why, b->why) && a->ttl == b->ttl && same_lists(a, b);
}

static inline bool same_policy(const struct sts_policy *a, const struct sts_policy *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->mode != b->mode || a->max_age != b->max_age || a->mx_count != b->mx_count ||
        a->line_count != b->line_count)
        return false;
    for (size_t i = 0; i < a->mx_count; i++)
        if (!same_text(a->mx[i], b->mx[i]))
            return false;
    for (size_t i = 0; i < a->line_count; i++)
        if (!same_text(a->lines[i], b->lines[i]))
            return false;
    return true;
}

static inline bool same_sts(const struct sts_evidence *a, const struct sts_evidence *b)
{
    return a->state == b->state && same_text(a->id, b->id) && a->ttl == b->ttl &&
           same_text(a->why, b->why) && same_policy(a->policy, b->policy) &&
           a->fetched_at == b->fetched_at && a->valid_until == b->valid_until &&
           a->refresh_at == b->refresh_at && a->retry_at == b->retry_at;
}

static inline bool same(const struct evidence *a, const struct evidence *b)
{
    if (!same_text(a->domain, b->domain) || a->port != b->port || a->mx != b->mx ||
        a->mx_secure != b->mx_secure || a->mx_truncated != b->mx_truncated ||
        a->mx_ttl != b->mx_ttl || !same_text(a->mx_why, b->mx_why) ||
        !same_text(a->expanded, b->expanded) || a->host_count != b->host_count ||
        a->complete != b->complete || !same_sts(&a->sts, &b->sts))
        return false;
    for (size_t i = 0; i < a->host_count; i++)
        if (!same_host(&a->hosts[i], &b->hosts[i]))
            return false;
    return true;
}

static inline void round_trip(const struct evidence *evidence)
{
    const struct evidence *got;

    pack(evidence);
    got = unpack(0);
    assert_non_null(got);
    assert_true(same(evidence, got));
}

/* ---- what there is to pack ---- */

static inline struct starttls_result full_result(void)
{
    return (struct starttls_result){
        .state = STARTTLS_VERIFIED,
        .chain_ok = true,
        .name_ok = true,
        .tlsa = TLSA_MATCH_OK,
        .code = 220,
        .probed_at = MAKE_NOW - 5000,
        .valid_until = MAKE_NOW + 86400 * 1000,
        .protocol = "TLSv1.3",
        .cipher = "TLS_AES_256_GCM_SHA384",
        .subject = "mx0.example.com",
        .not_after = 1900000000,
    };
}

/* Something in every field, by what `seed` has in its bits. */
static inline void dress(struct made *made, unsigned seed)
{
    struct evidence *evidence = &made->evidence;
    bool more = seed & 1;

    evidence->port = more ? 587 : 25;
    evidence->expanded = more ? "target.example.org" : NULL;
    evidence->mx_why = more ? "SERVFAIL (EDE 6: DNSSEC Bogus)" : NULL;
    evidence->mx_ttl = more ? UINT32_MAX : UINT32_MAX - 1;
    evidence->mx_truncated = more;
    evidence->complete = seed & 2;
    evidence->sts.why = seed & 2 ? "the policy host does not answer" : NULL;
    evidence->sts.refresh_at = seed & 2 ? MAKE_NOW + 86000 * 1000 : 0;
    evidence->sts.retry_at = more ? MAKE_NOW + 300 * 1000 : 0;
    for (size_t i = 0; i < evidence->host_count; i++) {
        struct mx_host *host = &made->hosts[i];

        host->expanded = more ? "_x.alias.example.org" : NULL;
        host->why = seed & 2 ? "TLSA lookup _25._tcp.mx.example: timeout" : NULL;
        host->tlsa_short = seed & 4;
        host->tlsa_truncated = seed & 8;
        host->ttl = (seed & 4) != 0 ? 0 : UINT32_MAX;
        for (size_t j = 0; j < host->address_count; j++) {
            struct mx_address *address = &made->addresses[i][j];
            enum starttls state = address->starttls.state;

            address->secure = more;
            if (seed & 4)
                address->ip = (struct ip){6, {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(j + 1)}};
            if (seed & 8)
                address->starttls = full_result();
            address->starttls.state = state;
            address->starttls.expired = seed & 2;
            address->starttls.requiretls = more;
            address->starttls.distrusted = !more;
            address->starttls.tlsa = (enum tlsa_match)(seed % 3);
            address->starttls.detail = seed & 2 ? "certificate expired 3 days ago" : NULL;
        }
    }
}

static inline void make_usual(struct made *made)
{
    make_evidence(made, MX_LISTED, true, "U", 'n', "V");
    made->addresses[0][0].starttls = full_result();
    made->evidence.complete = true;
}

static inline void packed_add(const char *name, CMUnitTestFunction function, const void *row)
{
    rows_add_one(name, function, row);
    rows_tests[rows_count - 1].setup_func = set_up;
    rows_tests[rows_count - 1].teardown_func = tear_down;
}

#define PACKED_ADD(function) packed_add(#function, (function), NULL)
