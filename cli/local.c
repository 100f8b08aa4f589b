/*
 * local: lookups that the command makes itself, with the daemon's own parts and configuration, for
 * `explain --fresh`, `probe` and, many at once, `audit --verdicts`. Nothing is remembered.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/check.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "policy/key.h"
#include "policy/report/report.h"
#include "policy/decide/verdict.h"
#include "probe/prober_uv.h"

/* libc finds this host's name on a thread, mostly in /etc/hosts. The daemon has it before its first
 * lookup; the command waits for it, but not for a silent DNS: ms. */
#define HELO_WAIT_MS 500
/* Lookups at once: fewer than the daemon makes for one base domain (jobs-suffix). */
#define LOOKUPS_MAX 32

struct local {
    struct cli *cli;
    uv_loop_t loop;
    uv_timer_t deadline;
    struct prober *prober;
    struct domain_lookup *lookup;
};

/* What is waited for is looked at whenever the loop has done something. */
static void on_change(void *context)
{
    (void)context;
}

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
}

static bool in_time(const struct local *local)
{
    return uv_is_active((const uv_handle_t *)&local->deadline);
}

static int local_open(struct local *local, struct cli *cli)
{
    const char *why = NULL;
    int error;

    memset(local, 0, sizeof *local);
    local->cli = cli;
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    CHECK(uv_loop_init(&local->loop) == 0);
    uv_timer_init(&local->loop, &local->deadline);
    error = prober_new(&local->prober, &local->loop, &cli->config.prober, &why);
    if (error != 0)
        fprintf(stderr, "mxcrypt: %s\n", why != NULL ? why : uv_strerror(error));
    return error;
}

static void local_close(struct local *local)
{
    domain_free(local->lookup);
    uv_close((uv_handle_t *)&local->deadline, NULL);
    if (local->prober != NULL)
        prober_close(local->prober);
    uv_run(&local->loop, UV_RUN_DEFAULT);
    prober_free(local->prober);
    CHECK(uv_loop_close(&local->loop) == 0);
}

static void await_helo(struct local *local)
{
    uv_timer_start(&local->deadline, on_deadline, HELO_WAIT_MS, 0);
    while (in_time(local) && !prober_helo_settled(local->prober))
        uv_run(&local->loop, UV_RUN_ONCE);
}

/* Looks the key up and waits for the whole evidence; NULL after a message. */
static const struct evidence *local_look_up(struct local *local, const struct domain_tools *tools,
                                            const struct key *key)
{
    const struct domain_request request = {
        .name = key->name, .port = key->port, .is_host = key->kind == KEY_HOST};
    const struct evidence *evidence;

    await_helo(local);
    if (domain_start(&local->lookup, tools, &request, on_change, NULL) != 0) {
        fputs("mxcrypt: no memory\n", stderr);
        return NULL;
    }
    evidence = domain_evidence(local->lookup);
    uv_timer_start(&local->deadline, on_deadline, (uint64_t)local->cli->config.job_deadline_ms, 0);
    while (in_time(local) && !evidence->complete)
        uv_run(&local->loop, UV_RUN_ONCE);
    if (!evidence->complete)
        domain_finish(local->lookup);
    return evidence;
}

/* As the daemon would, with the rules that are in the file now. NULL after a message. */
static json_t *report_ordered(const struct cli *cli, struct report_facts *facts)
{
    struct final_answer final;
    struct override override;
    char error[CONFIG_ERROR_MAX];
    struct rules *rules;
    json_t *report;

    if (config_read_rules(&rules, &cli->config, error) != 0) {
        fprintf(stderr, "mxcrypt: %s\n", error);
        return NULL;
    }
    override_find(&override, rules, &cli->config.override, facts->key, clock_wall_s());
    override_apply(&final, &override, facts->verdict);
    facts->override = &override;
    facts->final = &final;
    report = report_explain(facts);
    rules_free(rules);
    return report;
}

/* What is said here is not what the daemon would say of a listed domain. */
static void warn_of_lists(const struct cli *cli)
{
    if (cli->config.list_count > 0)
        fputs("mxcrypt: policy lists are not asked here: mxcryptd has them\n", stderr);
}

json_t *local_explain(struct cli *cli, const char *text)
{
    const struct evidence *evidence = NULL;
    struct verdict verdict;
    struct local local;
    struct key key;
    json_t *report = NULL;

    warn_of_lists(cli);
    key_parse(&key, text, strlen(text), cli->config.prober.smtp_port);
    if (local_open(&local, cli) != 0) {
        local_close(&local);
        return NULL;
    }
    verdict_without_evidence(&verdict, REASON_KEY, 0);
    if (key.kind == KEY_DOMAIN || key.kind == KEY_HOST) {
        evidence = local_look_up(&local, prober_tools(local.prober), &key);
        if (evidence != NULL)
            verdict_decide(&verdict, evidence, NULL, &cli->config.verdict, clock_monotonic_ms());
    }
    if (evidence != NULL || key.kind == KEY_PARENT || key.kind == KEY_OTHER)
        report = report_ordered(cli, &(struct report_facts){.key = &key,
                                                            .verdict = &verdict,
                                                            .evidence = evidence,
                                                            .now = clock_monotonic_ms()});
    local_close(&local);
    return report;
}

json_t *local_probe(struct cli *cli, const char *text)
{
    const struct evidence *evidence;
    struct local local;
    struct key key;
    json_t *report = NULL;

    /* HOST, HOST:PORT and [HOST]:PORT all mean one host here */
    key_parse(&key, text, strlen(text), cli->config.prober.smtp_port);
    if (key.kind == KEY_DOMAIN)
        key.kind = KEY_HOST;
    if (key.kind != KEY_HOST) {
        fprintf(stderr, "mxcrypt: not a host name: %s\n", text);
        return NULL;
    }
    if (!cli->config.prober.probe) {
        fputs("mxcrypt: probing is switched off by probe = no\n", stderr);
        return NULL;
    }
    if (local_open(&local, cli) == 0) {
        struct domain_tools tools = *prober_tools(local.prober);

        tools.sts = NULL;
        evidence = local_look_up(&local, &tools, &key);
        if (evidence != NULL && evidence->host_count == 1)
            report = report_host(&evidence->hosts[0], clock_monotonic_ms());
    }
    local_close(&local);
    return report;
}

/* ---- many keys ---- */

/* One that is looked up. */
struct local_lookup {
    struct domain_lookup *lookup; /* NULL: none */
    size_t index;
    struct key key;
    int64_t end; /* monotonic ms */
};

struct local_many {
    struct local local;
    const char *const *keys;
    size_t count, next, waiting;
    struct report_settings settings;
    local_taker *take;
    void *context;
    bool failed; /* no memory */
    struct local_lookup lookups[LOOKUPS_MAX];
};

static void take_local(struct local_many *many, size_t index, const struct key *key,
                       const struct evidence *evidence)
{
    int64_t now = clock_monotonic_ms();
    struct verdict verdict;
    json_t *line;

    if (evidence == NULL)
        verdict_without_evidence(&verdict, REASON_KEY, now);
    else
        verdict_decide(&verdict, evidence, NULL, &many->local.cli->config.verdict, now);
    line = report_verdict(many->keys[index], key, &verdict, evidence, &many->settings);
    many->failed |= line == NULL;
    if (line != NULL)
        many->take(many->context, index, line);
    json_decref(line);
}

/* Begins with the next key, in a place that is free. */
static void look_up_next(struct local_many *many, struct local_lookup *place)
{
    const char *text = many->keys[many->next];
    struct override override;

    place->index = many->next++;
    key_parse(&place->key, text, strlen(text), many->local.cli->config.prober.smtp_port);
    override_find(&override, many->settings.rules, &many->settings.options, &place->key,
                  many->settings.now_s);
    if (!override_wants_lookup(&override) ||
        (place->key.kind != KEY_DOMAIN && place->key.kind != KEY_HOST)) {
        take_local(many, place->index, &place->key, NULL);
        return;
    }
    if (domain_start(&place->lookup, prober_tools(many->local.prober),
                     &(struct domain_request){.name = place->key.name,
                                              .port = place->key.port,
                                              .is_host = place->key.kind == KEY_HOST},
                     on_change, NULL) != 0) {
        place->lookup = NULL;
        many->failed = true;
        return;
    }
    place->end = clock_monotonic_ms() + many->local.cli->config.job_deadline_ms;
    many->waiting++;
}

/* Takes what is complete, or late. Gives the next end that is waited for. */
static int64_t take_complete(struct local_many *many)
{
    int64_t now = clock_monotonic_ms(), next = INT64_MAX;

    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct local_lookup *place = &many->lookups[i];

        if (place->lookup == NULL)
            continue;
        if (place->end <= now && !domain_evidence(place->lookup)->complete)
            domain_finish(place->lookup);
        if (domain_evidence(place->lookup)->complete) {
            take_local(many, place->index, &place->key, domain_evidence(place->lookup));
            domain_free(place->lookup);
            place->lookup = NULL;
            many->waiting--;
        } else if (place->end < next) {
            next = place->end;
        }
    }
    return next;
}

static void look_up_all(struct local_many *many)
{
    while (!many->failed && (many->next < many->count || many->waiting > 0)) {
        int64_t next, now;

        for (size_t i = 0; i < LOOKUPS_MAX && many->next < many->count; i++)
            if (many->lookups[i].lookup == NULL)
                look_up_next(many, &many->lookups[i]);
        next = take_complete(many);
        now = clock_monotonic_ms();
        if (many->waiting == 0)
            continue;
        uv_timer_start(&many->local.deadline, on_deadline, next > now ? (uint64_t)(next - now) : 0,
                       0);
        uv_run(&many->local.loop, UV_RUN_ONCE);
    }
    for (size_t i = 0; i < LOOKUPS_MAX; i++)
        domain_free(many->lookups[i].lookup);
}

int local_verdicts(struct cli *cli, const char *const *keys, size_t count, int rollout,
                   local_taker *take, void *context)
{
    struct local_many many = {.keys = keys, .count = count, .take = take, .context = context};
    char error[CONFIG_ERROR_MAX];
    struct rules *rules;
    int status = CLI_INTERNAL;

    if (count == 0)
        return CLI_OK;
    if (config_read_rules(&rules, &cli->config, error) != 0) {
        fprintf(stderr, "mxcrypt: %s\n", error);
        return CLI_USAGE;
    }
    warn_of_lists(cli);
    many.settings = (struct report_settings){rules, cli->config.override, rollout, clock_wall_s()};
    if (local_open(&many.local, cli) == 0) {
        await_helo(&many.local);
        look_up_all(&many);
        status = many.failed ? CLI_INTERNAL : CLI_OK;
        if (many.failed)
            fputs("mxcrypt: no memory\n", stderr);
    }
    local_close(&many.local);
    rules_free(rules);
    return status;
}
