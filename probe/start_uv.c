/* start_uv: see start_uv.h. */
#include "probe/start_uv.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/arena.h"
#include "base/check.h"
#include "probe/prober_uv.h"
#include "probe/smtp/own_name_uv.h"

#define WAIT_MS    20000 /* longer than all tries of a question with the default time-outs */
#define ARENA_MAX  (256 * 1024)
#define NAME_AGAIN 60000
#define NAME_MS    2000 /* libc may wait for a silent DNS */
#define QUESTIONS  2

struct start {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct arena *arena;
    struct dns *dns; /* borrowed */
    struct own_name *own_name;
    struct question {
        struct start *start;
        struct dns_query *query; /* NULL: not awaited */
        const struct dns_answer *answer;
    } questions[QUESTIONS]; /* A and AAAA of the name */
    bool late;
    struct start_findings *out;
};

static void on_deadline(uv_timer_t *timer)
{
    struct start *start = timer->data;

    start->late = true;
}

static void on_answer(void *context, const struct dns_answer *answer)
{
    struct question *question = context;

    question->query = NULL;
    question->answer = answer;
}

static void ask(struct start *start, size_t index, const char *name, enum dns_type type)
{
    struct question *question = &start->questions[index];

    question->start = start;
    if (dns_start(&question->query, start->dns, start->arena, name, type, on_answer, question) != 0)
        question->query = NULL;
}

static void on_name(void *context, const char *name)
{
    struct start *start = context;

    own_name_close(start->own_name);
    start->own_name = NULL;
    if (name != NULL)
        snprintf(start->out->helo, sizeof start->out->helo, "%s", name);
}

static bool is_awaited(const struct start *start)
{
    for (size_t i = 0; i < QUESTIONS; i++)
        if (start->questions[i].query != NULL)
            return true;
    return start->own_name != NULL;
}

static void wait_all(struct start *start, uint64_t ms)
{
    start->late = false;
    uv_timer_start(&start->deadline, on_deadline, ms, 0);
    while (!start->late && is_awaited(start))
        uv_run(&start->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < QUESTIONS; i++) {
        if (start->questions[i].query != NULL)
            dns_cancel(start->questions[i].query);
        start->questions[i].query = NULL;
    }
    own_name_close(start->own_name);
    start->own_name = NULL;
}

/* ---- what the answers say ---- */

static bool is_ours(const struct ip *ip, const struct prober_options *options)
{
    uv_interface_address_t *interfaces = NULL;
    int count = 0;
    bool ours =
        ip_equal(ip, &options->probes.smtp.bind) || ip_equal(ip, &options->probes.smtp.bind6);
    struct ip own;

    if (uv_interface_addresses(&interfaces, &count) != 0)
        return ours;
    for (int i = 0; i < count; i++)
        ours |= ip_from_sockaddr(&own, (const struct sockaddr *)&interfaces[i].address) &&
                ip_equal(&own, ip);
    uv_free_interface_addresses(interfaces, count);
    return ours;
}

static void judge_name(struct start *start, const struct prober_options *options)
{
    struct start_findings *out = start->out;

    out->name = START_NAME_NOWHERE;
    for (size_t i = 0; i < QUESTIONS; i++) {
        const struct dns_answer *answer = start->questions[i].answer;

        for (size_t j = 0; answer != NULL && j < answer->count; j++) {
            struct ip ip;

            if (!ip_from_octets(&ip, answer->records[j].data, answer->records[j].length))
                continue;
            if (is_ours(&ip, options)) {
                out->name = START_NAME_OURS;
                return;
            }
            if (out->name == START_NAME_NOWHERE)
                ip_text(&ip, out->leads_to);
            out->name = START_NAME_FOREIGN;
        }
    }
}

static void look(struct start *start, const struct prober_options *options)
{
    struct start_findings *out = start->out;

    if (options->probes.smtp.helo_name != NULL)
        snprintf(out->helo, sizeof out->helo, "%s", options->probes.smtp.helo_name);
    else if (own_name_start(&start->own_name, &start->loop, NAME_AGAIN, on_name, start) != 0)
        start->own_name = NULL;
    wait_all(start, NAME_MS);
    if (out->helo[0] == '\0') {
        out->name = START_NAME_MISSING;
        return;
    }
    ask(start, 0, out->helo, DNS_A);
    ask(start, 1, out->helo, DNS_AAAA);
    wait_all(start, WAIT_MS);
    judge_name(start, options);
}

int start_look(struct start_findings *out, const struct prober_options *options, const char **why)
{
    struct start start = {.arena = arena_new(ARENA_MAX), .out = out};
    int error;

    *out = (struct start_findings){0};
    *why = "no memory";
    if (start.arena == NULL || !dns_check_now(&out->resolver, &options->dns)) {
        arena_free(start.arena);
        return -1;
    }
    if (out->resolver.answer == DNS_CHECK_UNREACHABLE) {
        arena_free(start.arena);
        return 0;
    }
    CHECK(uv_loop_init(&start.loop) == 0);
    uv_timer_init(&start.loop, &start.deadline);
    start.deadline.data = &start;
    error = dns_new(&start.dns, &start.loop, &options->dns);
    if (error == 0) {
        look(&start, options);
        dns_close(start.dns);
    }
    uv_close((uv_handle_t *)&start.deadline, NULL);
    uv_run(&start.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&start.loop) == 0);
    arena_free(start.arena);
    return error == 0 ? 0 : -1;
}
