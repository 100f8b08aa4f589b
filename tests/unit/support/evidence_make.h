/*
 * evidence_make: evidence for tests, from a few letters.
 *
 * Hosts, one letter each: U usable, B unusable ("bad"), N none, E error, D dead, L lost, ? unknown.
 * Probes, hosts apart by commas, one letter per address: V verified, T tls, C clear, P tempfail,
 * R refused, B broken, S silent, X error, K skipped, ? not asked yet, L tls with a certificate that
 * lapsed, l one that lapsed and is for another name, D with the certificate that verified before;
 * "" for no address at all. MTA-STS, one letter: see make_sts.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "policy/evidence.h"
#include "policy/decide/verdict.h"

#define MAKE_HOSTS     8
#define MAKE_ADDRESSES 4
#define MAKE_NOW       INT64_C(1000000000)
#define MAKE_TTL       3600

struct made {
    struct evidence evidence;
    struct mx_host hosts[MAKE_HOSTS];
    struct mx_address addresses[MAKE_HOSTS][MAKE_ADDRESSES];
    struct tlsa tlsa[MAKE_HOSTS];
    char names[MAKE_HOSTS][40];
    struct sts_policy policy;
    const char *patterns[2];
    const char *lines[4];
};

static inline enum host_dane make_host_state(char letter)
{
    static const char letters[] = "?UBNEDL";

    return (enum host_dane)(strchr(letters, letter) - letters);
}

static inline enum starttls make_starttls_state(char letter)
{
    static const char letters[] = "?KSXCPRBTV";

    if (letter == 'L' || letter == 'l' || letter == 'D')
        return STARTTLS_TLS;
    return (enum starttls)(strchr(letters, letter) - letters);
}

static inline void make_policy(struct made *made, enum sts_mode mode, int64_t fetched_ago_ms,
                               uint32_t max_age)
{
    struct sts_evidence *sts = &made->evidence.sts;

    made->patterns[0] = "mx0.example.com";
    made->patterns[1] = "*.example.net";
    made->lines[0] = "version: STSv1";
    made->lines[1] = "mode: enforce";
    made->lines[2] = "mx: mx0.example.com";
    made->lines[3] = "mx: *.example.net";
    made->policy = (struct sts_policy){mode, max_age, 2, made->patterns, 4, made->lines};
    sts->state = STS_POLICY;
    sts->policy = &made->policy;
    sts->fetched_at = MAKE_NOW - fetched_ago_ms;
    sts->valid_until = sts->fetched_at + (int64_t)max_age * 1000;
    snprintf(sts->id, sizeof sts->id, "20240101");
}

/*
 * ? unknown, - not asked, n no record, r bad record, d DNS error, f fetch failed, b bad policy;
 * policies: E enforce, T testing, 0 mode none, Z enforce with max_age 0, X enforce, max_age over.
 */
static inline void make_sts(struct made *made, char letter)
{
    static const char letters[] = "?-nrdfb";
    const char *plain = strchr(letters, letter);

    made->evidence.sts = (struct sts_evidence){.ttl = MAKE_TTL};
    if (plain != NULL)
        made->evidence.sts.state = (enum sts_state)(plain - letters);
    else if (letter == 'E')
        make_policy(made, STS_MODE_ENFORCE, 0, 86400);
    else if (letter == 'T')
        make_policy(made, STS_MODE_TESTING, 0, 86400);
    else if (letter == '0')
        make_policy(made, STS_MODE_NONE, 0, 86400);
    else if (letter == 'Z')
        make_policy(made, STS_MODE_ENFORCE, 0, 0);
    else
        make_policy(made, STS_MODE_ENFORCE, 86400 * 1000, 86400);
}

static inline void make_host(struct made *made, size_t i, char state)
{
    struct mx_host *host = &made->hosts[i];

    snprintf(made->names[i], sizeof made->names[i], "mx%zu.example.com", i);
    made->tlsa[i] = (struct tlsa){3, 1, 1, state == 'U', 32, (const uint8_t *)made->names};
    *host = (struct mx_host){
        .name = made->names[i],
        .preference = (uint16_t)(10 * (i + 1)),
        .dane = make_host_state(state),
        .addresses_known = state != '?',
        .address_secure = strchr("UBE", state) != NULL,
        .ttl = MAKE_TTL,
        .addresses = made->addresses[i],
    };
    if (state == 'U' || state == 'B') {
        host->tlsa_base = host->name;
        host->tlsa = &made->tlsa[i];
        host->tlsa_count = 1;
    }
}

static inline void make_probes(struct made *made, const char *probes)
{
    size_t i = 0;

    for (const char *p = probes; *p != '\0'; p++) {
        struct mx_host *host = &made->hosts[i];
        struct mx_address *address;

        if (*p == ',') {
            i++;
            continue;
        }
        address = &made->addresses[i][host->address_count];
        address->ip = (struct ip){4, {192, 0, 2, (uint8_t)(i * 10 + host->address_count + 1)}};
        address->starttls.state = make_starttls_state(*p);
        address->starttls.expired = *p == 'L' || *p == 'l';
        address->starttls.name_ok = *p == 'L' || *p == 'D';
        address->starttls.distrusted = *p == 'D';
        host->address_count++;
    }
}

static inline void make_evidence(struct made *made, enum mx_state mx, bool secure,
                                 const char *hosts, char sts, const char *probes)
{
    memset(made, 0, sizeof *made);
    made->evidence.domain = "example.com";
    made->evidence.port = 25;
    made->evidence.mx = mx;
    made->evidence.mx_secure = secure;
    made->evidence.mx_ttl = MAKE_TTL;
    made->evidence.hosts = made->hosts;
    made->evidence.host_count = strlen(hosts);
    for (size_t i = 0; i < made->evidence.host_count; i++)
        make_host(made, i, hosts[i]);
    make_probes(made, probes);
    make_sts(made, sts);
}

static inline struct verdict_options make_options(void)
{
    return (struct verdict_options){
        .dane = true,
        .probe = true,
        .verify = true,
        .ttl_min_ms = 60 * 1000,
        .ttl_max_ms = 86400 * 1000,
        .negative_ttl_max_ms = 3 * 3600 * 1000,
        .temp_ttl_ms = 60 * 1000,
        .hold_ms = 48 * 3600 * 1000,
        .hold_expired_ms = 24 * 3600 * 1000,
        .hold_probe_min_ms = 15 * 60 * 1000,
        .hold_probe_max_ms = 6 * 3600 * 1000,
    };
}

/* A function that changes what a row of a table is decided from. */
#define CHANGE(name, statement)                                                                    \
    static void name(struct made *made, struct verdict_options *options)                           \
    {                                                                                              \
        (void)made;                                                                                \
        (void)options;                                                                             \
        statement;                                                                                 \
    }
