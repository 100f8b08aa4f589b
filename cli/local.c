/*
 * local: lookups that the command makes itself, with the daemon's own parts and configuration, for
 * `explain --fresh` and `probe`. Nothing is remembered.
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

/* Looks the key up and waits for the whole evidence; NULL after a message. */
static const struct evidence *local_look_up(struct local *local, const struct domain_tools *tools,
                                            const struct key *key)
{
    const struct domain_request request = {
        .name = key->name, .port = key->port, .is_host = key->kind == KEY_HOST};
    const struct evidence *evidence;

    uv_timer_start(&local->deadline, on_deadline, HELO_WAIT_MS, 0);
    while (in_time(local) && !prober_helo_settled(local->prober))
        uv_run(&local->loop, UV_RUN_ONCE);
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

json_t *local_explain(struct cli *cli, const char *text)
{
    const struct evidence *evidence = NULL;
    struct verdict verdict;
    struct local local;
    struct key key;
    json_t *report = NULL;

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
