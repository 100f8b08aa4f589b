/*
 * engine and jobs, with lookups that the test answers itself. docs/conformance.md hostile 27, 36,
 * 37; docs/verdicts.md §5.
 */
#include "tests/unit/support/fake_domain.h"

/* ---- cases ---- */

static void check_deadlines(uint64_t answers, uint64_t whole_jobs)
{
    struct jobs_stats stats;

    jobs_get_stats(engine->jobs, &stats);
    assert_int_equal(stats.answer_deadlines, answers);
    assert_int_equal(stats.deadlines, whole_jobs);
}

static void one_job_for_a_thousand_askers(void **state)
{
    static struct asker askers[1000];

    (void)state;
    begin(SETTINGS);
    for (size_t i = 0; i < COUNT(askers); i++)
        ask(&askers[i], i % 2 == 0 ? "D.example" : "d.example.", false);
    turn();
    assert_int_equal(lookup_count, 1);
    answer_dane(lookups[0], true);
    for (size_t i = 0; i < COUNT(askers); i++) {
        assert_int_equal(askers[i].delivered, 1);
        assert_string_equal(askers[i].text, "dane-only");
    }
    ask(&askers[0], "d.example", false); /* now from the cache, at once */
    assert_int_equal(askers[0].delivered, 1);
    assert_int_equal(lookup_count, 1);
    end();
}

static void what_settles_answers_early(void **state)
{
    struct asker quick, whole, late;

    (void)state;
    begin(SETTINGS);
    ask(&quick, "d.example", false);
    ask(&whole, "d.example", true);
    turn();
    answer_dane(lookups[0], false);
    assert_int_equal(quick.delivered, 1);
    assert_int_equal(whole.delivered, 0);
    ask(&late, "d.example", false); /* the job goes on, its provisional answer serves */
    assert_int_equal(late.delivered, 1);
    answer_dane(lookups[0], true);
    assert_int_equal(whole.delivered, 1);
    assert_int_equal(quick.delivered, 1);
    check_deadlines(0, 0);
    end();
}

/* DANE says nothing to it: it is told what is known beside that, at its deadline at the latest. */
static void an_mta_without_dane_waits_for_the_rest(void **state)
{
    struct asker first, late, in_time, cached;

    (void)state;
    begin(SETTINGS "answer-deadline = 20ms\njob-deadline = 10s\n");
    ask_for(&first, "d.example", WANTS_WITHOUT_DANE);
    turn();
    answer_dane(lookups[0], false);
    ask_for(&late, "d.example", WANTS_WITHOUT_DANE);
    assert_int_equal(first.delivered + late.delivered, 0);
    await(&late);
    assert_int_equal(first.delivered, 1);
    ask_for(&in_time, "d.example", WANTS_WITHOUT_DANE);
    answer_dane(lookups[0], true);
    assert_int_equal(in_time.delivered, 1);
    ask_for(&cached, "d.example", WANTS_WITHOUT_DANE);
    assert_int_equal(cached.delivered, 1);
    assert_int_equal(lookup_count, 1);
    end();
}

static void each_waiter_has_its_deadline_and_the_job_goes_on(void **state)
{
    struct asker first, second;

    (void)state;
    begin(SETTINGS "answer-deadline = 20ms\njob-deadline = 10s\n");
    ask(&first, "d.example", false);
    await(&first);
    assert_int_equal(first.status, ANSWER_TEMP);
    assert_true(remembered_used);
    assert_int_equal(lookups_alive, 1);
    ask(&second, "d.example", false);
    assert_int_equal(second.delivered, 0);
    answer_dane(lookups[0], true);
    assert_string_equal(second.text, "dane-only");
    assert_int_equal(first.delivered, 1);
    assert_int_equal(lookup_count, 1);
    check_deadlines(1, 0);
    end();
}

static void all_who_are_late_are_counted(void **state)
{
    struct asker askers[3], gone;

    (void)state;
    begin(SETTINGS "answer-deadline = 20ms\njob-deadline = 10s\n");
    for (size_t i = 0; i < COUNT(askers); i++)
        ask(&askers[i], i < 2 ? "a.example" : "b.example", false);
    ask(&gone, "a.example", false);
    turn();
    jobs_leave(&gone.waiter);
    for (size_t i = 0; i < COUNT(askers); i++)
        await(&askers[i]);
    check_deadlines(3, 0);
    end();
}

static void both_deadlines_of_one_lookup(void **state)
{
    struct asker quick, whole;

    (void)state;
    begin(SETTINGS "answer-deadline = 20ms\njob-deadline = 60ms\n");
    ask(&quick, "d.example", false);
    ask(&whole, "d.example", true);
    await(&quick);
    check_deadlines(1, 0);
    await(&whole);
    check_deadlines(1, 1);
    end();
}

static void who_nobody_waits_for_is_cut_off_too(void **state)
{
    const struct override none = {0};
    struct jobs_stats stats = {0};
    struct key key;

    (void)state;
    begin(SETTINGS "answer-deadline = 20ms\njob-deadline = 20ms\n");
    key_parse(&key, "d.example", 9, 25);
    assert_int_equal(jobs_look_up(engine->jobs, &key, &none, clock_monotonic_ms()), 0);
    for (int i = 0; i < 1000 && stats.deadlines == 0; i++) {
        uv_run(&loop, UV_RUN_ONCE);
        jobs_get_stats(engine->jobs, &stats);
    }
    check_deadlines(0, 1);
    end();
}

static void a_job_ends_at_its_deadline(void **state)
{
    struct asker asker, again;

    (void)state;
    begin(SETTINGS "answer-deadline = 20ms\njob-deadline = 20ms\n");
    ask(&asker, "d.example", true);
    await(&asker);
    assert_int_equal(asker.status, ANSWER_TEMP);
    assert_int_equal(lookups_alive, 0);
    ask(&again, "d.example", false); /* the TEMP is remembered: a burst is one lookup */
    assert_int_equal(again.delivered, 1);
    assert_int_equal(lookup_count, 1);
    check_deadlines(0, 1);
    end();
}

static void who_leaves_is_not_told(void **state)
{
    struct asker gone, stays;

    (void)state;
    begin(SETTINGS);
    ask(&gone, "d.example", false);
    ask(&stays, "d.example", false);
    turn();
    jobs_leave(&gone.waiter);
    answer_nxdomain(lookups[0]);
    assert_int_equal(gone.delivered, 0);
    assert_int_equal(stays.delivered, 1);
    assert_int_equal(stays.status, ANSWER_NOTFOUND);
    end();
}

static void base_domains_take_turns(void **state)
{
    static struct asker flood[100];
    struct asker other;
    char key[64];

    (void)state;
    begin(SETTINGS "jobs = 10\njobs-suffix = 8\n");
    for (size_t i = 0; i < COUNT(flood); i++) {
        snprintf(key, sizeof key, "r%zu.evil.example", i);
        ask(&flood[i], key, false);
    }
    turn();
    assert_int_equal(lookup_count, 8); /* one base domain's cap */
    ask(&other, "good.example.net", false);
    turn();
    assert_int_equal(lookup_count, 9);
    assert_string_equal(lookups[8]->name, "good.example.net");
    answer_dane(lookups[8], true);
    assert_string_equal(other.text, "dane-only");
    end();
}

/* Who shares a suffix with others waits only for itself; who has many names below one shares. */
static void strangers_below_a_suffix_take_turns(void **state)
{
    static const char *const keys[] = {"a.me.github.io", "b.me.github.io", "c.me.github.io",
                                       "you.github.io",  "a.b.co.uk",      "x.y.co.uk",
                                       "c.b.co.uk",      "d.b.co.uk"};
    struct asker askers[COUNT(keys)];

    (void)state;
    begin(SETTINGS "jobs = 100\njobs-suffix = 2\n");
    for (size_t i = 0; i < COUNT(keys); i++)
        ask(&askers[i], keys[i], false);
    turn();
    assert_int_equal(lookup_count, 6);
    for (size_t i = 0; i < lookup_count; i++) {
        assert_string_not_equal(lookups[i]->name, "c.me.github.io");
        assert_string_not_equal(lookups[i]->name, "d.b.co.uk");
    }
    end();
}

static void a_full_line_is_temp_at_once(void **state)
{
    static struct asker askers[JOBS_QUEUE_FACTOR + 2];
    char key[64];

    (void)state;
    begin(SETTINGS "jobs = 1\n");
    ask(&askers[0], "first.example", false);
    turn();
    for (size_t i = 1; i < COUNT(askers); i++) {
        snprintf(key, sizeof key, "r%zu.example", i);
        ask(&askers[i], key, false);
        assert_int_equal(askers[i].delivered, i == COUNT(askers) - 1);
    }
    assert_int_equal(askers[COUNT(askers) - 1].status, ANSWER_TEMP);
    end();
}

static void waiting_in_line_past_the_deadline_is_temp(void **state)
{
    struct asker running, waiting;

    (void)state;
    begin(SETTINGS "jobs = 1\nanswer-deadline = 20ms\njob-deadline = 40ms\n");
    ask(&running, "a.example", false);
    turn();
    ask(&waiting, "b.example", false);
    await(&waiting);
    assert_int_equal(waiting.status, ANSWER_TEMP);
    check_deadlines(2, 0); /* running's too; neither lookup is cut off */
    end();
}

static void what_was_forgotten_meanwhile_is_not_kept(void **state)
{
    struct asker first, second, third;

    (void)state;
    begin(SETTINGS);
    ask(&first, "d.example", false);
    turn();
    answer_dane(lookups[0], false);
    assert_int_equal(first.delivered, 1);
    forget_key("d.example");
    ask(&second, "d.example", false); /* not the provisional answer: the whole one is due soon */
    assert_int_equal(second.delivered, 0);
    answer_dane(lookups[0], true);
    assert_string_equal(second.text, "dane-only");
    ask(&third, "d.example", false);
    turn();
    assert_int_equal(third.delivered, 0);
    assert_int_equal(lookup_count, 2);
    end();
}

/* A key that is held is asked for again, once its answer has ended. */
static void ask_held(struct asker *asker, int64_t held_since, int64_t made_at)
{
    const struct evidence evidence = {.domain = "d.example", .port = 25, .complete = true};
    struct verdict verdict;
    struct cache_entry *entry;
    struct key key;

    key_parse(&key, "d.example", 9, 25);
    verdict_without_evidence(&verdict, REASON_HELD, made_at);
    verdict.valid_until = made_at;
    verdict.remembered.observed = VERDICT_ENCRYPT;
    verdict.remembered.encrypt = (struct downgrade){held_since, held_since + 3600000};
    entry = cache_entry_new(&key, &verdict, &evidence, made_at);
    assert_non_null(cache_put(engine->cache, entry, true, made_at));
    ask(asker, "d.example", true);
    turn();
    assert_int_equal(asker->delivered, 0);
}

/* What another relay says of a key, that it was told at `at`. */
static void hear(enum share_news_kind kind, int64_t at)
{
    const struct share_news news = {.kind = kind, .relay = "mx2", .name = "d.example", .at = at};

    engine->cache->told(engine->cache->told_context, &news);
}

static enum verdict_level kept_of(const char *name)
{
    const struct cache_entry *entry;
    struct key key;

    key_parse(&key, name, strlen(name), 25);
    entry = cache_peek(engine->cache, &key);
    return entry == NULL ? VERDICT_TEMP : cache_entry_remembered(entry).observed;
}

/* It ends what was known then, and nothing that was learnt since: old news may be repeated. */
static void what_others_said_of_a_key_that_is_looked_up(void **state)
{
    static const struct {
        enum share_news_kind kind;
        int64_t said_ago, held_ago;
        enum verdict_level kept;
    } rows[] = {
        {SHARE_NEWS_RELEASE, 3000, 2000, VERDICT_ENCRYPT},
        {SHARE_NEWS_RELEASE, 1500, 2000, VERDICT_NO_OPINION},
        {SHARE_NEWS_RELEASE, 500, 2000, VERDICT_NO_OPINION},
        {SHARE_NEWS_FORGET, 3000, 2000, VERDICT_ENCRYPT},
        {SHARE_NEWS_FORGET, 1500, 2000, VERDICT_NO_OPINION},
        {SHARE_NEWS_FORGET, 500, 2000, VERDICT_NO_OPINION},
        {SHARE_NEWS_FORGET, -1000, 2000, VERDICT_TEMP}, /* not kept at all */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t now;
        struct asker asker;

        begin(SETTINGS);
        now = clock_monotonic_ms();
        ask_held(&asker, now - rows[i].held_ago, now - 1000);
        hear(rows[i].kind, now - rows[i].said_ago);
        answer_nxdomain(lookups[0]);
        assert_int_equal(asker.delivered, 1);
        assert_int_equal(kept_of("d.example"), rows[i].kept);
        end();
    }
}

/* Only a lookup that has begun may have used results judged by the old trust anchors. */
static void new_trust_anchors_spare_who_waits_in_line(void **state)
{
    struct asker running, waiting, again;

    (void)state;
    begin(SETTINGS "jobs = 1\n");
    ask(&running, "a.example", false);
    turn();
    ask(&waiting, "b.example", false);
    engine_judge_again(engine);
    answer_dane(lookups[0], true);
    assert_string_equal(running.text, "dane-only");
    turn();
    assert_int_equal(lookup_count, 2);
    answer_dane(lookups[1], true);
    assert_string_equal(waiting.text, "dane-only");
    ask(&again, "b.example", false);
    assert_int_equal(again.delivered, 1);
    ask(&again, "a.example", false);
    assert_int_equal(again.delivered, 0);
    jobs_leave(&again.waiter);
    end();
}

static void keys_that_are_never_looked_up(void **state)
{
    static const char *const keys[] = {".example", "192.0.2.1", "[192.0.2.1]", "localhost",
                                       "",         "/var/x",    "a b.example"};
    struct asker asker;

    (void)state;
    begin(SETTINGS);
    for (size_t i = 0; i < COUNT(keys); i++) {
        ask(&asker, keys[i], false);
        assert_int_equal(asker.delivered, 1);
        assert_int_equal(asker.status, ANSWER_NOTFOUND);
    }
    turn();
    assert_int_equal(lookup_count, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_job_for_a_thousand_askers),
        cmocka_unit_test(what_settles_answers_early),
        cmocka_unit_test(an_mta_without_dane_waits_for_the_rest),
        cmocka_unit_test(each_waiter_has_its_deadline_and_the_job_goes_on),
        cmocka_unit_test(a_job_ends_at_its_deadline),
        cmocka_unit_test(all_who_are_late_are_counted),
        cmocka_unit_test(both_deadlines_of_one_lookup),
        cmocka_unit_test(who_nobody_waits_for_is_cut_off_too),
        cmocka_unit_test(who_leaves_is_not_told),
        cmocka_unit_test(base_domains_take_turns),
        cmocka_unit_test(strangers_below_a_suffix_take_turns),
        cmocka_unit_test(a_full_line_is_temp_at_once),
        cmocka_unit_test(waiting_in_line_past_the_deadline_is_temp),
        cmocka_unit_test(what_was_forgotten_meanwhile_is_not_kept),
        cmocka_unit_test(what_others_said_of_a_key_that_is_looked_up),
        cmocka_unit_test(new_trust_anchors_spare_who_waits_in_line),
        cmocka_unit_test(keys_that_are_never_looked_up),
    };

    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
