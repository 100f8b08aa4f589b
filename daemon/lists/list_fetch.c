/* list_fetch: see list_fetch.h. A sequence (base/sequence.h): STATES is the whole of it. */
#include "daemon/lists/list_fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log/log.h"
#include "base/sequence.h"
#include "probe/dns/dns_question_uv.h"
#include "probe/https/https_uv.h"

#define ARENA_MAX     (1024 * 1024)
#define QUERIES_MAX   2
#define ADDRESSES_MAX 32 /* more are not looked at; https_uv tries a few */

#define NONE SEQUENCE_NO_DEADLINE
/* The fetches have deadlines of their own. */
#define STATES(X)                                                                                  \
    X(START, start, 0)             /* from the loop, so that `done` never comes too early */       \
    X(ADDRESSES, addresses, 60000) /* of the host are awaited */                                   \
    X(SIGNATURE, signature, NONE)  /* is awaited */                                                \
    X(LIST, list, NONE)            /* is awaited */

enum fetch_state { STATES(SEQUENCE_ENUM) };

struct list_fetch {
    struct list_fetch_request request;
    list_fetched done;
    void *context;
    struct arena *arena; /* owned */
    struct sequence sequence;
    uv_timer_t timer; /* of the state; the fetch is freed when it is closed */
    struct https *https;
    struct dns_asker asker;
    struct dns_question a, aaaa;
    unsigned queries_left;
    struct https_fetch *fetch;           /* NULL: none is under way */
    const struct https_result *response; /* only while its callback runs */
    struct list_fetch_result result;
};

static void run(void *owner);

static enum sequence_step go(struct list_fetch *fetch, enum fetch_state next)
{
    return sequence_go(&fetch->sequence, next);
}

/* `why` is static or the arena's. */
static enum sequence_step fail(struct list_fetch *fetch, const char *why)
{
    fetch->result.why = why == NULL ? "no memory" : why;
    return SEQUENCE_DONE;
}

/* ---- the host ---- */

static enum sequence_step step_start(struct list_fetch *fetch)
{
    return fetch->sequence.expired ? go(fetch, STATE_ADDRESSES) : SEQUENCE_WAIT;
}

static enum sequence_step no_address(struct list_fetch *fetch)
{
    const struct dns_answer *a = fetch->a.answer, *aaaa = fetch->aaaa.answer;
    const char *host = fetch->request.reading->line->host;

    if (a->outcome == DNS_FAILED || aaaa->outcome == DNS_FAILED)
        return fail(fetch, arena_printf(fetch->arena, "address lookup of %s: %s", host,
                                        a->outcome == DNS_FAILED ? a->why : aaaa->why));
    return fail(fetch,
                arena_printf(fetch->arena,
                             a->outcome == DNS_NXDOMAIN ? "%s does not exist" : "%s has no address",
                             host));
}

static enum sequence_step step_addresses(struct list_fetch *fetch)
{
    const char *host = fetch->request.reading->line->host;
    bool waiting;

    if (fetch->sequence.fresh) {
        dns_question_ask(&fetch->a, &fetch->asker, host, DNS_A);
        dns_question_ask(&fetch->aaaa, &fetch->asker, host, DNS_AAAA);
    }
    waiting = dns_question_awaited(&fetch->a, fetch->sequence.expired);
    if (dns_question_awaited(&fetch->aaaa, fetch->sequence.expired) || waiting)
        return SEQUENCE_WAIT;
    return fetch->a.answer->outcome == DNS_RECORDS || fetch->aaaa.answer->outcome == DNS_RECORDS
               ? go(fetch, STATE_SIGNATURE)
               : no_address(fetch);
}

/* ---- the files ---- */

static void add_addresses(struct https_request *request, struct ip *addresses,
                          const struct dns_answer *answer)
{
    size_t end = request->address_count + ADDRESSES_MAX / 2;

    for (size_t i = 0; answer->outcome == DNS_RECORDS && i < answer->count; i++)
        if (request->address_count < end &&
            ip_from_octets(&addresses[request->address_count], answer->records[i].data,
                           answer->records[i].length))
            request->address_count++;
}

static void on_response(void *context, const struct https_result *result)
{
    struct list_fetch *fetch = context;

    fetch->fetch = NULL;
    fetch->response = result;
    run(fetch);
}

static int get(struct list_fetch *fetch, const char *path, struct buf *body)
{
    struct ip addresses[ADDRESSES_MAX];
    struct https_request request = {.host = fetch->request.reading->line->host,
                                    .path = path,
                                    .addresses = addresses,
                                    .any_type = true,
                                    .body = body};

    if (path == NULL)
        return UV_ENOMEM;
    add_addresses(&request, addresses, fetch->a.answer);
    add_addresses(&request, addresses, fetch->aaaa.answer);
    return https_start(&fetch->fetch, fetch->https, &request, on_response, fetch);
}

/* True when the file is there; else *step is what to do. */
static bool have(struct list_fetch *fetch, const char *path, struct buf *body,
                 enum sequence_step *step)
{
    const struct https_result *response = fetch->response;

    fetch->response = NULL;
    *step = SEQUENCE_WAIT;
    if (fetch->sequence.fresh) {
        if (get(fetch, path, body) != 0)
            *step = fail(fetch, "no memory");
        return false;
    }
    if (response == NULL)
        return false;
    if (response->ok)
        return true;
    fetch->result.too_large = response->too_large;
    *step = fail(fetch, arena_strdup(fetch->arena, response->why));
    return false;
}

static enum sequence_step step_signature(struct list_fetch *fetch)
{
    struct list_fetch_request *request = &fetch->request;
    struct buf *signature = &request->reading->signature;
    const char *path =
        arena_printf(fetch->arena, "%s%s", request->reading->line->path, request->suffix);
    enum sequence_step step;
    uint64_t hash;

    if (!have(fetch, path, signature, &step))
        return step;
    hash = hash_stable(buf_text(signature), signature->length);
    fetch->result.signature = hash;
    fetch->result.known = hash == request->known[0] || hash == request->known[1];
    return fetch->result.known ? SEQUENCE_DONE : go(fetch, STATE_LIST);
}

static enum sequence_step step_list(struct list_fetch *fetch)
{
    struct list_reading *reading = fetch->request.reading;
    enum sequence_step step;

    return have(fetch, reading->line->path, &reading->text, &step) ? SEQUENCE_DONE : step;
}

/* ---- the machine ---- */

static enum sequence_step run_step(void *owner, unsigned state)
{
    static enum sequence_step (*const steps[])(struct list_fetch *) = {STATES(SEQUENCE_STEP)};

    return steps[state](owner);
}

static void on_timer(uv_timer_t *timer)
{
    struct list_fetch *fetch = timer->data;

    fetch->sequence.expired = true;
    run(fetch);
}

static void enter(void *owner, unsigned state)
{
    static const struct sequence_state states[] = {STATES(SEQUENCE_STATE)};
    struct list_fetch *fetch = owner;

    uv_timer_stop(&fetch->timer);
    if (states[state].deadline != SEQUENCE_NO_DEADLINE)
        uv_timer_start(&fetch->timer, on_timer, states[state].deadline, 0);
    log_event(LOG_LEVEL_DEBUG, "policy-list-fetch", "list", fetch->request.reading->line->source,
              "state", states[state].name, NULL);
}

static void on_closed(uv_handle_t *handle)
{
    struct list_fetch *fetch = handle->data;

    arena_free(fetch->arena);
    free(fetch);
}

void list_fetch_cancel(struct list_fetch *fetch)
{
    dns_question_stop(&fetch->a);
    dns_question_stop(&fetch->aaaa);
    https_close(fetch->https); /* with the fetch that is under way */
    uv_close((uv_handle_t *)&fetch->timer, on_closed);
}

static void on_ended(uv_timer_t *timer)
{
    struct list_fetch *fetch = timer->data;

    fetch->done(fetch->context, &fetch->result);
    list_fetch_cancel(fetch);
}

/* The client may not be closed by its own callback. */
static void run(void *owner)
{
    struct list_fetch *fetch = owner;

    if (sequence_run(&fetch->sequence))
        uv_timer_start(&fetch->timer, on_ended, 0, 0);
}

static int make_client(struct list_fetch *fetch)
{
    const struct config *config = fetch->request.config;
    const struct https_options options = {.deadline_ms =
                                              config->prober.https.deadline_ms * LIST_FETCH_FACTOR,
                                          .in_flight_max = 1,
                                          .body_max = POLICY_LIST_TEXT_MAX,
                                          .port = fetch->request.reading->line->port};

    return https_new(&fetch->https, fetch->request.loop, fetch->request.tools->tls,
                     &config->prober.filter, &options);
}

int list_fetch_start(struct list_fetch **out, const struct list_fetch_request *request,
                     list_fetched done, void *context)
{
    static const struct sequence_machine machine = {run_step, enter};
    struct list_fetch *fetch = calloc(1, sizeof *fetch);

    if (fetch == NULL)
        return UV_ENOMEM;
    fetch->request = *request;
    fetch->arena = arena_new(ARENA_MAX);
    if (fetch->arena == NULL || make_client(fetch) != 0) {
        arena_free(fetch->arena);
        free(fetch);
        return UV_ENOMEM;
    }
    fetch->done = done;
    fetch->context = context;
    fetch->queries_left = QUERIES_MAX;
    fetch->asker =
        (struct dns_asker){request->tools->dns, fetch->arena, &fetch->queries_left, run, fetch};
    uv_timer_init(request->loop, &fetch->timer);
    fetch->timer.data = fetch;
    sequence_init(&fetch->sequence, &machine, fetch);
    *out = fetch;
    run(fetch);
    return 0;
}
