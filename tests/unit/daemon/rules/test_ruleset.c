/*
 * rules and reload: what a change of rules, mode and rollout does to what is cached and to lookups
 * under way, and that a file that is wrong changes nothing.
 */
#include "tests/unit/support/fake_domain.h"

#include <sys/stat.h>
#include <unistd.h>

#include "daemon/rules/reload.h"

static char folder[] = "/tmp/mxc-orders-XXXXXX";
static char rules_path[64], config_path[64], settings[256];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(rules_path, sizeof rules_path, "%s/rules", folder);
    snprintf(config_path, sizeof config_path, "%s/conf", folder);
    snprintf(settings, sizeof settings, SETTINGS "rules = %s\n", rules_path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(rules_path);
    unlink(config_path);
    return rmdir(folder);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void begin_with(const char *rules)
{
    write_file(rules_path, rules);
    write_file(config_path, settings);
    begin(settings);
    config.source.path = config_path;
}

static void replace(const char *text)
{
    char error[RULES_ERROR_MAX];
    struct rules *rules = NULL;

    if (text != NULL)
        assert_int_equal(rules_parse(&rules, text, strlen(text), 25, error), 0);
    ruleset_replace(ruleset, rules, &config.override);
}

static void reply(const char *key, enum answer_status status, const char *text)
{
    struct asker asker;

    ask(&asker, key, false);
    assert_int_equal(asker.delivered, 1);
    assert_int_equal(asker.status, status);
    assert_string_equal(asker.text, text);
}

/* ---- rules ---- */

static void what_is_cached_follows_the_orders(void **state)
{
    struct asker asker;

    (void)state;
    begin_with("");
    ask(&asker, "d.example", false);
    turn();
    answer_dane(lookups[0], true);
    reply("d.example", ANSWER_OK, "dane-only");
    replace("d.example exactly encrypt");
    reply("d.example", ANSWER_OK, "encrypt");
    replace("d.example off");
    reply("d.example", ANSWER_NOTFOUND, "");
    replace("* monitor");
    reply("d.example", ANSWER_NOTFOUND, "");
    replace("d.example at-least verify");
    reply("d.example", ANSWER_OK, "dane-only");
    replace(NULL);
    reply("d.example", ANSWER_OK, "dane-only");
    assert_int_equal(lookup_count, 1); /* all of it from what was found once */
    end();
}

static void some_rules_look_nothing_up(void **state)
{
    (void)state;
    begin_with("a.example exactly encrypt\nb.example off\n[192.0.2.1] exactly may\n* monitor\n");
    reply("a.example", ANSWER_OK, "encrypt");
    reply("b.example", ANSWER_NOTFOUND, "");
    reply("[192.0.2.1]", ANSWER_OK, "may");
    reply(".a.example", ANSWER_NOTFOUND, "");
    turn();
    assert_int_equal(lookup_count, 0);
    assert_int_equal(engine->stats.by_final_reason[FINAL_REASON_EXACTLY], 2);
    end();
}

static void a_lookup_under_way_is_told_by_the_orders_of_its_end(void **state)
{
    struct asker asker;

    (void)state;
    begin_with("");
    ask(&asker, "d.example", false);
    turn();
    replace("d.example monitor");
    answer_dane(lookups[0], true);
    assert_int_equal(asker.delivered, 1);
    assert_int_equal(asker.status, ANSWER_NOTFOUND);
    assert_int_equal(engine->stats.withheld_by_level[VERDICT_DANE_ONLY], 1);
    end();
}

static void monitor_withholds_what_is_wrong_with_us_too(void **state)
{
    struct asker asker;

    (void)state;
    begin_with("");
    config.answer_deadline_ms = 20;
    config.override.monitor = true;
    replace(NULL);
    ask(&asker, "d.example", false);
    await(&asker);
    assert_int_equal(asker.status, ANSWER_NOTFOUND);
    config.override.monitor = false;
    end();
}

/* Mail does not wait for what the rules withhold; the lookup goes on to its end all the same. */
static void what_is_withheld_is_not_waited_for(void **state)
{
    const uint64_t *withheld;
    struct asker asker;

    (void)state;
    begin_with("n.example at-least encrypt\n");
    withheld = engine->stats.withheld_by_level;
    config.override.rollout = 0;
    ruleset_replace(ruleset, NULL, &config.override);
    assert_int_equal(ask_for(&asker, "d.example", WANTS_ANSWER), ASKED_ANSWERED);
    assert_int_equal(asker.status, ANSWER_NOTFOUND);
    turn();
    assert_int_equal(lookup_count, 1);
    assert_int_equal(withheld[VERDICT_DANE_ONLY], 0);
    answer_dane(lookups[0], true);
    assert_int_equal(withheld[VERDICT_DANE_ONLY], 1); /* known only now */
    assert_int_equal(ask_for(&asker, "d.example", WANTS_ANSWER), ASKED_ANSWERED);
    assert_int_equal(asker.status, ANSWER_NOTFOUND);
    assert_int_equal(withheld[VERDICT_DANE_ONLY], 2);
    replace("n.example at-least encrypt\n");
    assert_int_equal(ask_for(&asker, "n.example", WANTS_ANSWER), ASKED_WAITING);
    jobs_leave(&asker.waiter);
    config.override.rollout = 100;
    replace(NULL);
    assert_int_equal(ask_for(&asker, "e.example", WANTS_ANSWER), ASKED_WAITING);
    jobs_leave(&asker.waiter);
    reply("d.example", ANSWER_OK, "dane-only");
    assert_int_equal(lookup_count, 1);
    end();
}

static void a_bad_file_at_start_is_fatal(void **state)
{
    struct ruleset *none;
    char error[CONFIG_ERROR_MAX];

    (void)state;
    begin_with("");
    write_file(rules_path, "a.example off\nb.example maybe\n");
    assert_int_equal(ruleset_new(&none, &loop, &config, error), -1);
    assert_non_null(strstr(error, rules_path));
    assert_non_null(strstr(error, "line 2"));
    unlink(rules_path);
    assert_int_equal(ruleset_new(&none, &loop, &config, error), -1);
    config.rules_optional = true;
    assert_int_equal(ruleset_new(&none, &loop, &config, error), 0);
    assert_null(none->rules);
    ruleset_close(none);
    turn();
    ruleset_free(none);
    config.rules_optional = false;
    end();
}

/* ---- reload ---- */

struct seen {
    struct reload_waiter waiter;
    int count;
    bool refused;
    size_t rules, fixed_count;
    char text[CONFIG_ERROR_MAX];
};

static void on_reloaded(struct reload_waiter *waiter, const struct reload_result *result)
{
    struct seen *seen = LIST_ELEMENT(waiter, struct seen, waiter);

    seen->count++;
    seen->refused = result->error != NULL;
    seen->rules = result->rules;
    seen->fixed_count = result->fixed_count;
    snprintf(seen->text, sizeof seen->text, "%s",
             result->error != NULL     ? result->error
             : result->fixed_count > 0 ? result->fixed[0]
                                       : "");
}

static void start(struct reload *reload, struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    reload_waiter_init(&seen->waiter);
    reload_start(reload, &seen->waiter, on_reloaded);
}

static void until(const struct seen *seen)
{
    for (int i = 0; i < 100000 && seen->count == 0; i++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(seen->count, 1);
}

static void reload_brings_in_what_may_change_and_names_the_rest(void **state)
{
    struct reload *reload;
    struct seen seen;
    char text[512];

    (void)state;
    begin_with("a.example off\n");
    reload = reload_new(&loop, &config, ruleset, NULL, NULL);
    write_file(rules_path, "a.example exactly encrypt\nb.example off\n");
    snprintf(text, sizeof text, "%sjobs = 7\nmode = monitor\nlog-level = error\n", settings);
    write_file(config_path, text);
    start(reload, &seen);
    until(&seen);
    assert_false(seen.refused);
    assert_int_equal(seen.rules, 2);
    assert_int_equal(seen.fixed_count, 1);
    assert_string_equal(seen.text, "jobs");
    assert_true(ruleset->options.monitor);
    reload_close(reload);
    end();
}

static void what_is_wrong_changes_nothing(void **state)
{
    static const char *const bad_settings[] = {"mode = sometimes\n", "no such key\n",
                                               "rollout = 101%\n"};
    unsigned generation;
    struct reload *reload;
    struct seen seen;
    char text[512];

    (void)state;
    begin_with("a.example exactly encrypt\n");
    reload = reload_new(&loop, &config, ruleset, NULL, NULL);
    generation = ruleset_generation(ruleset);
    write_file(rules_path, "a.example off\n\nb.example maybe\n");
    start(reload, &seen);
    until(&seen);
    assert_true(seen.refused);
    assert_non_null(strstr(seen.text, "line 3"));
    write_file(rules_path, "a.example off\n");
    for (size_t i = 0; i < COUNT(bad_settings); i++) {
        snprintf(text, sizeof text, "%s%s", settings, bad_settings[i]);
        write_file(config_path, text);
        start(reload, &seen);
        until(&seen);
        assert_true(seen.refused);
        assert_non_null(strstr(seen.text, config_path));
    }
    assert_int_equal(ruleset_generation(ruleset), generation);
    reply("a.example", ANSWER_OK, "encrypt");
    reload_close(reload);
    end();
}

static void a_file_that_was_there_and_is_gone_changes_nothing(void **state)
{
    struct reload *reload;
    struct seen seen;
    char folder_only[256];

    (void)state;
    if (access(MXC_RULES_FILE, F_OK) == 0)
        skip(); /* this host has one */
    begin_with("a.example exactly encrypt\n");
    reload = reload_new(&loop, &config, ruleset, NULL, NULL);
    unlink(rules_path);
    snprintf(folder_only, sizeof folder_only, SETTINGS);
    write_file(config_path, folder_only); /* the default file, which is not there */
    start(reload, &seen);
    until(&seen);
    assert_true(seen.refused);
    assert_non_null(strstr(seen.text, "leave it empty"));
    reply("a.example", ANSWER_OK, "encrypt");
    replace("");
    start(reload, &seen);
    until(&seen);
    assert_false(seen.refused);
    reload_close(reload);
    end();
}

/* The port of a key without one is the running daemon's until it is started anew. */
static void a_new_port_counts_for_rules_after_a_restart(void **state)
{
    struct reload *reload;
    struct seen seen;
    char text[512];

    (void)state;
    begin_with("a.example:2525 exactly encrypt\n");
    reload = reload_new(&loop, &config, ruleset, NULL, NULL);
    snprintf(text, sizeof text, "%ssmtp-port = 2525\n", settings);
    write_file(config_path, text);
    start(reload, &seen);
    until(&seen);
    assert_false(seen.refused);
    assert_string_equal(seen.text, "smtp-port");
    reply("a.example:2525", ANSWER_OK, "encrypt");
    reload_close(reload);
    end();
}

/* Who asks while a reading is under way gets what the files say afterwards. */
static void who_asks_meanwhile_waits_for_the_next_reading(void **state)
{
    struct reload *reload;
    struct seen first, second, gone;

    (void)state;
    begin_with("a.example off\n");
    reload = reload_new(&loop, &config, ruleset, NULL, NULL);
    start(reload, &first);
    write_file(rules_path, "a.example off\nb.example off\n");
    start(reload, &second);
    start(reload, &gone);
    reload_leave(&gone.waiter);
    reload_start(reload, NULL, NULL);
    until(&first);
    until(&second);
    assert_int_equal(second.rules, 2);
    assert_int_equal(gone.count, 0);
    reload_close(reload);
    end();
}

static void closed_in_the_middle_nobody_is_told(void **state)
{
    struct reload *reload;
    struct seen seen;

    (void)state;
    begin_with("a.example off\n");
    reload = reload_new(&loop, &config, ruleset, NULL, NULL);
    start(reload, &seen);
    reload_leave(&seen.waiter);
    reload_close(reload);
    end();
    assert_int_equal(seen.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cached_follows_the_orders),
        cmocka_unit_test(some_rules_look_nothing_up),
        cmocka_unit_test(a_lookup_under_way_is_told_by_the_orders_of_its_end),
        cmocka_unit_test(monitor_withholds_what_is_wrong_with_us_too),
        cmocka_unit_test(what_is_withheld_is_not_waited_for),
        cmocka_unit_test(a_bad_file_at_start_is_fatal),
        cmocka_unit_test(reload_brings_in_what_may_change_and_names_the_rest),
        cmocka_unit_test(what_is_wrong_changes_nothing),
        cmocka_unit_test(a_file_that_was_there_and_is_gone_changes_nothing),
        cmocka_unit_test(a_new_port_counts_for_rules_after_a_restart),
        cmocka_unit_test(who_asks_meanwhile_waits_for_the_next_reading),
        cmocka_unit_test(closed_in_the_middle_nobody_is_told),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
