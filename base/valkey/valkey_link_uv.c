/*
 * valkey_link_uv: see valkey_link_uv.h. hiredis calls back for everything; the adapter to libuv is
 * here and not that of hiredis, which never notices a connection that is refused: libuv tells an
 * error of a socket by the status alone.
 *
 * hiredis frees its context by itself when a connection ends; the link outlives it until its
 * handles are closed. hiredis before 1.0 must not be asked to free a context while it tells that it
 * is connected, so what is told to the owner, but for replies, comes from a timer of no time.
 */
#include "base/valkey/valkey_link_uv.h"

#include <errno.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/net/hostname.h"
#include "base/valkey/valkey_tls.h"

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

struct valkey_ticket {
    struct valkey_link *link;
    struct valkey_request *request; /* NULL: nobody wants the reply */
};

struct valkey_link {
    uv_poll_t poll;
    uv_timer_t soon; /* tells the owner, from outside of hiredis */
    unsigned open_handles;
    redisAsyncContext *context;         /* NULL: it is gone */
    const struct valkey_tls *tls;       /* NULL: in clear; borrowed */
    char name[HOSTNAME_MAX + 1];        /* that the certificate must have */
    struct valkey_tls_session *session; /* NULL: TLS has not begun */
    const struct valkey_link_events *events;
    void *owner;       /* of the events */
    bool opened, told; /* it is connected; the owner knows */
    bool closing;
    int wanted;      /* of enum uv_poll_event */
    size_t elements; /* of the reply that is being read */
    size_t pending;
    int64_t waits_since;            /* monotonic ms; 0: nothing is owed */
    char why[VALKEY_TLS_WHY_MAX];   /* it ended, or is to end; "": it is not */
    redisReplyObjectFunctions make; /* hiredis's own */
    redisReplyObjectFunctions bounded;
};

static void on_soon(uv_timer_t *timer);

static void tell_soon(struct valkey_link *link)
{
    if (!link->closing)
        CHECK(uv_timer_start(&link->soon, on_soon, 0, 0) == 0);
}

static void give_up(struct valkey_link *link, const char *why)
{
    if (link->why[0] == '\0')
        snprintf(link->why, sizeof link->why, "%s", why);
    tell_soon(link);
}

/* ---- what is read is bounded ----
 *
 * hiredis has no limit on a reply but memory, takes a negative count of elements for a huge one, and
 * before 1.0 ends the process at a reply that nobody asked for. It makes every object of a reply by
 * these functions; without one it gives the connection up.
 */

#if HIREDIS_MAJOR >= 1
/* RESP3 is not asked for: a map, a set, a push, a big number, ... */
static bool is_other_protocol(const redisReadTask *task)
{
    return task->type > REDIS_REPLY_ERROR;
}
#else
static bool is_other_protocol(const redisReadTask *task)
{
    (void)task;
    return false;
}
#endif

/* Whether an object may be made. The one at the top begins a reply, which a request must await; an
 * error without one is the server's last word, which hiredis takes. */
static bool may_make(const redisReadTask *task, bool is_error)
{
    struct valkey_link *link = task->privdata;

    if (is_other_protocol(task)) {
        give_up(link, "a reply of a protocol that nobody asked for");
        return false;
    }
    if (task->parent != NULL)
        return true;
    link->elements = 0;
    if (link->pending > 0 || is_error)
        return true;
    give_up(link, "a reply that nobody asked for");
    return false;
}

static void *create_string(const redisReadTask *task, char *text, size_t length)
{
    const struct valkey_link *link = task->privdata;

    return may_make(task, task->type == REDIS_REPLY_ERROR)
               ? link->make.createString(task, text, length)
               : NULL;
}

static void *create_array(const redisReadTask *task, element_count elements)
{
    struct valkey_link *link = task->privdata;
    int64_t count = (int64_t)elements;

    if (!may_make(task, false))
        return NULL;
    if (count < 0 || count > VALKEY_ELEMENTS_MAX - (int64_t)link->elements) {
        give_up(link, "a reply has too many elements");
        return NULL;
    }
    link->elements += (size_t)count;
    return link->make.createArray(task, elements);
}

static void *create_integer(const redisReadTask *task, long long number)
{
    const struct valkey_link *link = task->privdata;

    return may_make(task, false) ? link->make.createInteger(task, number) : NULL;
}

static void *create_nil(const redisReadTask *task)
{
    const struct valkey_link *link = task->privdata;

    return may_make(task, false) ? link->make.createNil(task) : NULL;
}

#if HIREDIS_MAJOR >= 1
static void *refuse_double(const redisReadTask *task, double number, char *text, size_t length)
{
    may_make(task, false);
    (void)number;
    (void)text;
    (void)length;
    return NULL;
}

static void *refuse_bool(const redisReadTask *task, int claim)
{
    may_make(task, false);
    (void)claim;
    return NULL;
}
#endif

static void bound_replies(struct valkey_link *link)
{
    redisReader *reader = link->context->c.reader;

    link->make = link->bounded = *reader->fn;
    link->bounded.createString = create_string;
    link->bounded.createArray = create_array;
    link->bounded.createInteger = create_integer;
    link->bounded.createNil = create_nil;
#if HIREDIS_MAJOR >= 1
    link->bounded.createDouble = refuse_double;
    link->bounded.createBool = refuse_bool;
#endif
    reader->fn = &link->bounded;
    reader->privdata = link;
}

/* ---- libuv ---- */

static void on_closed(uv_handle_t *handle)
{
    struct valkey_link *link = handle->data;

    if (--link->open_handles > 0)
        return;
    valkey_tls_end(link->session);
    free(link);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct valkey_link *link = poll->data;

    /* an error of the socket: hiredis asks the socket for it */
    if (status != 0)
        events = link->opened ? UV_READABLE : UV_WRITABLE;
    valkey_tls_prepare(link->session);
    if (link->context != NULL && (events & UV_READABLE) != 0)
        redisAsyncHandleRead(link->context);
    if (link->context != NULL && (events & UV_WRITABLE) != 0)
        redisAsyncHandleWrite(link->context);
    if (link->context == NULL)
        return;
    if (status != 0)
        give_up(link, "the socket failed");
    else if (link->context->c.reader->len > VALKEY_REPLY_MAX)
        give_up(link, "a reply is too long");
}

static void want(struct valkey_link *link, int events)
{
    link->wanted = events;
    if (events == 0 || link->why[0] != '\0')
        uv_poll_stop(&link->poll);
    else if (uv_poll_start(&link->poll, events, on_poll) != 0)
        give_up(link, "the socket cannot be watched");
}

static void add_read(void *data)
{
    struct valkey_link *link = data;

    want(link, link->wanted | UV_READABLE);
}

static void delete_read(void *data)
{
    struct valkey_link *link = data;

    want(link, link->wanted & ~UV_READABLE);
}

static void add_write(void *data)
{
    struct valkey_link *link = data;

    want(link, link->wanted | UV_WRITABLE);
}

/* Over TLS hiredis 1.2 may stop writing when the socket is full, until something comes to be read: for
 * ever, where the server waits for the rest of a command. */
static void delete_write(void *data)
{
    struct valkey_link *link = data;

    if (sdslen(link->context->c.obuf) == 0 || !valkey_tls_wants_write(link->session))
        want(link, link->wanted & ~UV_WRITABLE);
}

/* hiredis frees the context now. */
static void clean_up(void *data)
{
    struct valkey_link *link = data;
    const char *why = link->context->errstr;
    char tls_why[VALKEY_TLS_WHY_MAX];

    if (valkey_tls_failed(link->session, tls_why))
        why = tls_why;
    give_up(link, why != NULL && why[0] != '\0' ? why : "the connection ended");
    link->context = NULL;
    uv_close((uv_handle_t *)&link->poll, on_closed);
}

/* ---- hiredis ---- */

/* False: the link is given up. */
static bool begin_tls(struct valkey_link *link)
{
    char why[VALKEY_TLS_WHY_MAX];

    link->session = valkey_tls_begin(link->tls, link->name, &link->context->c, why);
    if (link->session == NULL)
        give_up(link, why);
    return link->session != NULL;
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct valkey_link *link = context->data;

    if (status != REDIS_OK) {
        give_up(link, context->errstr);
        return;
    }
    if (link->tls != NULL && !begin_tls(link))
        return;
    link->opened = true;
    tell_soon(link);
}

static void on_soon(uv_timer_t *timer)
{
    struct valkey_link *link = timer->data;

    if (link->why[0] != '\0') {
        if (link->context != NULL)
            redisAsyncFree(link->context); /* every request gets its NULL */
        if (!link->closing)
            link->events->lost(link->owner, link->why);
    } else if (link->opened && !link->told) {
        link->told = true;
        link->events->opened(link->owner);
    }
}

/* Takes over a context that hiredis made. False without what it needs. */
static bool adopt(struct valkey_link *link, redisAsyncContext *context)
{
    if (uv_poll_init(link->soon.loop, &link->poll, context->c.fd) != 0)
        return false;
    link->open_handles++;
    link->poll.data = link;
    link->context = context;
    context->data = context->ev.data = link;
    context->ev.addRead = add_read;
    context->ev.delRead = delete_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = delete_write;
    context->ev.cleanup = clean_up;
    bound_replies(link);
    redisAsyncSetConnectCallback(context, on_connect); /* begins to wait for it */
    return true;
}

/* 0 or a libuv error; the context is freed then. */
static int connect_to(struct valkey_link *link, const struct valkey_address *address)
{
    char ip[IP_TEXT_MAX];
    redisAsyncContext *context = address->path != NULL
                                     ? redisAsyncConnectUnix(address->path)
                                     : redisAsyncConnect(ip_text(&address->ip, ip), address->port);
    int error = 0;

    if (context == NULL)
        return UV_ENOMEM;
    if (context->err != 0)
        error = context->err == REDIS_ERR_IO && errno != 0 ? uv_translate_sys_error(errno) : UV_EIO;
    else if (!adopt(link, context))
        error = UV_EIO;
    if (error != 0)
        redisAsyncFree(context);
    return error;
}

int valkey_link_open(struct valkey_link **out, uv_loop_t *loop,
                     const struct valkey_address *address, const struct valkey_link_events *events,
                     void *context)
{
    struct valkey_link *link = calloc(1, sizeof *link);
    int error;

    if (link == NULL)
        return UV_ENOMEM;
    link->events = events;
    link->owner = context;
    link->tls = address->tls;
    if (address->tls != NULL)
        snprintf(link->name, sizeof link->name, "%s", address->name);
    error = uv_timer_init(loop, &link->soon);
    if (error != 0) {
        free(link);
        return error;
    }
    link->soon.data = link;
    link->open_handles = 1;
    error = connect_to(link, address);
    if (error != 0)
        valkey_link_close(link);
    else
        *out = link;
    return error;
}

void valkey_link_close(struct valkey_link *link)
{
    int done;

    if (link == NULL)
        return;
    link->closing = true;
    uv_close((uv_handle_t *)&link->soon, on_closed);
    if (link->context != NULL && link->opened && link->why[0] == '\0') {
        valkey_tls_prepare(link->session);
        redisBufferWrite(&link->context->c, &done); /* which may be done inside of a callback */
    }
    if (link->context != NULL)
        redisAsyncFree(link->context); /* from inside of a callback: once that is over */
}

void valkey_link_drop(struct valkey_link *link)
{
    if (link == NULL)
        return;
    give_up(link, "it is given up");
    if (link->context != NULL)
        redisAsyncFree(link->context);
    valkey_link_close(link);
}

/* ---- requests ---- */

static void on_reply(redisAsyncContext *context, void *reply, void *data)
{
    struct valkey_ticket *ticket = data;
    struct valkey_link *link = ticket->link;
    struct valkey_request *request = ticket->request;

    (void)context;
    free(ticket);
    link->pending--;
    link->waits_since = link->pending > 0 ? clock_monotonic_ms() : 0;
    if (request != NULL)
        request->ticket = NULL;
    if (link->closing)
        return;
    if (valkey_type(reply) == VALKEY_ERROR)
        link->events->refused(link->owner, reply);
    if (request != NULL)
        request->done(request, reply);
}

int valkey_link_send(struct valkey_link *link, struct valkey_request *request, size_t count,
                     const char *const *words, const size_t *lengths, valkey_done done,
                     void *context)
{
    struct valkey_ticket *ticket;

    if (link->context == NULL || link->why[0] != '\0' || count > INT32_MAX)
        return UV_ENOTCONN;
    ticket = malloc(sizeof *ticket);
    if (ticket == NULL)
        return UV_ENOMEM;
    *ticket = (struct valkey_ticket){link, request};
    if (redisAsyncCommandArgv(link->context, on_reply, ticket, (int)count, (const char **)words,
                              lengths) != REDIS_OK) {
        free(ticket);
        return UV_ENOMEM;
    }
    if (link->pending++ == 0)
        link->waits_since = clock_monotonic_ms();
    if (request != NULL)
        *request = (struct valkey_request){done, context, ticket};
    return 0;
}

void valkey_request_cancel(struct valkey_request *request)
{
    if (request->ticket != NULL)
        request->ticket->request = NULL;
    request->ticket = NULL;
}

size_t valkey_link_pending(const struct valkey_link *link)
{
    return link->pending;
}

int64_t valkey_link_waits(const struct valkey_link *link)
{
    return link->waits_since;
}

bool valkey_link_in_handshake(const struct valkey_link *link)
{
    return valkey_tls_in_handshake(link->session);
}
