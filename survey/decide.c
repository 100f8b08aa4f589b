/*
 * decide: see decide.h. Nothing is remembered, and `now` is the moment at which the evidence is read
 * back; level and reason depend on neither.
 *
 * In a shard, a domain that has an address which no connection was made to stays undecided: another
 * shard has connected to it, and a merge decides.
 */
#include "survey/decide.h"

#include <stdio.h>

#include "base/buf.h"
#include "policy/render/render.h"

#define AT_ONCE   256
#define ARENA_MAX ((size_t)16 * 1024 * 1024) /* of one domain's evidence */
#define NOW       INT64_C(1000000000000)     /* on the clock of evidence.h */
#define DAY_MS    INT64_C(86400000)

/* Those of the run; times only say how long a verdict would be kept. */
static struct verdict_options options_of(const struct results *results)
{
    struct verdict_options options = results_run(results)->verdict;

    options.ttl_min_ms = options.temp_ttl_ms = 60 * 1000;
    options.ttl_max_ms = options.negative_ttl_max_ms = DAY_MS;
    options.hold_ms = options.hold_expired_ms = DAY_MS;
    options.hold_probe_min_ms = options.hold_probe_max_ms = DAY_MS;
    return options;
}

bool decide_domain(struct results *results, int64_t domain, struct arena *arena,
                   struct evidence *evidence, struct verdict *verdict)
{
    struct verdict_options options = options_of(results);

    if (!results_evidence(results, domain, NOW, arena, evidence))
        return false;
    verdict_decide(verdict, evidence, NULL, &options, NOW);
    return true;
}

/* Whether an address was not connected to. */
static bool is_partial(const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->host_count; i++)
        for (size_t j = 0; j < evidence->hosts[i].address_count; j++)
            if (evidence->hosts[i].addresses[j].starttls.state == STARTTLS_UNKNOWN)
                return true;
    return false;
}

/* "secure match=...", "NOTFOUND", "TEMP the MX lookup failed". */
static bool put_verdict(struct results *results, int64_t domain, const struct verdict *verdict,
                        const struct evidence *evidence)
{
    static const struct render_capabilities plain = {.text_max = RENDER_SOCKETMAP_MAX - 3};
    enum answer_status status;
    struct buf text, answer;
    bool ok;

    buf_init(&text, RENDER_SOCKETMAP_MAX);
    buf_init(&answer, RENDER_SOCKETMAP_MAX + 16);
    status = render_verdict(&text, verdict, evidence, &plain);
    if (status != ANSWER_OK)
        buf_addf(&answer, "%s%s", answer_status_name(status), text.length > 0 ? " " : "");
    buf_adds(&answer, buf_text(&text));
    ok = !answer.failed &&
         results_put_verdict(results, domain, verdict, evidence, buf_text(&answer));
    buf_fini(&text);
    buf_fini(&answer);
    return ok;
}

static bool decide_one(struct results *results, int64_t domain, struct arena *arena)
{
    const struct results_run *run = results_run(results);
    struct evidence evidence;
    struct verdict verdict;

    if (!decide_domain(results, domain, arena, &evidence, &verdict))
        return results_error(results)[0] == '\0';
    return (run->shards > 1 && run->verdict.probe && is_partial(&evidence)) ||
           put_verdict(results, domain, &verdict, &evidence);
}

bool decide_some(struct results *results, int64_t *after, bool *more)
{
    int64_t domains[AT_ONCE];
    int count = results_undecided(results, *after, domains, AT_ONCE);
    struct arena *arena = arena_new(ARENA_MAX);
    bool ok = count >= 0 && arena != NULL;

    for (int i = 0; ok && i < count; i++) {
        arena_reset(arena);
        ok = decide_one(results, domains[i], arena);
        *after = domains[i];
    }
    *more = count == AT_ONCE;
    arena_free(arena);
    return ok;
}
