/* probe_table_fixture: a table of results of one address, filled at made-up times. */
#pragma once

#include <stdio.h>

#include "probe/smtp/probe_table.h"
#include "tests/unit/support/rows.h"

#define MX     "mx.example.test"
#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)

static inline struct probe_table *table_of(size_t entries_max)
{
    return probe_table_new(&(struct probe_cache_options){.entries_max = entries_max,
                                                         .good_ms = 24 * HOUR,
                                                         .retry_min_ms = 15 * MINUTE,
                                                         .retry_max_ms = 6 * HOUR});
}

static inline struct probe_key key_of(const char *host)
{
    struct probe_key key;
    struct ip ip;

    assert_true(ip_parse(&ip, "127.0.0.1"));
    assert_true(probe_key_make(&key, &(struct smtp_target){.ip = ip, .port = 25, .host = host}));
    return key;
}

static inline int64_t put(struct probe_table *table, const char *host, enum starttls state,
                          int64_t now_ms)
{
    struct probe_key key = key_of(host);
    struct starttls_result result = {.state = state, .not_after = INT64_MAX};

    assert_true(
        probe_table_put(table, &key, &(struct probe_moment){now_ms, 1000, false, 0}, &result));
    assert_int_equal(result.probed_at, now_ms);
    return result.valid_until - now_ms;
}

static inline void expect_about(int64_t got, int64_t want)
{
    assert_in_range(got, want - want / 10, want + want / 10);
}
