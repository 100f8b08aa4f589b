/*
 * decide: see decide.h. Nothing is remembered, and `now` is the moment at which the evidence is read
 * back; level and reason depend on neither.
 *
 * In a shard, a domain that has an address which no connection was made to stays undecided: another
 * shard has connected to it, and a merge decides.
 */
#include "survey/decide.h"

#include <stdlib.h>

#include "base/buf.h"
#include "policy/render/render.h"

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

/* "secure match=...", "NOTFOUND", "TEMP the MX lookup failed"; NULL without memory. */
static const char *answer_of(struct arena *arena, const struct verdict *verdict,
                             const struct evidence *evidence)
{
    static const struct render_capabilities plain = {.text_max = RENDER_SOCKETMAP_MAX - 3};
    enum answer_status status;
    struct buf text;
    const char *answer;

    buf_init(&text, RENDER_SOCKETMAP_MAX);
    status = render_verdict(&text, verdict, evidence, &plain);
    answer = status == ANSWER_OK ? arena_strdup(arena, buf_text(&text))
                                 : arena_printf(arena, "%s%s%s", answer_status_name(status),
                                                text.length > 0 ? " " : "", buf_text(&text));
    buf_fini(&text);
    return answer;
}

/* ---- some domains ---- */

struct decisions *decisions_new(void)
{
    struct decisions *decisions = calloc(1, sizeof *decisions);

    if (decisions == NULL)
        return NULL;
    decisions->evidence = arena_new(ARENA_MAX);
    decisions->texts = arena_new(ARENA_MAX);
    if (decisions->evidence != NULL && decisions->texts != NULL)
        return decisions;
    decisions_free(decisions);
    return NULL;
}

void decisions_free(struct decisions *decisions)
{
    if (decisions == NULL)
        return;
    arena_free(decisions->evidence);
    arena_free(decisions->texts);
    free(decisions);
}

bool decisions_next(struct decisions *decisions, struct results *results, int64_t *after)
{
    decisions->count = results_undecided(results, *after, decisions->domains, DECIDE_AT_ONCE);
    if (decisions->count > 0)
        *after = decisions->domains[decisions->count - 1];
    return decisions->count >= 0;
}

static bool make_one(struct decisions *decisions, struct results *results, int i)
{
    const struct results_run *run = results_run(results);
    struct evidence evidence;

    decisions->answers[i] = NULL;
    arena_reset(decisions->evidence);
    if (!decide_domain(results, decisions->domains[i], decisions->evidence, &evidence,
                       &decisions->verdicts[i]))
        return results_error(results)[0] == '\0';
    if (run->shards > 1 && run->verdict.probe && is_partial(&evidence))
        return true;
    decisions->answers[i] = answer_of(decisions->texts, &decisions->verdicts[i], &evidence);
    return decisions->answers[i] != NULL;
}

bool decisions_make(struct decisions *decisions, struct results *results)
{
    bool ok = true;

    arena_reset(decisions->texts);
    for (int i = 0; ok && i < decisions->count; i++)
        ok = make_one(decisions, results, i);
    return ok;
}

bool decisions_put(const struct decisions *decisions, struct results *results)
{
    bool ok = true;

    for (int i = 0; ok && i < decisions->count; i++)
        ok = decisions->answers[i] == NULL
                 ? results_put_no_share(results, decisions->domains[i])
                 : results_put_verdict(results, decisions->domains[i], &decisions->verdicts[i],
                                       decisions->answers[i]);
    return ok;
}

bool decide_some(struct results *results, int64_t *after, bool *more)
{
    struct decisions *decisions = decisions_new();
    bool ok = decisions != NULL && decisions_next(decisions, results, after) &&
              decisions_make(decisions, results) && decisions_put(decisions, results);

    *more = ok && decisions->count == DECIDE_AT_ONCE;
    decisions_free(decisions);
    return ok;
}
