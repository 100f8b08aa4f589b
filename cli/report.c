/*
 * report: `mxcrypt report`, what enforcing everything would change today; and `mxcrypt rules
 * check`, what a new file of rules would. Both look at what the daemon has found out and has
 * cached; whether mail would wait is the daemon's forecast from the evidence. See mxcrypt(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "policy/ruling.h"

#define LISTED_MAX 20 /* next-hops named on the page; --json has them all */
#define MATCH      "match="

static int by_key(const void *a, const void *b)
{
    return strcmp(string_of(*(json_t *const *)a, "key"), string_of(*(json_t *const *)b, "key"));
}

/* The daemon lists in no order; without memory it stays so. */
static void sort_by_key(json_t **array)
{
    size_t count = json_array_size(*array), i;
    json_t **items = calloc(count + 1, sizeof(json_t *)), *item, *sorted;

    if (items == NULL)
        return;
    json_array_foreach(*array, i, item) items[i] = item;
    qsort(items, count, sizeof(json_t *), by_key);
    sorted = json_array();
    for (i = 0; i < count; i++)
        json_array_append(sorted, items[i]);
    free(items);
    json_decref(*array);
    *array = sorted;
}

static bool stops_mail(const char *forecast)
{
    return strcmp(forecast, "defers") == 0 || strcmp(forecast, "bounces") == 0;
}

/* True when a name of the policy's match= covers the host: "mx.d" itself, ".d" what is below d. */
static bool match_covers(const char *policy, const char *host)
{
    size_t host_length = strlen(host);

    for (const char *at = policy; (at = strstr(at, MATCH)) != NULL;)
        for (at += strlen(MATCH);; at++) {
            size_t length = strcspn(at, ": \t,");
            size_t skip = host_length > length && *at == '.' ? host_length - length : 0;

            if (length > 0 && host_length - skip == length &&
                strncasecmp(at, host + skip, length) == 0)
                return true;
            at += length;
            if (*at != ':')
                break;
        }
    return false;
}

static bool names_verified_host(const json_t *finding, const char *policy)
{
    const json_t *host;
    size_t i;

    json_array_foreach(json_object_get(finding, "verified"), i, host)
    {
        if (match_covers(policy, json_string_value(host)))
            return true;
    }
    return false;
}

/* What delivery would meet under an answer. A rule's own match= is not that of MTA-STS; and what a
 * certificate is good for beside the mail host's own name was not looked at. */
static const char *forecast_of(const json_t *finding, const char *level, const char *answer,
                               bool by_rule)
{
    const json_t *forecasts = json_object_get(finding, "forecast");
    bool has_file = strstr(answer, "tafile=") != NULL;
    const char *forecast;

    if (!by_rule || (strstr(answer, MATCH) == NULL && !has_file))
        return string_of(forecasts, level);
    if (!has_file && names_verified_host(finding, answer))
        return string_of(forecasts, "verify");
    forecast = string_of(forecasts, "encrypt");
    return strcmp(forecast, "flows") == 0 ? "unknown" : forecast;
}

static const char *forecast_told(const json_t *finding, const json_t *told)
{
    bool by_rule = strncmp(string_of(told, "reason"), "rule-", 5) == 0;

    return forecast_of(finding, string_of(told, "level"), string_of(told, "answer"), by_rule);
}

/* ---- report ---- */

struct report {
    json_t *head;              /* mode and rollout; owned */
    json_t *stopped, *changed; /* owned */
    long long nexthops, withheld, unsure;
    struct {
        long long found, told;
    } levels[VERDICT_TEMP + 1];
};

/* VERDICT_NO_OPINION for the levels that only rules give. */
static enum verdict_level level_named(const char *name)
{
    for (int level = 0; level <= VERDICT_TEMP; level++)
        if (strcmp(name, verdict_level_name((enum verdict_level)level)) == 0)
            return (enum verdict_level)level;
    return VERDICT_NO_OPINION;
}

static const char *reason_text(const char *code)
{
    for (int i = 0; i < REASON_COUNT; i++)
        if (strcmp(code, verdict_reason_code((enum verdict_reason)i)) == 0)
            return verdict_reason_text((enum verdict_reason)i);
    for (int i = 0; i < OUTCOME_REASON_COUNT; i++)
        if (strcmp(code, outcome_reason_code((enum outcome_reason)i)) == 0)
            return outcome_reason_text((enum outcome_reason)i);
    return code;
}

static void report_finding(struct report *report, const json_t *finding)
{
    const json_t *told = json_object_get(finding, "told");
    const json_t *enforced = json_object_get(finding, "enforced");
    const json_t *found = json_object_get(finding, "found");
    const char *forecast = forecast_told(finding, enforced);
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "key", string_of(finding, "key"),
                  "told", string_of(told, "answer"), "enforced", string_of(enforced, "answer"),
                  "level", string_of(enforced, "level"), "reason", string_of(enforced, "reason"),
                  "why", reason_text(string_of(enforced, "reason")), "forecast", forecast,
                  "withheld", json_is_true(json_object_get(finding, "withheld")));

    report->nexthops++;
    report->withheld += json_is_true(json_object_get(finding, "withheld"));
    report->levels[level_named(string_of(found, "level"))].found++;
    report->levels[level_named(string_of(told, "level"))].told++;
    report->unsure += strcmp(forecast, "unknown") == 0;
    if (stops_mail(forecast))
        json_array_append(report->stopped, line);
    if (strcmp(string_of(told, "answer"), string_of(enforced, "answer")) != 0)
        json_array_append(report->changed, line);
    json_decref(line);
}

static void take_page(void *context, const json_t *page)
{
    struct report *report = context;
    json_t *finding;
    size_t i;

    if (report->head == NULL)
        report->head = json_pack("{s:O, s:O}", "mode", json_object_get(page, "mode"), "rollout",
                                 json_object_get(page, "rollout"));
    json_array_foreach(json_object_get(page, "findings"), i, finding)
        report_finding(report, finding);
}

static void print_stopped(const json_t *stopped)
{
    const json_t *line;
    size_t i;

    printf("\nMail that would wait or come back: %zu next-hop%s", json_array_size(stopped),
           json_array_size(stopped) == 1 ? "" : "s");
    puts(json_array_size(stopped) > 0 ? "; mxcrypt explain says at which mail host" : "");
    json_array_foreach(stopped, i, line)
    {
        if (i == LISTED_MAX) {
            printf("  and %zu more: mxcrypt --json report\n", json_array_size(stopped) - i);
            break;
        }
        printf("  %-40s %s %s\n    %s: %s\n", string_of(line, "key"), string_of(line, "forecast"),
               json_is_true(json_object_get(line, "withheld")) ? "once enforced" : "now",
               string_of(line, "level"), string_of(line, "why"));
    }
}

static void print_report(const struct report *report)
{
    printf("mode %s, rollout %lld %%; %lld next-hops with a verdict, %lld of them withheld\n\n",
           string_of(report->head, "mode"),
           (long long)json_integer_value(json_object_get(report->head, "rollout")),
           report->nexthops, report->withheld);
    printf("%-12s %10s %10s\n", "verdict", "found", "told");
    for (int level = VERDICT_TEMP; level >= 0; level--)
        printf("%-12s %10lld %10lld\n", verdict_level_name((enum verdict_level)level),
               report->levels[level].found, report->levels[level].told);
    printf("\nEnforcing all of it would change the answer for %zu next-hops.\n",
           json_array_size(report->changed));
    print_stopped(report->stopped);
    if (report->unsure > 0)
        printf(
            "For %lld it is not known: no mail host was seen with TLS, or none with a certificate\n"
            "that a rule's match= is sure to accept.\n",
            report->unsure);
}

static void print_report_json(const struct report *report)
{
    json_t *verdicts = json_object(), *all = json_copy(report->head);

    for (int level = 0; level <= VERDICT_TEMP; level++)
        json_object_set_new(verdicts, verdict_level_name((enum verdict_level)level),
                            json_pack("{s:I, s:I}", "found",
                                      (json_int_t)report->levels[level].found, "told",
                                      (json_int_t)report->levels[level].told));
    json_object_set_new(all, "nexthops", json_integer(report->nexthops));
    json_object_set_new(all, "withheld", json_integer(report->withheld));
    json_object_set_new(all, "unsure", json_integer(report->unsure));
    json_object_set_new(all, "verdicts", verdicts);
    json_object_set(all, "would_change", report->changed);
    json_object_set(all, "would_stop", report->stopped);
    print_json(all);
    json_decref(all);
}

int do_report(struct cli *cli, char **words)
{
    struct report report = {.stopped = json_array(), .changed = json_array()};
    int status = client_pages(cli, json_pack("{s:s}", "command", "findings"), take_page, &report);

    (void)words;
    sort_by_key(&report.stopped);
    sort_by_key(&report.changed);
    if (status == CLI_OK && cli->json)
        print_report_json(&report);
    else if (status == CLI_OK)
        print_report(&report);
    json_decref(report.head);
    json_decref(report.stopped);
    json_decref(report.changed);
    return status;
}

/* ---- rules check ---- */

struct check {
    const struct cli *cli;
    struct rules *rules;
    int64_t now_s;
    json_t *changes; /* owned */
    long long nexthops, stopped;
};

/* The finding's verdict, as far as rulings look at it. */
static struct verdict verdict_of(const json_t *states)
{
    struct verdict verdict = {.level = level_named(string_of(states, "level"))};

    for (int i = 0; i < REASON_COUNT; i++)
        if (strcmp(string_of(states, "reason"), verdict_reason_code((enum verdict_reason)i)) == 0)
            verdict.reason = (enum verdict_reason)i;
    for (int i = 0; i <= DANE_ERROR; i++)
        if (strcmp(string_of(states, "dane"), dane_state_name((enum dane_state)i)) == 0)
            verdict.dane = (enum dane_state)i;
    for (int i = 0; i <= STARTTLS_SOME_REFUSED; i++)
        if (strcmp(string_of(states, "starttls"), starttls_state_name((enum starttls_state)i)) == 0)
            verdict.starttls = (enum starttls_state)i;
    verdict.remembered.refused = json_is_true(json_object_get(states, "refused"));
    return verdict;
}

/* As the daemon says it; NULL without memory. */
static json_t *answer_of(const struct outcome *outcome, const json_t *finding)
{
    static const char *const words[] = {
        [OUTCOME_POLICY] = "OK ", [OUTCOME_NOTFOUND] = "NOTFOUND", [OUTCOME_TEMP] = "TEMP "};

    if (outcome->kind == OUTCOME_FOUND)
        return json_incref(json_object_get(json_object_get(finding, "found"), "answer"));
    return json_sprintf("%s%.*s", words[outcome->kind], (int)outcome->length,
                        outcome->text == NULL ? "" : outcome->text);
}

static void note_change(struct check *check, const json_t *finding, const struct ruling *ruling,
                        const struct outcome *outcome, json_t *answer)
{
    const json_t *told = json_object_get(finding, "told");
    const char *before = forecast_told(finding, told);
    const char *after = forecast_of(finding, outcome_level_name(outcome), json_string_value(answer),
                                    outcome->kind == OUTCOME_POLICY);
    bool stops = stops_mail(after) && !stops_mail(before);

    check->stopped += stops;
    json_array_append_new(check->changes,
                          json_pack("{s:s, s:s, s:O, s:i, s:s, s:b}", "key",
                                    string_of(finding, "key"), "now", string_of(told, "answer"),
                                    "then", answer, "line",
                                    ruling->rule == NULL ? 0 : (int)ruling->rule->line, "forecast",
                                    after, "stops", (int)stops));
}

static void check_finding(struct check *check, const struct ruling_options *options,
                          const json_t *finding)
{
    const char *text = string_of(finding, "key");
    struct verdict found = verdict_of(json_object_get(finding, "states"));
    struct outcome outcome;
    struct ruling ruling;
    struct key key;
    json_t *answer;

    key_parse(&key, text, strlen(text), check->cli->config.prober.smtp_port);
    ruling_find(&ruling, check->rules, options, &key, check->now_s);
    ruling_decide(&outcome, &ruling, &found);
    answer = answer_of(&outcome, finding);
    check->nexthops++;
    if (answer != NULL && strcmp(json_string_value(answer),
                                 string_of(json_object_get(finding, "told"), "answer")) != 0)
        note_change(check, finding, &ruling, &outcome, answer);
    json_decref(answer);
}

static void check_page(void *context, const json_t *page)
{
    struct check *check = context;
    const struct ruling_options options = {
        strcmp(string_of(page, "mode"), "monitor") == 0,
        (unsigned)json_integer_value(json_object_get(page, "rollout")),
    };
    json_t *finding;
    size_t i;

    json_array_foreach(json_object_get(page, "findings"), i, finding)
        check_finding(check, &options, finding);
}

static void print_change(const json_t *change)
{
    json_int_t line = json_integer_value(json_object_get(change, "line"));

    printf("%s: %s -> %s", string_of(change, "key"), string_of(change, "now"),
           string_of(change, "then"));
    if (line > 0)
        printf(" (line %lld)", (long long)line);
    if (json_is_true(json_object_get(change, "stops")))
        printf(strcmp(string_of(change, "forecast"), "bounces") == 0
                   ? "; mail would start to bounce"
                   : "; mail would start to wait");
    else if (strcmp(string_of(change, "forecast"), "unknown") == 0)
        printf("; whether mail would flow is not known");
    putchar('\n');
}

static void print_check(const struct check *check)
{
    const json_t *change;
    size_t i;

    if (check->cli->json) {
        json_t *all = json_pack("{s:I, s:I, s:I, s:O}", "rules",
                                (json_int_t)(check->rules == NULL ? 0 : rules_count(check->rules)),
                                "nexthops", (json_int_t)check->nexthops, "would_stop",
                                (json_int_t)check->stopped, "changes", check->changes);

        print_json(all);
        json_decref(all);
        return;
    }
    json_array_foreach(check->changes, i, change) print_change(change);
    printf("%zu rules; of %lld cached next-hops %zu change, %lld start to wait or bounce\n",
           check->rules == NULL ? 0 : rules_count(check->rules), check->nexthops,
           json_array_size(check->changes), check->stopped);
}

int do_rules_check(struct cli *cli, char **words)
{
    struct check check = {.cli = cli, .now_s = clock_wall_s()};
    char error[CONFIG_ERROR_MAX];
    int status;

    if (config_read_rules(&check.rules, &cli->config, words[0], error) != 0) {
        fprintf(stderr, "mxcrypt: %s\n", error);
        return CLI_DATA;
    }
    check.changes = json_array();
    status = client_pages(cli, json_pack("{s:s}", "command", "findings"), check_page, &check);
    sort_by_key(&check.changes);
    if (status == CLI_OK)
        print_check(&check);
    else
        fprintf(stderr, "mxcrypt: %s: the rules are valid; what they would change is not known\n",
                words[0]);
    if (status == CLI_OK && check.stopped > 0)
        status = CLI_NO;
    json_decref(check.changes);
    rules_free(check.rules);
    return status;
}
