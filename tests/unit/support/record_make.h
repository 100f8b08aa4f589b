/* record_make: records for tests; strings are borrowed or static. Times: around MAKE_WALL. */
#pragma once

#include "daemon/store/record.h"

#define MAKE_WALL INT64_C(1795000000000)
#define MAKE_BODY "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 86400\n"

static inline struct record make_answer(const char *key)
{
    struct record record = {.kind = RECORD_ANSWER};

    record.answer = (struct answer_record){
        .key = key,
        .level = VERDICT_ENCRYPT,
        .reason = REASON_TLS,
        .answer = "OK encrypt",
        .decided_at = MAKE_WALL,
        .valid_until = MAKE_WALL + 3600000,
        .used_at = MAKE_WALL + 1000,
        .remembered = {.observed = VERDICT_ENCRYPT},
        .clock_shift = MAKE_WALL,
    };
    return record;
}

static inline struct record make_saved_policy(const char *domain)
{
    struct record record = {.kind = RECORD_POLICY};

    record.policy = (struct sts_saved){
        .domain = domain,
        .id = "20260101",
        .mode = STS_MODE_ENFORCE,
        .body = MAKE_BODY,
        .fetched_at = MAKE_WALL,
        .valid_until = MAKE_WALL + 86400000,
        .last_id = "20260102",
        .failures = 2,
        .failure = STS_FETCH_FAILED,
        .retry_at = MAKE_WALL + 600000,
        .why = "no connection",
    };
    return record;
}

static inline struct record make_probe(const char *address, const char *host)
{
    struct record record = {.kind = RECORD_PROBE};

    record.probe = (struct probe_saved){
        .port = 25,
        .host = host,
        .sni = host,
        .tlsa = 255,
        .result =
            {
                .state = STARTTLS_VERIFIED,
                .chain_ok = true,
                .name_ok = true,
                .tlsa = TLSA_MATCH_OK,
                .code = 220,
                .probed_at = MAKE_WALL,
                .valid_until = MAKE_WALL + 86400000,
                .protocol = "TLSv1.3",
                .cipher = "TLS_AES_256_GCM_SHA384",
                .subject = "mx.example.net",
                .not_after = 1800000000,
            },
    };
    (void)ip_parse(&record.probe.ip, address);
    return record;
}

static inline struct record make_event(const char *key, int64_t at)
{
    struct record record = {.kind = RECORD_EVENT};

    record.event = (struct event_record){.key = key,
                                         .at = at,
                                         .was = VERDICT_ENCRYPT,
                                         .now = VERDICT_VERIFY,
                                         .reason = REASON_VERIFIED};
    return record;
}
