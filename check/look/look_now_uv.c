/* look_now_uv: see look_now.h. */
#include "check/look/look_now.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "check/look/look_uv.h"

#define ARENA_MAX ((size_t)256 * 1024 * 1024) /* 50 hosts of 32 addresses, 5 chains each */

struct look_now {
    struct look_now_request request;
    struct start_findings start;
    struct prober_options options;
    uv_loop_t loop;
    struct prober *prober;
    struct check_look *look;
    struct arena *arena; /* owned */
    const struct check_facts *facts;
};

static void on_facts(void *context, const struct check_facts *facts)
{
    struct look_now *now = context;

    now->facts = facts;
    uv_stop(&now->loop);
}

static int fail(char why[LOOK_WHY_MAX], const char *words)
{
    snprintf(why, LOOK_WHY_MAX, "%s", words);
    return -1;
}

static int start(struct look_now *now, char why[LOOK_WHY_MAX])
{
    const char *words = NULL;
    const char *helo = now->start.helo[0] == '\0' ? NULL : now->start.helo;
    const struct check_request request = {
        .options = &now->options,
        .verdict = now->request.verdict,
        .domain = now->request.domain,
        .arena = now->arena,
        .enforced = now->request.enforced,
        .validating = now->start.resolver.answer == DNS_CHECK_SECURE,
        .resolver_fails = now->start.resolver.answer == DNS_CHECK_UNREACHABLE,
        .helo_name = helo,
        .before = now->request.before,
    };
    struct check_request made = request;
    int error;

    error = prober_new(&now->prober, &now->loop, &now->options, &words);
    if (error != 0)
        return fail(why, words != NULL ? words : uv_strerror(error));
    made.prober = now->prober;
    error = check_look_start(&now->look, &now->loop, &made, on_facts, now);
    return error == 0 ? 0 : fail(why, uv_strerror(error));
}

int look_now(struct look_now **out, const struct look_now_request *request, char why[LOOK_WHY_MAX])
{
    struct look_now *now = calloc(1, sizeof *now);
    const char *words = NULL;

    if (now == NULL)
        return fail(why, "no memory");
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    now->request = *request;
    now->options = *request->options;
    now->arena = arena_new(ARENA_MAX);
    CHECK(uv_loop_init(&now->loop) == 0);
    *out = now;
    if (now->arena == NULL || start_look(&now->start, &now->options, &words) != 0)
        return fail(why, words != NULL ? words : "no memory");
    if (start(now, why) != 0)
        return -1;
    uv_run(&now->loop, UV_RUN_DEFAULT);
    return now->facts != NULL && !arena_failed(now->arena) ? 0 : fail(why, "no memory");
}

const struct check_facts *look_now_facts(const struct look_now *now)
{
    return now->facts;
}

const struct start_findings *look_now_start(const struct look_now *now)
{
    return &now->start;
}

void look_now_free(struct look_now *now)
{
    if (now == NULL)
        return;
    check_look_free(now->look);
    if (now->prober != NULL)
        prober_close(now->prober);
    uv_run(&now->loop, UV_RUN_DEFAULT);
    prober_free(now->prober);
    CHECK(uv_loop_close(&now->loop) == 0);
    arena_free(now->arena);
    free(now);
}
