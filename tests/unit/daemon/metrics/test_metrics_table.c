/* metrics_table: the format, and that every number gets to its series; histogram: the buckets;
 * stats_json: the same numbers by the names of `mxcrypt stats`. */
#include "daemon/metrics/metrics_table.h"

#include "daemon/control/command.h"

#include "tests/unit/support/exposition.h"

static struct exposition page;

static void read_page(const struct metrics_numbers *numbers)
{
    struct buf text;

    buf_init(&text, METRICS_TEXT_MAX);
    metrics_text_write(&text, numbers);
    assert_false(text.failed);
    exposition_read(&page, buf_text(&text));
    buf_fini(&text);
}

static const char *series(const char *name)
{
    return exposition_get(&page, name);
}

static void nothing_has_happened(void **state)
{
    struct metrics_numbers numbers = {.build = {1}};
    size_t count = 0;

    (void)state;
    read_page(&numbers);
    for (size_t i = 0; metrics_family_at(i) != NULL; i++)
        count += metrics_family_at(i)->name != NULL;
    assert_int_equal(page.families, count);
    assert_true(count > 50);
    for (size_t i = 0; i < page.count; i++)
        if (strncmp(page.series[i].text, "mxcryptd_build_info", 19) != 0)
            assert_true(strtod(page.series[i].value, NULL) == 0);
    assert_string_equal(series("mxcryptd_build_info{version=\"" MXC_VERSION "\"}"), "1");
}

static void numbers_get_to_their_series(void **state)
{
    struct metrics_numbers numbers = {.build = {1}};

    (void)state;
    numbers.server.started_at_s = 1790000000;
    numbers.mode[METRICS_MONITOR] = true;
    numbers.rollout = 5;
    numbers.rules = 100000;
    numbers.engine.lookups = UINT64_MAX;
    numbers.engine.by_level[VERDICT_DANE_ONLY] = 7;
    numbers.engine.by_reason[REASON_STS_ENFORCE] = 6;
    numbers.engine.by_final_reason[FINAL_REASON_ROLLOUT] = 5;
    numbers.engine.withheld_by_level[VERDICT_SECURE] = 4;
    numbers.server.closed[SERVER_NOT_PROTOCOL] = 3;
    numbers.map.octets = (size_t)1 << 40;
    numbers.jobs.running = 4000000000u;
    numbers.dns.by_failure[DNS_FAILURE_SERVFAIL] = 8;
    numbers.sts.by_failure[FETCH_FAILURE_CERTIFICATE] = 9;
    numbers.probes.by_failure[SMTP_FAILURE_STARTTLS_5XX] = 10;
    numbers.probes.by_state[STARTTLS_VERIFIED] = 11;
    numbers.store.degraded = true;
    numbers.refresh.overdue_ms = 61005;
    numbers.lists.expires_s = INT64_C(4000000000);
    numbers.lists.refused[LIST_REFUSAL_ROLLBACK] = 12;
    read_page(&numbers);
    assert_string_equal(series("mxcryptd_lists_first_expiry_seconds"), "4000000000");
    assert_string_equal(series("mxcryptd_lists_refused_total{reason=\"rollback\"}"), "12");
    assert_string_equal(series("mxcryptd_start_time_seconds"), "1790000000");
    assert_string_equal(series("mxcryptd_mode{mode=\"enforce\"}"), "0");
    assert_string_equal(series("mxcryptd_mode{mode=\"monitor\"}"), "1");
    assert_string_equal(series("mxcryptd_rollout_ratio"), "0.05");
    assert_string_equal(series("mxcryptd_rules"), "100000");
    assert_string_equal(series("mxcryptd_lookups_total"), "18446744073709551615");
    assert_string_equal(series("mxcryptd_answers_total{level=\"dane-only\"}"), "7");
    assert_string_equal(series("mxcryptd_answers_found_total{reason=\"sts-enforce\"}"), "6");
    assert_string_equal(series("mxcryptd_answers_ruled_total{outcome=\"rollout\"}"), "5");
    assert_string_equal(series("mxcryptd_answers_withheld_total{level=\"secure\"}"), "4");
    assert_string_equal(series("mxcryptd_connections_closed_total{why=\"not-the-protocol\"}"), "3");
    assert_string_equal(series("mxcryptd_cache_bytes"), "1099511627776");
    assert_string_equal(series("mxcryptd_jobs_running"), "4000000000");
    assert_string_equal(series("mxcryptd_dns_failures_total{kind=\"servfail\"}"), "8");
    assert_string_equal(series("mxcryptd_policy_fetch_failures_total{kind=\"certificate\"}"), "9");
    assert_string_equal(series("mxcryptd_probe_failures_total{kind=\"starttls-5xx\"}"), "10");
    assert_string_equal(series("mxcryptd_probe_results_total{result=\"verified\"}"), "11");
    assert_string_equal(series("mxcryptd_store_degraded"), "1");
    assert_string_equal(series("mxcryptd_refresh_lag_seconds"), "61.005");
}

static void everything_at_its_largest_fits(void **state)
{
    struct metrics_numbers numbers;

    (void)state;
    memset(&numbers, 0x7f, sizeof numbers);
    memset(numbers.mode, 1, sizeof numbers.mode);
    memset(numbers.answers, 0, sizeof numbers.answers); /* their sum would wrap */
    numbers.has_store = numbers.has_share = numbers.share.ready = numbers.share.news_ready =
        numbers.store.degraded = numbers.cache.noting = true;
    read_page(&numbers);
}

static void answers_fall_into_buckets(void **state)
{
    struct metrics_numbers numbers = {.build = {1}};
    struct histogram *at_once = &numbers.answers[METRICS_AT_ONCE];

    (void)state;
    histogram_add(at_once, -1, 1);
    histogram_add(at_once, 25000, 1);
    histogram_add(at_once, 25001, 2);
    histogram_add(at_once, INT64_C(30000000000), 1);
    histogram_add(at_once, INT64_C(30000000001), 1);
    read_page(&numbers);
#define NAME "mxcryptd_answer_duration_seconds"
    assert_string_equal(series(NAME "_bucket{answered=\"at-once\",le=\"0.000025\"}"), "2");
    assert_string_equal(series(NAME "_bucket{answered=\"at-once\",le=\"0.00005\"}"), "4");
    assert_string_equal(series(NAME "_bucket{answered=\"at-once\",le=\"10\"}"), "4");
    assert_string_equal(series(NAME "_bucket{answered=\"at-once\",le=\"30\"}"), "5");
    assert_string_equal(series(NAME "_bucket{answered=\"at-once\",le=\"+Inf\"}"), "6");
    assert_string_equal(series(NAME "_count{answered=\"at-once\"}"), "6");
    assert_string_equal(series(NAME "_sum{answered=\"at-once\"}"), "60.000075003");
    assert_string_equal(series(NAME "_count{answered=\"after-lookup\"}"), "0");
}

/* Every number of `mxcrypt stats`: these names are an interface. */
static void stats_have_their_names(void **state)
{
    static const char *const single[] = {"log_lines_lost",
                                         "lookups",
                                         "cache_hits",
                                         "lookups_waited",
                                         "lookups_not_asked",
                                         "list_testing",
                                         "cache_entries",
                                         "cache_entries_negative",
                                         "cache_octets",
                                         "cache_evictions",
                                         "jobs_started",
                                         "jobs_running",
                                         "jobs_waiting",
                                         "jobs_early",
                                         "jobs_remembered",
                                         "jobs_answer_deadlines",
                                         "jobs_deadlines",
                                         "jobs_overloads",
                                         "connections",
                                         "connections_accepted",
                                         "connections_not_accepted",
                                         "connections_yielded",
                                         "connections_timed_out",
                                         "connections_not_the_protocol",
                                         "dns_queries",
                                         "dns_retransmissions",
                                         "dns_tcp",
                                         "dns_timeouts",
                                         "dns_failures",
                                         "dns_mismatches",
                                         "dns_in_flight",
                                         "dns_queued",
                                         "sts_fetches",
                                         "sts_fetch_failures",
                                         "sts_policies",
                                         "probes",
                                         "probes_in_flight",
                                         "probes_queued",
                                         "probe_results",
                                         "store_degraded",
                                         "store_pending",
                                         "store_written",
                                         "store_write_failures",
                                         "store_dropped",
                                         "store_finds",
                                         "store_finds_late",
                                         "store_rejected",
                                         "restored",
                                         "share_ready",
                                         "share_connected_ms",
                                         "share_news_ready",
                                         "share_news_behind_ms",
                                         "share_clock_skew_ms",
                                         "share_relays",
                                         "share_relays_differing",
                                         "share_pending",
                                         "share_finds",
                                         "share_found",
                                         "share_finds_late",
                                         "share_written",
                                         "share_conflicts",
                                         "share_write_failures",
                                         "share_dropped",
                                         "share_rejected",
                                         "share_waits",
                                         "share_news_sent",
                                         "share_news_taken",
                                         "share_emptied",
                                         "held",
                                         "holds_begun",
                                         "holds_restored",
                                         "holds_ended",
                                         "refreshes",
                                         "refreshes_running",
                                         "refreshes_lapsed",
                                         "refresh_lag_ms",
                                         "refresh_overdue_ms",
                                         "lists",
                                         "lists_in_force",
                                         "lists_expired",
                                         "lists_stale",
                                         "lists_not_kept",
                                         "lists_domains",
                                         "lists_first_expiry_s",
                                         "lists_fetched",
                                         "lists_fetch_failures"};
    static const char *const of_a_kind[] = {
        "answers_dane-only",        "withheld_temp",
        "dns_failures_other-rcode", "sts_fetch_failures_certificate",
        "probes_verified",          "probe_failures_starttls-5xx",
        "lists_refused_rollback"};
    const size_t kinds = 2 * (VERDICT_TEMP + 1) + DNS_FAILURE_COUNT + FETCH_FAILURE_COUNT +
                         STARTTLS_VERIFIED + 1 + SMTP_FAILURE_COUNT + LIST_REFUSALS_COUNT;
    struct metrics_numbers numbers = {.build = {1}};
    json_t *stats = stats_json(&numbers);

    (void)state;
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        assert_true(json_is_integer(json_object_get(stats, single[i])));
    for (size_t i = 0; i < sizeof of_a_kind / sizeof of_a_kind[0]; i++)
        assert_true(json_is_integer(json_object_get(stats, of_a_kind[i])));
    assert_int_equal(json_object_size(stats), sizeof single / sizeof single[0] + kinds);
    json_decref(stats);
}

static void stats_and_metrics_agree(void **state)
{
    struct metrics_numbers numbers = {.build = {1}};
    json_t *stats;

    (void)state;
    numbers.dns.failures = 3;
    numbers.dns.by_failure[DNS_FAILURE_SERVFAIL] = 2;
    numbers.holds_begun = 5;
    numbers.cache.holds_begun[HOLD_LOADED] = 4;
    numbers.refresh.overdue_ms = 61005;
    stats = stats_json(&numbers);
    assert_int_equal(json_integer_value(json_object_get(stats, "dns_failures")), 3);
    assert_int_equal(json_integer_value(json_object_get(stats, "dns_failures_servfail")), 2);
    assert_int_equal(json_integer_value(json_object_get(stats, "holds_begun")), 5);
    assert_int_equal(json_integer_value(json_object_get(stats, "holds_restored")), 4);
    assert_int_equal(json_integer_value(json_object_get(stats, "refresh_overdue_ms")), 61005);
    json_decref(stats);
}

static void bounds_are_what_they_say(void **state)
{
    (void)state;
#define X(ns, text) assert_true(strtod(text, NULL) * 1e9 == ns);
    HISTOGRAM_BUCKETS(X)
#undef X
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_happened),
        cmocka_unit_test(numbers_get_to_their_series),
        cmocka_unit_test(everything_at_its_largest_fits),
        cmocka_unit_test(answers_fall_into_buckets),
        cmocka_unit_test(stats_have_their_names),
        cmocka_unit_test(stats_and_metrics_agree),
        cmocka_unit_test(bounds_are_what_they_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
