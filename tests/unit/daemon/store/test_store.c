/* store: what is put is found again, before and after it was written, and by the next process. */
#include "tests/unit/support/store_fixture.h"

#include "daemon/store/store_queue.h"

static void check_answer(const struct record *found, const struct record *put)
{
    assert_non_null(found);
    assert_string_equal(found->answer.key, put->answer.key);
    assert_string_equal(found->answer.answer, put->answer.answer);
    assert_int_equal(found->answer.level, put->answer.level);
    assert_int_equal(found->answer.reason, put->answer.reason);
    assert_int_equal(found->answer.decided_at, put->answer.decided_at);
    assert_int_equal(found->answer.valid_until, put->answer.valid_until);
    assert_int_equal(found->answer.used_at, put->answer.used_at);
    assert_int_equal(found->answer.reminded_at, put->answer.reminded_at);
    assert_int_equal(found->answer.clock_shift, put->answer.clock_shift);
    assert_memory_equal(&found->answer.remembered, &put->answer.remembered,
                        sizeof put->answer.remembered);
    assert_int_equal(found->answer.evidence_length, put->answer.evidence_length);
    assert_memory_equal(found->answer.evidence, put->answer.evidence, put->answer.evidence_length);
}

static struct record full_answer(void)
{
    static const char octets[] = {0, 1, 2, 0, (char)255};
    struct record record = make_answer("example.com");

    record.answer.dane_until = MAKE_WALL + 5000;
    record.answer.remembered.secure = true;
    record.answer.remembered.observed = VERDICT_VERIFY;
    record.answer.remembered.verify = (struct downgrade){MAKE_WALL - 5, MAKE_WALL + 6};
    record.answer.remembered.encrypt = (struct downgrade){MAKE_WALL - 7, MAKE_WALL + 8};
    record.answer.reminded_at = MAKE_WALL - 9;
    record.answer.evidence = octets;
    record.answer.evidence_length = sizeof octets;
    return record;
}

/* Puts, looks before it is written, when it is, and in the next process. */
static void an_answer_survives(void **state)
{
    struct record answer = full_answer(), policy = make_saved_policy("example.org");
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    store_put(f.store, &answer);
    store_put(f.store, &policy);
    for (int i = 0; i < 3; i++) {
        struct seen seen = fixture_find(&f, "example.com", "example.org");

        check_answer(seen.answer, &answer);
        assert_non_null(seen.policy);
        assert_string_equal(seen.policy->policy.body, MAKE_BODY);
        assert_string_equal(seen.policy->policy.why, "no connection");
        assert_int_equal(seen.policy->policy.failure, STS_FETCH_FAILED);
        assert_true(i == 2 ? seen.last_written > 0 : seen.last_written == 0);
        seen_free(&seen);
        if (i == 0)
            fixture_written(&f);
        if (i == 1) {
            fixture_close(&f);
            fixture_open(&f);
        }
    }
    assert_int_equal(fixture_stats(&f).rejected, 0);
    fixture_end(&f);
}

static void what_is_pending_at_the_end_is_written(void **state)
{
    struct fixture f;

    (void)state;
    fixture_make(&f);
    f.options.flush_ms = 3600000;
    fixture_open(&f);
    fixture_put_answer(&f, "example.com");
    fixture_close(&f);
    fixture_open(&f);
    assert_true(fixture_has(&f, "example.com"));
    fixture_end(&f);
}

static void a_probe_survives(void **state)
{
    struct record probe = make_probe("2001:db8::1", "mx.example.net");
    struct fixture f;
    struct seen seen;

    (void)state;
    fixture_begin(&f);
    probe.probe.failures = 3;
    store_put(f.store, &probe);
    seen = fixture_list(&f, (struct store_selection){.kind = RECORD_PROBE});
    assert_null(seen.error);
    assert_int_equal(seen.count, 1);
    assert_memory_equal(&seen.records[0].probe.ip, &probe.probe.ip, sizeof probe.probe.ip);
    assert_int_equal(seen.records[0].probe.tlsa, 255);
    assert_int_equal(seen.records[0].probe.failures, 3);
    assert_int_equal(seen.records[0].probe.result.state, STARTTLS_VERIFIED);
    assert_int_equal(seen.records[0].probe.result.not_after, 1800000000);
    assert_string_equal(seen.records[0].probe.result.cipher, "TLS_AES_256_GCM_SHA384");
    assert_null(seen.records[0].probe.result.detail);
    assert_null(seen.next);
    seen_free(&seen);
    fixture_end(&f);
}

static void the_last_put_counts(void **state)
{
    struct record record = make_answer("example.com");
    struct fixture f;
    struct seen seen;

    (void)state;
    fixture_begin(&f);
    for (int i = 0; i < 100; i++) {
        record.answer.valid_until = MAKE_WALL + i;
        store_put(f.store, &record);
        assert_int_equal(fixture_stats(&f).pending, 1);
    }
    store_touch(f.store, "example.com", MAKE_WALL + 77);
    fixture_written(&f);
    store_touch(f.store, "other.example", 5);
    fixture_close(&f);
    fixture_open(&f);
    seen = fixture_find(&f, "example.com", NULL);
    assert_int_equal(seen.answer->answer.valid_until, MAKE_WALL + 99);
    assert_int_equal(seen.answer->answer.used_at, MAKE_WALL + 77);
    seen_free(&seen);
    store_touch(f.store, "example.com", MAKE_WALL + 88);
    seen = fixture_find(&f, "example.com", NULL);
    assert_int_equal(seen.answer->answer.used_at, MAKE_WALL + 88);
    seen_free(&seen);
    assert_false(fixture_has(&f, "other.example"));
    fixture_end(&f);
}

static void what_is_removed_is_gone(void **state)
{
    struct record policy = make_saved_policy("example.org");
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    for (int written = 0; written < 2; written++) {
        fixture_put_answer(&f, "example.com");
        store_put(f.store, &policy);
        if (written == 1)
            fixture_written(&f);
        store_remove(f.store, RECORD_ANSWER, "example.com");
        store_remove(f.store, RECORD_POLICY, "example.org");
        assert_false(fixture_has(&f, "example.com"));
        fixture_written(&f);
        assert_int_equal(fixture_count(&f, RECORD_ANSWER), 0);
        assert_int_equal(fixture_count(&f, RECORD_POLICY), 0);
    }
    fixture_end(&f);
}

static void probes_are_removed_by_address(void **state)
{
    const char *const hosts[] = {"a.example.net", "b.example.net"};
    struct record longer = make_probe("192.0.2.22", hosts[0]);
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    for (int written = 0; written < 2; written++) {
        store_put(f.store, &longer);
        for (int i = 0; i < 2; i++) {
            struct record probe = make_probe("192.0.2.2", hosts[i]);

            store_put(f.store, &probe);
        }
        if (written == 1)
            fixture_written(&f);
        store_remove_address(f.store, &(struct ip){4, {192, 0, 2, 2}});
        assert_int_equal(fixture_count(&f, RECORD_PROBE), 1);
    }
    fixture_end(&f);
}

/* Puts it in the store `where`: 0 still pending, 1 written. */
static void all_answers_lapse(void **state)
{
    struct record answer = full_answer();
    int64_t now = clock_wall_ms();
    struct fixture f;
    struct seen seen;

    (void)state;
    fixture_begin(&f);
    answer.answer.decided_at = now;
    answer.answer.valid_until = answer.answer.dane_until = now + 86400000;
    for (int written = 0; written < 2; written++) {
        store_put(f.store, &answer);
        if (written == 1)
            fixture_written(&f);
        store_lapse_answers(f.store);
        for (int twice = 0; twice < 2; twice++) {
            seen = fixture_find(&f, "example.com", NULL);
            assert_non_null(seen.answer);
            assert_true(seen.answer->answer.valid_until <= clock_wall_ms());
            assert_int_equal(seen.answer->answer.dane_until, 0);
            assert_false(seen.answer->answer.remembered.secure);
            assert_int_equal(seen.answer->answer.remembered.observed, VERDICT_VERIFY);
            assert_int_equal(seen.answer->answer.remembered.verify.since, MAKE_WALL - 5);
            seen_free(&seen);
            fixture_written(&f);
        }
    }
    assert_int_equal(fixture_stats(&f).rejected, 0);
    store_put(f.store, &answer); /* what is learnt afterwards lives */
    seen = fixture_find(&f, "example.com", NULL);
    assert_int_equal(seen.answer->answer.valid_until, now + 86400000);
    seen_free(&seen);
    fixture_end(&f);
}

/* ---- pages ---- */

static void put_used(struct fixture *f, int n, bool held)
{
    char key[32] = "";
    struct record record = make_answer(key);

    snprintf(key, sizeof key, "d%03d.example", n);
    record.answer.used_at = MAKE_WALL + n;
    if (held)
        record.answer.reason = REASON_HELD;
    store_put(f->store, &record);
}

static void answers_come_held_first_then_by_use(void **state)
{
    struct store_selection selection = {.kind = RECORD_ANSWER, .limit = 7};
    struct fixture f;
    char want[32];
    int seen_count = 0;

    (void)state;
    fixture_begin(&f);
    for (int i = 0; i < 20; i++)
        put_used(&f, i, i < 2);
    do {
        struct seen seen = fixture_list(&f, selection);

        assert_null(seen.error);
        for (size_t i = 0; i < seen.count; i++, seen_count++) {
            snprintf(want, sizeof want, "d%03d.example",
                     seen_count < 2 ? 1 - seen_count : 21 - seen_count);
            assert_string_equal(seen.records[i].answer.key, want);
        }
        free((char *)selection.cursor);
        selection.cursor = seen.next == NULL ? NULL : strdup(seen.next);
        seen_free(&seen);
    } while (selection.cursor != NULL);
    assert_int_equal(seen_count, 20);
    selection = (struct store_selection){.kind = RECORD_ANSWER, .key = "d007.example"};
    for (int i = 0; i < 1; i++) {
        struct seen seen = fixture_list(&f, selection);

        assert_int_equal(seen.count, 1);
        seen_free(&seen);
    }
    fixture_end(&f);
}

static void events_come_oldest_first_and_only_the_newest_stay(void **state)
{
    struct fixture f;
    struct seen seen;

    (void)state;
    fixture_begin(&f);
    for (int i = 0; i < STORE_EVENTS + 5; i++) {
        struct record event = make_event("example.com", MAKE_WALL + i);
        struct record other = make_event("example.org", MAKE_WALL + i);

        event.event.first = i == 5;
        store_put(f.store, &event);
        if (i < 3)
            store_put(f.store, &other);
    }
    seen = fixture_list(&f, (struct store_selection){.kind = RECORD_EVENT, .key = "example.com"});
    assert_int_equal(seen.count, STORE_EVENTS);
    for (int i = 0; i < STORE_EVENTS; i++)
        assert_int_equal(seen.records[i].event.at, MAKE_WALL + 5 + i);
    assert_true(seen.records[0].event.first);
    assert_false(seen.records[1].event.first);
    assert_int_equal(seen.records[1].event.was, VERDICT_ENCRYPT);
    assert_int_equal(seen.records[1].event.now, VERDICT_VERIFY);
    seen_free(&seen);
    seen = fixture_list(&f, (struct store_selection){.kind = RECORD_EVENT});
    assert_int_equal(seen.count, STORE_EVENTS + 3);
    for (size_t i = 1; i < seen.count; i++)
        assert_true(seen.records[i - 1].event.at <= seen.records[i].event.at);
    seen_free(&seen);
    fixture_end(&f);
}

static void all_policies_in_pages(void **state)
{
    struct store_selection selection = {.kind = RECORD_POLICY};
    struct fixture f;
    char domain[32] = "";
    size_t count = 0;

    (void)state;
    fixture_begin(&f);
    for (int i = 0; i < STORE_PAGE_MAX + 10; i++) {
        struct record policy = make_saved_policy(domain);

        snprintf(domain, sizeof domain, "d%d.example", i);
        store_put(f.store, &policy);
    }
    do {
        struct seen seen = fixture_list(&f, selection);

        count += seen.count;
        free((char *)selection.cursor);
        selection.cursor = seen.next == NULL ? NULL : strdup(seen.next);
        seen_free(&seen);
    } while (selection.cursor != NULL);
    assert_int_equal(count, STORE_PAGE_MAX + 10);
    fixture_end(&f);
}

/* ---- bounds and ends ---- */

static void too_much_pending_drops_the_cheapest(void **state)
{
    struct record policy = make_saved_policy("example.org"), proven = make_answer("proven.example");
    struct record probe = make_probe("192.0.2.1", "mx.example.net");
    struct fixture f;
    char key[32] = "";

    (void)state;
    fixture_make(&f);
    f.options.pending_max = 10;
    f.options.path = "/nonexistent/folder/store.db"; /* nothing is ever written */
    fixture_open(&f);
    FIXTURE_UNTIL(&f, fixture_stats(&f).degraded);
    store_put(f.store, &probe);
    store_put(f.store, &policy);
    store_put(f.store, &proven);
    for (int i = 0; i < 30; i++) {
        struct record plain = make_answer(key);

        snprintf(key, sizeof key, "d%d.example", i);
        plain.answer.remembered.observed = VERDICT_NO_OPINION;
        store_put(f.store, &plain);
    }
    assert_int_equal(fixture_stats(&f).pending, 10);
    assert_int_equal(fixture_stats(&f).dropped, 23);
    assert_true(fixture_has(&f, "proven.example"));
    assert_true(fixture_has(&f, "d29.example"));
    assert_false(fixture_has(&f, "d0.example"));
    for (int i = 0; i < 1; i++) {
        struct seen seen = fixture_find(&f, "nobody.example", "example.org");

        assert_non_null(seen.policy);
        seen_free(&seen);
    }
    f.options.path = f.path;
    fixture_end(&f);
}

static void never(void *context, const struct store_found *found)
{
    (void)found;
    (void)context;
    fail_msg("called");
}

static void never_page(void *context, const struct store_page *page)
{
    (void)page;
    (void)context;
    fail_msg("called");
}

static void a_cancelled_read_is_not_answered(void **state)
{
    const struct store_selection selection = {.kind = RECORD_ANSWER};
    struct store_read *read;
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    fixture_put_answer(&f, "example.com");
    assert_int_equal(store_find(&read, f.store, "a.example", NULL, never, NULL), 0);
    store_read_cancel(read);
    assert_int_equal(store_list(&read, f.store, &selection, never_page, NULL), 0);
    store_read_cancel(read);
    fixture_written(&f);
    assert_int_equal(store_list(&read, f.store, &selection, never_page, NULL), 0);
    store_read_cancel(read);
    /* and those that closing finds */
    assert_int_equal(store_find(&read, f.store, "a.example", NULL, never, NULL), 0);
    assert_int_equal(store_list(&read, f.store, &selection, never_page, NULL), 0);
    fixture_put_answer(&f, "example.org");
    assert_int_equal(store_list(&read, f.store, &selection, never_page, NULL), 0);
    fixture_end(&f);
}

static void what_nobody_may_read_is_not_written(void **state)
{
    struct record record = make_answer("NOT.canonical");
    struct fixture f;

    (void)state;
    fixture_begin(&f);
    store_put(f.store, &record);
    fixture_written(&f);
    assert_int_equal(fixture_count(&f, RECORD_ANSWER), 0);
    assert_int_equal(fixture_stats(&f).rejected, 1);
    fixture_end(&f);
}

/* ---- the queue ---- */

static void queue_answer(struct store_queue *queue, const struct record *answer)
{
    store_queue_add(queue, &(struct store_change){STORE_PUT, RECORD_ANSWER, .record = answer});
}

static void put_numbered(struct store_queue *queue, int from, int to, int64_t used_at)
{
    for (int i = from; i < to; i++) {
        struct record answer = make_answer("x.example");
        char key[32];

        snprintf(key, sizeof key, "d%d.example", i);
        answer.answer.key = key;
        answer.answer.used_at = used_at;
        queue_answer(queue, &answer);
    }
}

/* Earlier 0 to `earlier`, later from `later` on: the later ones count, and come last, whichever are
 * more. */
static void check_taken_back(int earlier, int later, int end, bool lapse)
{
    struct store_queue queue, batch;
    int expected = 0;

    store_queue_init(&queue, 10000);
    store_queue_init(&batch, 10000);
    put_numbered(&queue, 0, earlier, 1);
    store_queue_hand_over(&queue, &batch);
    if (lapse)
        store_queue_add(&queue, &(struct store_change){STORE_LAPSE, RECORD_ANSWER, .name = "",
                                                       .at = MAKE_WALL});
    put_numbered(&queue, later, end, 2);
    store_queue_take_back(&queue, &batch);
    assert_int_equal(batch.count + batch.octets, 0);
    assert_int_equal(queue.count, (size_t)end + lapse);
    for (struct list *link = queue.order.next; link != &queue.order; link = link->next) {
        const struct store_entry *entry = LIST_ELEMENT(link, const struct store_entry, order);
        bool new = expected >= later;

        if (entry->op == STORE_LAPSE) {
            assert_int_equal(expected, later);
            continue;
        }
        assert_int_equal(atoi(entry->record.answer.key + 1), expected);
        assert_int_equal(entry->record.answer.used_at, new ? 2 : 1);
        assert_int_equal(entry->record.answer.valid_until,
                         MAKE_WALL + (lapse && !new ? 0 : 3600000));
        expected++;
    }
    assert_int_equal(expected, end);
    store_queue_clear(&queue);
    assert_int_equal(queue.octets, 0);
}

static void what_is_taken_back_comes_before(void **state)
{
    static const struct {
        int earlier, later, end;
    } table[] = {{0, 0, 0},   {0, 0, 5},   {5, 5, 5},     {9, 7, 10},
                 {5, 5, 100}, {5, 3, 100}, {100, 90, 95}, {100, 100, 105}};

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        int end = table[i].end < table[i].earlier ? table[i].earlier : table[i].end;

        check_taken_back(table[i].earlier, table[i].later, end, false);
        check_taken_back(table[i].earlier, table[i].later, end, true);
    }
}

static void large_records_are_bounded_by_their_octets(void **state)
{
    enum { MOST = STORE_QUEUE_OCTETS_MAX / RECORD_EVIDENCE_MAX };
    static char evidence[RECORD_EVIDENCE_MAX];
    struct record answer = make_answer("x.example");
    struct store_queue queue;

    (void)state;
    store_queue_init(&queue, 10000);
    answer.answer.evidence = evidence;
    answer.answer.evidence_length = sizeof evidence;
    for (int i = 0; i < MOST + 5; i++) {
        char key[32];

        snprintf(key, sizeof key, "d%d.example", i);
        answer.answer.key = key;
        queue_answer(&queue, &answer);
        assert_true(queue.octets <= STORE_QUEUE_OCTETS_MAX);
    }
    assert_int_equal(queue.count, MOST - 1);
    assert_int_equal(queue.dropped, 6);
    assert_null(store_queue_overlay(&queue, NULL, RECORD_ANSWER, "d0.example", NULL));
    store_queue_clear(&queue);
}

/* What never was shows as nothing, not as 1970. */
static void views_have_no_date_for_never(void **state)
{
    struct record probe = make_probe("192.0.2.1", "mx.example.org");
    struct fixture f;

    (void)state;
    probe.probe.result.not_after = 0;
    fixture_begin(&f);
    store_put(f.store, &probe);
    fixture_put_answer(&f, "example.com");
    fixture_written(&f);
    fixture_close(&f);
    assert_int_equal(fixture_number(f.path, "SELECT count(*) FROM probes WHERE certificate_until"
                                            " IS NULL AND probed > '2026'"),
                     1);
    assert_int_equal(fixture_number(f.path, "SELECT count(*) FROM answers WHERE dane_until IS NULL"
                                            " AND decided > '2026'"),
                     1);
    fixture_end(&f);
}

int main(void)
{
    ROWS_ADD_TEST(an_answer_survives);
    ROWS_ADD_TEST(what_is_pending_at_the_end_is_written);
    ROWS_ADD_TEST(a_probe_survives);
    ROWS_ADD_TEST(the_last_put_counts);
    ROWS_ADD_TEST(what_is_removed_is_gone);
    ROWS_ADD_TEST(probes_are_removed_by_address);
    ROWS_ADD_TEST(all_answers_lapse);
    ROWS_ADD_TEST(answers_come_held_first_then_by_use);
    ROWS_ADD_TEST(events_come_oldest_first_and_only_the_newest_stay);
    ROWS_ADD_TEST(all_policies_in_pages);
    ROWS_ADD_TEST(too_much_pending_drops_the_cheapest);
    ROWS_ADD_TEST(a_cancelled_read_is_not_answered);
    ROWS_ADD_TEST(what_nobody_may_read_is_not_written);
    ROWS_ADD_TEST(views_have_no_date_for_never);
    ROWS_ADD_TEST(what_is_taken_back_comes_before);
    ROWS_ADD_TEST(large_records_are_bounded_by_their_octets);
    return rows_run("store");
}
