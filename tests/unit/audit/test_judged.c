/*
 * judged: verdicts taken from lines of report_verdict, and what other settings would change: as they
 * say themselves, and by rules that are tried on them.
 */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/judged.h"
#include "policy/report/report.h"
#include "tests/unit/support/evidence_make.h"

/* ---- a log ---- */

static struct tally_domain domains[] = {
    {.name = "", .messages = 7},
    {.name = "verify.example", .messages = 10},
    {.name = "clear.example", .messages = 300},
    {.name = "tls.example", .messages = 20},
    {.name = "dane.example", .messages = 5},
    {.name = "unknown.example", .messages = 2},
};
static const struct tally tally = {.domains = domains, .domain_count = 6};
enum { VERIFY = 1, CLEAR, TLS, DANE, UNKNOWN };

static struct rules *rules_from(const char *text)
{
    char error[RULES_ERROR_MAX];
    struct rules *rules = NULL;

    if (rules_parse(&rules, text, strlen(text), 25, error) != 0)
        fail_msg("%s: %s", text, error);
    return rules;
}

/* ---- verdicts ---- */

struct present {
    const char *rules; /* in force */
    bool monitor;
    unsigned rollout;
    int tried_rollout;
    const char *tried;
};

static json_t *line_for(const struct present *present, uint32_t domain, const char *hosts,
                        const char *probes)
{
    const struct verdict_options verdict_options = {.probe = true, .verify = true, .dane = true};
    struct rules *rules = rules_from(present->rules);
    const struct report_settings settings = {
        rules, {present->monitor, present->rollout}, present->tried_rollout, 0};
    struct verdict verdict;
    struct made made;
    struct key key;
    json_t *line;

    make_evidence(&made, MX_LISTED, true, hosts, 'n', probes);
    made.evidence.complete = true;
    verdict_decide(&verdict, &made.evidence, NULL, &verdict_options, MAKE_NOW);
    key_parse(&key, domains[domain].name, strlen(domains[domain].name), 25);
    line = report_verdict(domains[domain].name, &key, &verdict, &made.evidence, &settings);
    rules_free(rules);
    assert_non_null(line);
    return line;
}

static void take(struct judged *judged, const struct present *present, uint32_t domain,
                 const char *hosts, const char *probes)
{
    json_t *line = line_for(present, domain, hosts, probes);

    assert_true(judged_take(judged, &tally, domain, line));
    json_decref(line);
}

/* All but the last domain. */
static void judge(struct judged *judged, const struct present *present, struct rules *tried)
{
    const struct judged_options options = {.in_force = {present->monitor, present->rollout},
                                           .rollout = present->tried_rollout,
                                           .rules = tried,
                                           .rules_name = "new",
                                           .smtp_port = 25};

    assert_int_equal(judged_init(judged), 0);
    assert_int_equal(judged_begin(judged, &tally, "mxcryptd", &options), 0);
    take(judged, present, VERIFY, "N", "V");
    take(judged, present, CLEAR, "N", "C");
    take(judged, present, TLS, "N", "T");
    take(judged, present, DANE, "U", "T");
    judged_end(judged, &tally);
}

static const struct judged_change *change_of(const struct judged_what_if *what_if, uint32_t domain)
{
    for (size_t i = 0; i < what_if->count; i++)
        if (what_if->changes[i].domain == domain)
            return &what_if->changes[i];
    fail_msg("no change for %s", domains[domain].name);
    return NULL;
}

static void present_verdicts(void **state)
{
    static const struct present present = {"", false, 100, -1, ""};
    struct judged judged;

    (void)state;
    judge(&judged, &present, NULL);
    assert_true(judged.asked && judged.domains[VERIFY].known);
    assert_int_equal(judged.domains[VERIFY].found, VERDICT_VERIFY);
    assert_string_equal(judged.domains[VERIFY].reason, "starttls-verified");
    assert_string_equal(judged.domains[VERIFY].answer, "OK verify servername=hostname");
    assert_string_equal(judged.domains[CLEAR].answer, "NOTFOUND");
    assert_false(judged.domains[UNKNOWN].known);
    assert_int_equal(judged.messages_by_level[VERDICT_VERIFY], 10);
    assert_int_equal(judged.messages_by_level[VERDICT_NO_OPINION], 300);
    assert_int_equal(judged.domains_by_level[VERDICT_ENCRYPT], 1);
    assert_int_equal(judged.messages_by_level[VERDICT_DANE_ONLY], 5);
    /* the domain that nobody asked for, and what had no room */
    assert_int_equal(judged.messages_unjudged, 9);
    assert_int_equal(judged.domains_unjudged, 1);
    assert_int_equal(judged.what_if_count, 1);
    assert_string_equal(judged.what_ifs[0].setting, "mode = enforce");
    assert_int_equal(judged.what_ifs[0].count, 0);
    judged_fini(&judged);
}

static void enforcing(void **state)
{
    static const struct present present = {"clear.example at-least encrypt\n"
                                           "tls.example monitor\n",
                                           true, 100, 0, ""};
    struct judged judged;
    const struct judged_change *change;

    (void)state;
    judge(&judged, &present, NULL);
    assert_true(judged.domains[VERIFY].withheld);
    assert_int_equal(judged.domains[VERIFY].found, VERDICT_VERIFY);
    assert_string_equal(judged.domains[VERIFY].answer, "NOTFOUND");
    assert_int_equal(judged.what_if_count, 2);
    assert_int_equal(judged.what_ifs[0].count, 3);
    assert_int_equal(judged.what_ifs[0].messages_changed, 315);
    assert_int_equal(judged.what_ifs[0].messages_stopped, 300);
    /* most messages first */
    assert_int_equal(judged.what_ifs[0].changes[0].domain, CLEAR);
    assert_int_equal(judged.what_ifs[0].changes[1].domain, VERIFY);
    change = change_of(&judged.what_ifs[0], CLEAR);
    assert_string_equal(change->now, "NOTFOUND");
    assert_string_equal(change->then, "OK encrypt");
    assert_string_equal(change->why, "a rule asks for more than was found out");
    assert_string_equal(change->forecast, "defers");
    assert_true(change->stops);
    change = change_of(&judged.what_ifs[0], VERIFY);
    assert_string_equal(change->forecast, "flows");
    assert_false(change->stops);
    /* rollout = 0: but for what rules name */
    assert_string_equal(judged.what_ifs[1].setting, "mode = enforce, rollout = 0");
    assert_int_equal(judged.what_ifs[1].count, 1);
    assert_int_equal(judged.what_ifs[1].changes[0].domain, CLEAR);
    judged_fini(&judged);
}

/* However little mail that is. */
static void what_stops_comes_first(void **state)
{
    static const struct present present = {"dane.example exactly verify\n", true, 100, -1, ""};
    static const uint32_t want[] = {DANE, TLS, VERIFY};
    struct judged judged;

    (void)state;
    judge(&judged, &present, NULL);
    assert_int_equal(judged.what_ifs[0].count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(judged.what_ifs[0].changes[i].domain, want[i]);
        assert_int_equal(judged.what_ifs[0].changes[i].stops, want[i] == DANE);
    }
    judged_fini(&judged);
}

/* What rules that are tried here give is what they would give in force. */
static void other_rules(void **state)
{
    static const char text[] = "* at-least verify\n"
                               "dane.example exactly may\n"
                               "tls.example off\n"
                               "verify.example at-least secure match=mx0.example.com\n";
    static const struct present now = {"", false, 100, -1, ""}, then = {text, false, 100, -1, ""};
    struct rules *tried = rules_from(text);
    struct judged judged;

    (void)state;
    judge(&judged, &now, tried);
    assert_int_equal(judged.what_if_count, 2);
    assert_string_equal(judged.what_ifs[1].setting, "rules new");
    assert_int_equal(judged.what_ifs[1].count, 4);
    for (size_t i = 0; i < 4; i++) {
        static const char *const hosts[] = {"", "N", "N", "N", "U"}, *const probes[] = {
                                                                         "", "V", "C", "T", "T"};
        const struct judged_change *change = &judged.what_ifs[1].changes[i];
        json_t *line =
            line_for(&then, change->domain, hosts[change->domain], probes[change->domain]);
        const json_t *told = json_object_get(line, "told");

        assert_string_equal(change->then, json_string_value(json_object_get(told, "answer")));
        assert_string_equal(change->why, json_string_value(json_object_get(told, "why")));
        assert_string_equal(change->forecast, json_string_value(json_object_get(told, "forecast")));
        json_decref(line);
    }
    assert_true(change_of(&judged.what_ifs[1], CLEAR)->stops);
    assert_false(change_of(&judged.what_ifs[1], DANE)->stops);
    assert_string_equal(change_of(&judged.what_ifs[1], VERIFY)->forecast, "flows");
    judged_fini(&judged);
    rules_free(tried);
}

/* Mail that waits already does not begin to. */
static void what_stops_already(void **state)
{
    static const struct present present = {"clear.example at-least encrypt\n", false, 100, -1, ""};
    struct rules *tried = rules_from("clear.example at-least verify\n");
    const struct judged_change *change;
    struct judged judged;

    (void)state;
    judge(&judged, &present, tried);
    change = change_of(&judged.what_ifs[1], CLEAR);
    assert_string_equal(change->now, "OK encrypt");
    assert_string_equal(change->forecast, "defers");
    assert_false(change->stops);
    assert_int_equal(judged.what_ifs[1].messages_changed, 300);
    assert_int_equal(judged.what_ifs[1].messages_stopped, 0);
    judged_fini(&judged);
    rules_free(tried);
}

/* With a rule that decides alone nothing was looked up; rules that would want it cannot tell. */
static void what_was_not_looked_up(void **state)
{
    static const struct report_settings settings = {NULL, {false, 100}, -1, 0};
    struct rules *tried = rules_from("* at-least encrypt\n");
    const struct judged_options options = {.in_force = {false, 100},
                                           .rollout = -1,
                                           .rules = tried,
                                           .rules_name = "new",
                                           .smtp_port = 25};
    struct report_settings in_force = settings;
    struct rules *rules = rules_from("tls.example exactly encrypt\n");
    struct judged judged;
    struct verdict verdict;
    struct key key;
    json_t *line;

    (void)state;
    in_force.rules = rules;
    assert_int_equal(judged_init(&judged), 0);
    assert_int_equal(judged_begin(&judged, &tally, "mxcryptd", &options), 0);
    verdict_without_evidence(&verdict, REASON_KEY, 0);
    key_parse(&key, "tls.example", 11, 25);
    line = report_verdict("tls.example", &key, &verdict, NULL, &in_force);
    assert_true(json_is_null(json_object_get(line, "found")));
    assert_true(judged_take(&judged, &tally, TLS, line));
    judged_end(&judged, &tally);
    assert_string_equal(judged.domains[TLS].answer, "OK encrypt");
    assert_int_equal(judged.domains[TLS].found, VERDICT_ENCRYPT);
    assert_string_equal(judged.domains[TLS].reason, "rule-exactly");
    assert_string_equal(judged.what_ifs[1].changes[0].then, "(not looked up)");
    assert_string_equal(judged.what_ifs[1].changes[0].forecast, "unknown");
    json_decref(line);
    judged_fini(&judged);
    rules_free(rules);
    rules_free(tried);
}

/* Each member in turn is missing, or of another kind. */
static void lines_that_make_no_sense(void **state)
{
    static const struct present present = {"", false, 100, 50, ""};
    static const char *const members[] = {"told", "enforced", "rollout"};
    static const struct judged_options options = {
        .in_force = {false, 100}, .rollout = 50, .smtp_port = 25};
    struct judged judged;

    (void)state;
    assert_int_equal(judged_init(&judged), 0);
    assert_int_equal(judged_begin(&judged, &tally, "mxcryptd", &options), 0);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        json_t *line = line_for(&present, VERIFY, "N", "V");

        json_object_set_new(line, members[i], json_integer(1));
        assert_false(judged_take(&judged, &tally, VERIFY, line));
        assert_false(judged.domains[VERIFY].known);
        json_decref(line);
    }
    judged_end(&judged, &tally);
    assert_int_equal(judged.domains_unjudged, 5);
    judged_fini(&judged);
}

/* More changes than there is room for at first. */
static void many_changes(void **state)
{
    enum { MANY = 5000 };
    static const struct present present = {"", true, 100, -1, ""};
    static const struct judged_options options = {
        .in_force = {true, 100}, .rollout = -1, .smtp_port = 25};
    struct tally_domain *many = calloc(MANY, sizeof *many);
    const struct tally log = {.domains = many, .domain_count = MANY};
    json_t *line = line_for(&present, VERIFY, "N", "V");
    struct judged judged;

    (void)state;
    assert_int_equal(judged_init(&judged), 0);
    for (uint32_t i = 0; i < MANY; i++)
        many[i] = (struct tally_domain){.name = "verify.example", .messages = i % 1000};
    assert_int_equal(judged_begin(&judged, &log, "mxcryptd", &options), 0);
    for (uint32_t i = 1; i < MANY; i++)
        assert_true(judged_take(&judged, &log, i, line));
    judged_end(&judged, &log);
    assert_int_equal(judged.what_ifs[0].count, MANY - 1);
    for (size_t i = 1; i < MANY - 1; i++) {
        const struct judged_change *change = &judged.what_ifs[0].changes[i];

        assert_true(
            change[-1].messages > change->messages ||
            (change[-1].messages == change->messages && change[-1].domain < change->domain));
    }
    json_decref(line);
    judged_fini(&judged);
    free(many);
}

static bool is_odd(const void *context, uint32_t domain)
{
    return context == NULL || domain % 2 == 1;
}

/* Of very many those with the most messages are asked for, of those that are wanted, and never what
 * stands for others. */
static void the_first_are_chosen(void **state)
{
    const uint32_t all = 2 * JUDGED_DOMAINS_MAX + 4;
    struct tally_domain *many = calloc(all, sizeof *many);
    uint32_t *chosen = calloc(all, sizeof *chosen);
    struct tally log = {.domains = many};

    (void)state;
    for (uint32_t i = 0; i < all; i++)
        many[i] = (struct tally_domain){.name = "a.example", .messages = 1000000 - i};
    for (uint32_t of = JUDGED_DOMAINS_MAX - 1; of <= JUDGED_DOMAINS_MAX + 1; of++) {
        size_t want = of <= JUDGED_DOMAINS_MAX ? of : JUDGED_DOMAINS_MAX;

        log.domain_count = of + 1;
        assert_int_equal(judged_choose(chosen, &log, is_odd, NULL), want);
        for (uint32_t i = 0; i < want; i++)
            assert_int_equal(chosen[i], i + 1);
        log.domain_count = 2 * of + 1;
        assert_int_equal(judged_choose(chosen, &log, is_odd, many), want);
        for (uint32_t i = 0; i < want; i++)
            assert_int_equal(chosen[i], 2 * i + 1);
    }
    free(many);
    free(chosen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(present_verdicts),       cmocka_unit_test(enforcing),
        cmocka_unit_test(what_stops_comes_first), cmocka_unit_test(other_rules),
        cmocka_unit_test(what_was_not_looked_up), cmocka_unit_test(lines_that_make_no_sense),
        cmocka_unit_test(many_changes),           cmocka_unit_test(what_stops_already),
        cmocka_unit_test(the_first_are_chosen),
    };

    return cmocka_run_group_tests_name("judged", tests, NULL, NULL);
}
