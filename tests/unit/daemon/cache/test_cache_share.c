/*
 * What another relay knows is joined with what this one does: over the product of what either may
 * have seen and proven, no answer is weaker than the one that this relay would give had it seen the
 * same evidence itself.
 */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/cache/cache.h"
#include "policy/evidence/evidence_pack.h"
#include "tests/unit/support/evidence_make.h"
#include "tests/unit/support/virtual_clock.h"

#define KEY  "example.com"
#define HOUR (INT64_C(3600) * 1000)
#define AGO  10000 /* ms between the two */

static uv_loop_t loop;
static struct config config;
static struct cache *cache;
static struct key key;
static int64_t now;

static int set_up(void **state)
{
    static const char settings[] = "helo-name = mx.example\nstore =\n";
    static const struct domain_tools tools = {.smtp_port = 25};
    char error[CONFIG_ERROR_MAX];

    (void)state;
    virtual_clock_pass(MAKE_NOW - clock_monotonic_ms());
    now = clock_monotonic_ms();
    log_set_level(LOG_LEVEL_ERROR);
    key_parse(&key, KEY, strlen(KEY), 25);
    assert_int_equal(config_parse(&config, "test", settings, sizeof settings - 1, NULL, 0, error),
                     0);
    assert_int_equal(uv_loop_init(&loop), 0);
    return cache_new(&cache, &loop, &config, &tools, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    cache_close(cache);
    uv_run(&loop, UV_RUN_DEFAULT);
    cache_free(cache);
    assert_int_equal(uv_loop_close(&loop), 0);
    config_fini(&config);
    return 0;
}

/* ---- the product ---- */

/* What was seen; `own`: it says more of the relay than of the world. */
static const struct {
    bool secure;
    const char *hosts;
    char sts;
    const char *probes;
    bool own;
} sights[] = {
    {true, "U", 'n', "V", false},   {true, "E", 'n', "V", true},      {false, "N", 'E', "V", false},
    {false, "N", 'n', "V", false},  {false, "NN", 'n', "V,T", false}, {false, "N", 'n', "C", false},
    {false, "N", 'n', "S", true},   {false, "N", 'n', "R", false},    {false, "N", 'f', "V", true},
    {false, "NL", 'n', "V,", true},
};

/* What was proven: a digit of each. */
#define MEMORIES (3 * 2 * 2 * 2)

static struct remembered memory_of(unsigned number, int64_t at)
{
    static const enum verdict_level observed[] = {VERDICT_NO_OPINION, VERDICT_ENCRYPT,
                                                  VERDICT_VERIFY};
    struct remembered memory = {.observed = observed[number % 3]};
    bool held = number / 3 % 2 == 1;

    memory.dane_possible = number / 6 % 2 == 1;
    memory.dane_only_until = memory.dane_possible ? at + HOUR : 0;
    memory.secure = number / 12 % 2 == 1;
    if (held && memory.observed != VERDICT_NO_OPINION) {
        memory.encrypt = (struct downgrade){at - HOUR, at + HOUR};
        if (memory.observed == VERDICT_VERIFY)
            memory.verify = memory.encrypt;
    }
    return memory;
}

/* One relay: what it saw and had proven before, and what it made of both. */
struct relay {
    struct made made;
    bool own; /* what it saw */
    int64_t at;
    struct remembered before;
    struct verdict verdict;
};

static void make_relay(struct relay *relay, unsigned sight, unsigned memory, int64_t at)
{
    make_evidence(&relay->made, MX_LISTED, sights[sight].secure, sights[sight].hosts,
                  sights[sight].sts, sights[sight].probes);
    relay->made.evidence.complete = true;
    relay->own = sights[sight].own;
    relay->at = at;
    relay->before = memory_of(memory, at);
    verdict_decide(&relay->verdict, &relay->made.evidence, &relay->before, &config.verdict, at);
}

static void know(const struct relay *relay)
{
    struct cache_entry *entry =
        cache_entry_new(&key, &relay->verdict, &relay->made.evidence, relay->at);

    assert_non_null(entry);
    assert_non_null(cache_put(cache, entry, true, now));
}

/* What the other relay put. */
static void hear(const struct relay *relay)
{
    const struct record_moment moment = cache_moment(0);
    struct record record = {
        .kind = RECORD_ANSWER,
        .answer = {.key = KEY,
                   .level = relay->verdict.level,
                   .reason = relay->verdict.reason,
                   .answer = "OK",
                   .decided_at = relay->at,
                   .valid_until = relay->verdict.valid_until,
                   .used_at = relay->at,
                   .remembered = relay->verdict.remembered},
    };
    struct buf evidence;

    record.answer.dane_until = remembered_dane_until(&relay->verdict.remembered, relay->at);
    buf_init(&evidence, RECORD_EVIDENCE_MAX);
    evidence_pack(&evidence, &relay->made.evidence);
    assert_false(evidence.failed);
    record.answer.evidence = evidence.data;
    record.answer.evidence_length = evidence.length;
    record_to_wall(&record, moment);
    assert_int_not_equal(cache_load_record(cache, &record, moment, CACHE_FROM_SHARE),
                         LOADED_REFUSED);
    buf_fini(&evidence);
}

/* What was proven is there still. A downgrade may be over, but not be another's later one. */
static void nothing_is_lost(const struct remembered *after, const struct remembered *own)
{
    assert_true(after->observed >= own->observed || own->encrypt.until <= now);
    assert_true(after->secure || !own->secure);
    assert_true(after->dane_possible || !own->dane_possible);
    assert_true(after->dane_only_until >= own->dane_only_until - LOADED_SAME_MS);
}

static void check_pair(const struct relay *own, const struct relay *other)
{
    const struct relay *later = own->at >= other->at || other->own ? own : other;
    const struct cache_entry *entry;
    struct remembered after;
    struct verdict least;

    know(own);
    hear(other);
    entry = cache_peek(cache, &key);
    assert_non_null(entry);
    assert_int_equal(entry->made_at, later->at);
    /* as if it had seen the evidence itself */
    verdict_decide(&least, &later->made.evidence, &own->verdict.remembered, &config.verdict,
                   later->at);
    /* what is proven to be DANE is no less than not knowing whether it is */
    if (entry->verdict.level < least.level && entry->verdict.level != VERDICT_DANE_ONLY)
        fail_msg(
            "%s and %s, not %s: own %s %s, other %s %s", verdict_level_name(entry->verdict.level),
            verdict_reason_code(entry->verdict.reason), verdict_level_name(least.level),
            verdict_level_name(own->verdict.level), verdict_reason_code(own->verdict.reason),
            verdict_level_name(other->verdict.level), verdict_reason_code(other->verdict.reason));
    after = cache_entry_remembered(entry);
    nothing_is_lost(&after, later == own ? &own->verdict.remembered : &least.remembered);
    assert_true(cache_forget(cache, &key));
}

static void no_answer_is_weaker(void **state)
{
    const unsigned all = COUNT(sights) * MEMORIES;

    (void)state;
    for (unsigned i = 0; i < all; i++)
        for (unsigned j = 0; j < all; j++)
            for (int order = 0; order < 2; order++) {
                static struct relay own, other;

                make_relay(&own, i % COUNT(sights), i / COUNT(sights),
                           now - (order == 0 ? AGO : 0));
                make_relay(&other, j % COUNT(sights), j / COUNT(sights),
                           now - (order == 0 ? 0 : AGO));
                check_pair(&own, &other);
            }
}

/* Where nothing is known here, what the other relay knows is the answer. */
static void what_is_not_known_is_taken(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(sights) * MEMORIES; i++) {
        static struct relay other;
        const struct cache_entry *entry;

        make_relay(&other, i % COUNT(sights), i / COUNT(sights), now - AGO);
        hear(&other);
        entry = cache_peek(cache, &key);
        if (other.own) {
            assert_null(entry);
            continue;
        }
        assert_non_null(entry);
        assert_true(entry->verdict.level >= other.verdict.level ||
                    other.verdict.level == VERDICT_TEMP);
        assert_true(cache_forget(cache, &key));
    }
}

/* The operator of another relay ends what was proven until then, held or not. */
static void a_release_counts_for_what_came_before(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT(sights) * MEMORIES; i++)
        for (int before = 0; before < 2; before++) {
            static struct relay own;
            struct remembered after;
            int64_t since;

            make_relay(&own, i % COUNT(sights), i / COUNT(sights), now - AGO);
            know(&own);
            since = own.verdict.remembered.encrypt.since != 0 ? own.verdict.remembered.encrypt.since
                                                              : own.verdict.remembered.verify.since;
            if (since == 0)
                since = own.at;
            cache_release_told(cache, &key, before == 0 ? since : since - 1, now);
            after = cache_entry_remembered(cache_peek(cache, &key));
            if (before != 0)
                assert_int_equal(after.observed, own.verdict.remembered.observed);
            else
                assert_true(after.encrypt.since == 0 && after.verify.since == 0);
            assert_true(after.secure || !own.verdict.remembered.secure);
            assert_true(after.dane_possible || !own.verdict.remembered.dane_possible);
            assert_true(cache_forget(cache, &key));
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_answer_is_weaker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_known_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_release_counts_for_what_came_before, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
