/*
 * engine and jobs under policy lists that come and go: what is in the cache, what waits in line, and
 * what is remembered. lists_find is this file's own: tests/CMakeLists.txt wraps it.
 */
#include "tests/unit/support/fake_domain.h"

#define LISTED "secure match=mx.d.example servername=hostname"

static enum list_mode mode;
static char some_list;

bool __wrap_lists_find(struct list_evidence *out, const struct lists *lists, const char *domain);

bool __wrap_lists_find(struct list_evidence *out, const struct lists *lists, const char *domain)
{
    assert_ptr_equal(lists, &some_list);
    *out = (struct list_evidence){.mode = LIST_NONE};
    if (mode == LIST_NONE || strcmp(domain, "d.example") != 0)
        return false;
    *out = (struct list_evidence){mode, "mx.d.example", 1, "a list", INT64_MAX};
    return true;
}

/* Another list is in force, or none. */
static void set_list(enum list_mode now)
{
    mode = now;
    ruleset_use_lists(ruleset, (const struct lists *)&some_list);
}

static void begin_listed(const char *settings, enum list_mode now)
{
    begin(settings);
    set_list(now);
}

#define WITH_RULES SETTINGS "rules = /dev/null\n"

/* A host at an MX without a signature; complete. */
static void answer_plain(struct domain_lookup *lookup, enum starttls state)
{
    lookup->evidence.mx = MX_LISTED;
    lookup->evidence.mx_ttl = lookup->evidence.sts.ttl = 300;
    lookup->evidence.sts.state = STS_NO_RECORD;
    lookup->evidence.host_count = 1;
    lookup->evidence.hosts = &lookup->host;
    lookup->host = (struct mx_host){.name = "mx.d.example",
                                    .dane = HOST_DANE_NONE,
                                    .ttl = 300,
                                    .addresses_known = true,
                                    .address_count = 1,
                                    .addresses = &lookup->address};
    ip_parse(&lookup->address.ip, "192.0.2.1");
    lookup->address.starttls.state = state;
    lookup->address.starttls.probed_at = clock_monotonic_ms();
    lookup->address.starttls.valid_until = INT64_MAX / 4;
    lookup->evidence.complete = true;
    lookup->changed(lookup->context);
}

/* Asks for the key, and has the lookup end so. */
static void learn(const char *key, enum starttls state)
{
    size_t before = lookup_count;
    struct asker asker;

    ask(&asker, key, false);
    turn();
    assert_int_equal(lookup_count, before + 1);
    answer_plain(lookups[before], state);
    assert_int_equal(asker.delivered, 1);
}

static void check_text(const char *key, const char *text)
{
    struct asker asker;

    ask(&asker, key, false);
    assert_int_equal(asker.delivered, 1);
    assert_string_equal(asker.text, text);
}

/* ---- cases ---- */

static void what_is_cached_follows_the_lists(void **state)
{
    (void)state;
    begin_listed(WITH_RULES, LIST_NONE);
    learn("d.example", STARTTLS_CLEAR);
    learn("e.example", STARTTLS_CLEAR);
    check_text("d.example", "");
    set_list(LIST_ENFORCE);
    check_text("D.example.", LISTED);
    check_text("e.example", "");
    set_list(LIST_TESTING);
    check_text("d.example", "");
    set_list(LIST_ENFORCE);
    check_text("d.example", LISTED);
    set_list(LIST_NONE);
    check_text("d.example", "");
    assert_int_equal(lookup_count, 2);
    end();
}

/* An attacker who delays the MX answer must not get the mail without a valid certificate. */
static void a_listed_key_whose_mx_is_late_is_not_remembered_for_less(void **state)
{
    struct asker late;

    (void)state;
    begin_listed(WITH_RULES "answer-deadline = 20ms\njob-deadline = 10s\n", LIST_ENFORCE);
    learn("d.example", STARTTLS_TLS);
    engine_flush(engine, clock_monotonic_ms());
    ask(&late, "d.example", false);
    await(&late);
    assert_string_equal(late.text, LISTED);
    set_list(LIST_NONE);
    ask(&late, "d.example", false);
    await(&late);
    assert_string_equal(late.text, "encrypt");
    end();
}

static void nor_is_one_that_waits_in_line(void **state)
{
    struct asker running, waiting;

    (void)state;
    begin_listed(WITH_RULES "jobs = 1\nanswer-deadline = 20ms\njob-deadline = 10s\n", LIST_ENFORCE);
    learn("d.example", STARTTLS_TLS);
    engine_flush(engine, clock_monotonic_ms());
    ask(&running, "a.example", false);
    turn();
    ask(&waiting, "d.example", false);
    await(&waiting);
    assert_string_equal(waiting.text, LISTED);
    assert_int_equal(lookup_count, 2);
    end();
}

/* Where nothing is remembered, nothing is known that a list could go before. */
static void a_first_contact_that_waits_in_line_is_temp(void **state)
{
    struct asker running, waiting;

    (void)state;
    begin_listed(WITH_RULES "jobs = 1\nanswer-deadline = 20ms\njob-deadline = 10s\n", LIST_ENFORCE);
    ask(&running, "a.example", false);
    turn();
    ask(&waiting, "d.example", false);
    await(&waiting);
    assert_int_equal(waiting.status, ANSWER_TEMP);
    end();
}

/* The answer of a list does not rest on probes, what is left without it does. */
static void what_old_trust_anchors_proved_does_not_come_back(void **state)
{
    struct probe_cache_options probing = {.entries_max = 9};
    struct probe_cache *probes;
    struct asker asker;

    (void)state;
    begin_listed(WITH_RULES, LIST_ENFORCE);
    assert_int_equal(probe_cache_new(&probes, &(struct smtp_tools){&loop, NULL, NULL}, &probing),
                     0);
    engine->cache->tools.probes = probes;
    learn("d.example", STARTTLS_VERIFIED);
    probe_cache_judge_again(probes, clock_monotonic_ms() + 1);
    check_text("d.example", LISTED);
    set_list(LIST_NONE);
    ask(&asker, "d.example", false);
    assert_int_equal(asker.delivered, 0);
    turn();
    assert_int_equal(lookup_count, 2);
    answer_plain(lookups[1], STARTTLS_TLS);
    assert_int_equal(asker.delivered, 1);
    engine->cache->tools.probes = NULL;
    probe_cache_close(probes);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cached_follows_the_lists),
        cmocka_unit_test(a_listed_key_whose_mx_is_late_is_not_remembered_for_less),
        cmocka_unit_test(nor_is_one_that_waits_in_line),
        cmocka_unit_test(a_first_contact_that_waits_in_line_is_temp),
        cmocka_unit_test(what_old_trust_anchors_proved_does_not_come_back),
    };

    return cmocka_run_group_tests_name("engine and policy lists", tests, NULL, NULL);
}
