/*
 * valkey_uv: see valkey_uv.h. One sequence (base/sequence.h) goes round for as long as the connection
 * lives: STATES below is the whole of it.
 */
#include "base/valkey/valkey_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/sequence.h"

#define WHERE_MAX (HOSTNAME_MAX + 9) /* "[HOST]:65535", with NUL */

/* Deadlines are the owner's: `enter` starts them. */
#define STATES(X)                                                                                  \
    X(PAUSE, pause, 0)       /* before the next attempt */                                         \
    X(LOOKUP, lookup, 0)     /* the addresses of the server's name are awaited */                  \
    X(CONNECT, connect, 0)   /* to one of them */                                                  \
    X(SENTINEL, sentinel, 0) /* is asked where the primary is */                                   \
    X(LOGIN, login, 0)       /* AUTH */                                                            \
    X(SELECT, select, 0)     /* the database */                                                    \
    X(ROLE, role, 0)         /* is it a primary? */                                                \
    X(READY, ready, 0)       /* commands can be sent */

enum state { STATES(SEQUENCE_ENUM) };

struct valkey {
    uv_loop_t *loop;
    struct valkey_options options;
    valkey_changed changed;
    void *context;
    bool closing;
    bool told, told_ready; /* what the owner knows */
    int64_t told_at;       /* monotonic ms */
    char told_why[VALKEY_WHY_MAX + 1];

    struct sequence sequence;
    uv_timer_t timer; /* of the state; everything is freed when it is closed */
    bool timer_closed;
    int64_t give_up_at; /* monotonic ms: of the attempt */

    size_t server;               /* that is tried, of the URL's */
    unsigned round;              /* of attempts at all of them without success */
    struct valkey_server target; /* the server, or the primary that a Sentinel named */
    bool named;                  /* a Sentinel named it */
    uv_getaddrinfo_t lookup;
    bool looking_up;
    bool stale;   /* what is looked up is of an attempt that is over */
    struct ip ip; /* of the target; family 0: not known */

    struct valkey_link *link; /* NULL: none */
    bool opened;
    struct valkey_request request;    /* of logging in */
    const struct valkey_reply *reply; /* only while its callback runs */
    bool failed;                      /* `why` ends the attempt */
    char why[VALKEY_WHY_MAX + 1];
    char where[WHERE_MAX];
};

static void run(void *owner);

static enum sequence_step go(struct valkey *valkey, enum state next)
{
    return sequence_go(&valkey->sequence, next);
}

/* What went wrong: the attempt, or the connection, is over when the sequence runs. */
static void fail(struct valkey *valkey, const char *what, const char *why)
{
    valkey->failed = true;
    snprintf(valkey->why, sizeof valkey->why, "%s%s%s", what, why == NULL ? "" : ": ",
             why == NULL ? "" : why);
}

static enum sequence_step give_up(struct valkey *valkey, const char *what, const char *why)
{
    fail(valkey, what, why);
    return go(valkey, STATE_PAUSE);
}

/* ---- where ---- */

static enum sequence_step step_pause(struct valkey *valkey)
{
    const struct valkey_url *url = valkey->options.url;

    if (!valkey->sequence.expired)
        return SEQUENCE_WAIT;
    valkey->named = valkey->failed = false;
    if (url->server_count > 0)
        valkey->target = url->servers[valkey->server];
    valkey->give_up_at = clock_monotonic_ms() + (int64_t)valkey->options.connect_ms;
    return go(valkey, STATE_LOOKUP);
}

static void note_where(struct valkey *valkey)
{
    const struct valkey_server *target = &valkey->target;
    bool brackets = strchr(target->host, ':') != NULL;

    if (valkey->options.url->path[0] != '\0')
        snprintf(valkey->where, sizeof valkey->where, "%s", valkey->options.url->path);
    else
        snprintf(valkey->where, sizeof valkey->where, "%s%s%s:%u", brackets ? "[" : "",
                 target->host, brackets ? "]" : "", (unsigned)target->port);
}

/* Of several addresses each round takes the next. */
static void take_address(struct valkey *valkey, const struct addrinfo *found)
{
    unsigned count = 0, skip;

    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next)
        count++;
    skip = count == 0 ? 0 : valkey->round % count;
    for (; found != NULL && skip > 0; skip--)
        found = found->ai_next;
    if (found == NULL || !ip_from_sockaddr(&valkey->ip, found->ai_addr))
        fail(valkey, "its name has no address", NULL);
}

static void free_when_closed(struct valkey *valkey)
{
    if (valkey->timer_closed && !valkey->looking_up)
        free(valkey);
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct valkey *valkey = lookup->data;
    bool stale = valkey->stale;

    valkey->looking_up = valkey->stale = false;
    if (!valkey->closing && !stale && status != 0)
        fail(valkey, "its name cannot be looked up", uv_strerror(status));
    else if (!valkey->closing && !stale)
        take_address(valkey, found);
    uv_freeaddrinfo(found);
    if (valkey->closing)
        free_when_closed(valkey);
    else
        run(valkey);
}

static enum sequence_step step_lookup(struct valkey *valkey)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int error;

    if (valkey->sequence.fresh) {
        note_where(valkey);
        valkey->ip.family = 0;
        ip_parse(&valkey->ip, valkey->target.host);
    }
    if (valkey->options.url->path[0] != '\0' || valkey->ip.family != 0)
        return go(valkey, STATE_CONNECT);
    if (valkey->looking_up)
        return SEQUENCE_WAIT;
    valkey->lookup.data = valkey;
    error = uv_getaddrinfo(valkey->loop, &valkey->lookup, on_looked_up, valkey->target.host, NULL,
                           &hints);
    if (error != 0)
        return give_up(valkey, "its name cannot be looked up", uv_strerror(error));
    valkey->looking_up = true;
    return SEQUENCE_WAIT;
}

/* ---- the connection ---- */

static void on_opened(void *context)
{
    struct valkey *valkey = context;

    valkey->opened = true;
    run(valkey);
}

static void on_lost(void *context, const char *why)
{
    struct valkey *valkey = context;

    fail(valkey, "connection lost", why);
    run(valkey);
}

static void on_timer(uv_timer_t *timer);

/* What is wrong is not the command but the server, or the login: look for another, or again. */
static void on_refused(void *context, const struct valkey_reply *error)
{
    static const char *const words[] = {"READONLY",   "LOADING",     "NOAUTH", "WRONGPASS",
                                        "MASTERDOWN", "CLUSTERDOWN", "MOVED"};
    struct valkey *valkey = context;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (valkey->sequence.state == STATE_READY && valkey_is_error(error, words[i])) {
            fail(valkey, "the server refuses", valkey_text(error, NULL));
            CHECK(uv_timer_start(&valkey->timer, on_timer, 0, 0) == 0);
        }
}

static enum sequence_step step_connect(struct valkey *valkey)
{
    static const struct valkey_link_events events = {on_opened, on_lost, on_refused};
    const struct valkey_url *url = valkey->options.url;
    const struct valkey_address address = {
        .path = url->path[0] != '\0' ? url->path : NULL,
        .ip = valkey->ip,
        .port = valkey->target.port,
        .tls = valkey->options.tls,
        .name = valkey->target.host,
    };
    int error;

    if (valkey->sequence.fresh) {
        valkey->opened = false;
        error = valkey_link_open(&valkey->link, valkey->loop, &address, &events, valkey);
        if (error != 0)
            return give_up(valkey, "cannot connect", uv_strerror(error));
    }
    if (!valkey->opened)
        return SEQUENCE_WAIT;
    return go(valkey, url->sentinel[0] != '\0' && !valkey->named ? STATE_SENTINEL : STATE_LOGIN);
}

/* ---- logging in ---- */

static void on_reply(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct valkey *valkey = request->context;

    if (reply == NULL) /* the connection ends: on_lost says why */
        return;
    valkey->reply = reply;
    run(valkey);
}

/* Sends a command when the state is fresh. The reply once it is there, else NULL: *step is what
 * comes of that. An error ends the attempt. */
static const struct valkey_reply *ask(struct valkey *valkey, size_t count, const char *const *words,
                                      enum sequence_step *step)
{
    const struct valkey_reply *reply = valkey->reply;

    *step = SEQUENCE_WAIT;
    valkey->reply = NULL;
    if (valkey->sequence.fresh) {
        if (valkey_link_send(valkey->link, &valkey->request, count, words, NULL, on_reply,
                             valkey) != 0)
            *step = give_up(valkey, "no memory", NULL);
        return NULL;
    }
    if (reply != NULL && valkey_type(reply) == VALKEY_ERROR) {
        *step = give_up(valkey, "the server refuses", valkey_text(reply, NULL));
        return NULL;
    }
    return reply;
}

static enum sequence_step step_sentinel(struct valkey *valkey)
{
    const char *const words[] = {"SENTINEL", "get-master-addr-by-name",
                                 valkey->options.url->sentinel};
    enum sequence_step step;
    const struct valkey_reply *reply = ask(valkey, 3, words, &step);
    size_t length = 0;
    const char *host;
    int64_t port;

    if (reply == NULL)
        return step;
    host = valkey_text(valkey_at(reply, 0), &length);
    if (host == NULL || length == 0 || length > HOSTNAME_MAX || strlen(host) != length ||
        !valkey_number(valkey_at(reply, 1), &port) || port < 1 || port > UINT16_MAX)
        return give_up(valkey, "the Sentinel knows no primary of that name", NULL);
    memcpy(valkey->target.host, host, length + 1);
    valkey->target.port = (uint16_t)port;
    valkey->named = true;
    valkey_link_close(valkey->link);
    valkey->link = NULL;
    return go(valkey, STATE_LOOKUP);
}

static enum sequence_step step_login(struct valkey *valkey)
{
    const struct valkey_url *url = valkey->options.url;
    const char *password =
        valkey->options.password != NULL ? valkey->options.password : url->password;
    const char *const with_user[] = {"AUTH", url->user, password};
    const char *const without[] = {"AUTH", password};
    enum sequence_step step;
    const struct valkey_reply *reply;

    if (password[0] == '\0')
        return go(valkey, STATE_SELECT);
    reply =
        url->user[0] != '\0' ? ask(valkey, 3, with_user, &step) : ask(valkey, 2, without, &step);
    return reply == NULL ? step : go(valkey, STATE_SELECT);
}

static enum sequence_step step_select(struct valkey *valkey)
{
    char number[12];
    const char *const words[] = {"SELECT", number};
    enum sequence_step step;

    if (valkey->options.url->db == 0)
        return go(valkey, STATE_ROLE);
    snprintf(number, sizeof number, "%u", valkey->options.url->db);
    return ask(valkey, 2, words, &step) == NULL ? step : go(valkey, STATE_ROLE);
}

/* A user who may not ask for the role finds it out by the first write. */
static enum sequence_step step_role(struct valkey *valkey)
{
    static const char *const role[] = {"ROLE"};
    const char *const name[] = {"CLIENT", "SETNAME", valkey->options.name};
    const struct valkey_reply *reply = valkey->reply;
    enum sequence_step step;

    if (valkey->sequence.fresh && valkey->options.name != NULL)
        valkey_link_send(valkey->link, NULL, 3, name, NULL, NULL, NULL);
    if (reply != NULL && valkey_is_error(reply, "NOPERM")) {
        valkey->reply = NULL;
        return go(valkey, STATE_READY);
    }
    reply = ask(valkey, 1, role, &step);
    if (reply == NULL)
        return step;
    if (valkey_is(valkey_at(reply, 0), "sentinel"))
        return give_up(valkey, "it is a Sentinel: write valkey+sentinel://", NULL);
    if (!valkey_is(valkey_at(reply, 0), "master"))
        return give_up(valkey, "it is a replica, which cannot be written", NULL);
    return go(valkey, STATE_READY);
}

/* The timer runs only while a reply is owed. */
static enum sequence_step step_ready(struct valkey *valkey)
{
    int64_t since = valkey_link_waits(valkey->link), now = clock_monotonic_ms();

    if (valkey->sequence.fresh) {
        valkey->why[0] = '\0';
        valkey->round = 0;
    }
    if (!valkey->sequence.expired)
        return SEQUENCE_WAIT;
    valkey->sequence.expired = false;
    if (since == 0)
        return SEQUENCE_WAIT;
    if (now - since >= valkey->options.stall_ms)
        return give_up(valkey, "it does not answer", NULL);
    uv_timer_start(&valkey->timer, on_timer, (uint64_t)(valkey->options.stall_ms - (now - since)),
                   0);
    return SEQUENCE_WAIT;
}

/* ---- the machine ---- */

/* The attempt, or the connection, is over: the next server, at once or after a wait. */
static uint64_t next_attempt(struct valkey *valkey)
{
    size_t count = valkey->options.url->server_count;
    uint64_t wait = VALKEY_RETRY_MIN_MS;
    struct valkey_link *link = valkey->link;

    valkey_request_cancel(&valkey->request);
    valkey->link = NULL;
    valkey_link_drop(link);
    valkey->reply = NULL;
    valkey->stale = valkey->looking_up;
    if (!valkey->failed) /* the first of all */
        return 0;
    if (count > 0)
        valkey->server = (valkey->server + 1) % count;
    if (valkey->server != 0)
        return 0;
    for (unsigned i = 0; i < valkey->round && wait < VALKEY_RETRY_MAX_MS; i++)
        wait *= 2;
    valkey->round++;
    return wait < VALKEY_RETRY_MAX_MS ? wait : VALKEY_RETRY_MAX_MS;
}

static void enter(void *owner, unsigned state)
{
    struct valkey *valkey = owner;
    int64_t left = valkey->give_up_at - clock_monotonic_ms();

    if (state == STATE_PAUSE)
        uv_timer_start(&valkey->timer, on_timer, next_attempt(valkey), 0);
    else if (state == STATE_READY)
        uv_timer_stop(&valkey->timer);
    else
        uv_timer_start(&valkey->timer, on_timer, left > 0 ? (uint64_t)left : 0, 0);
}

static enum sequence_step run_step(void *owner, unsigned state)
{
    static enum sequence_step (*const steps[])(struct valkey *) = {STATES(SEQUENCE_STEP)};
    struct valkey *valkey = owner;

    if (state != STATE_PAUSE && valkey->failed)
        return go(valkey, STATE_PAUSE);
    if (state != STATE_PAUSE && state != STATE_READY && valkey->sequence.expired)
        return give_up(valkey, "it does not answer",
                       valkey->link != NULL && valkey_link_in_handshake(valkey->link)
                           ? "the TLS handshake is not over; does it speak TLS at this port?"
                           : NULL);
    return steps[state](owner);
}

/* Whether the owner is to be told that it is ready, or is not. */
static bool is_news(const struct valkey *valkey, bool ready)
{
    if (ready || !valkey->told || valkey->told_ready)
        return ready ? !valkey->told_ready : valkey->why[0] != '\0';
    return strcmp(valkey->why, valkey->told_why) != 0 &&
           clock_monotonic_ms() - valkey->told_at >= VALKEY_TELL_MS;
}

/* The owner may close the connection in `changed`: nothing comes after it. */
static void run(void *owner)
{
    struct valkey *valkey = owner;
    bool ready;

    sequence_run(&valkey->sequence);
    if (valkey->closing) /* by a request that got its NULL */
        return;
    ready = valkey->sequence.state == STATE_READY;
    if (!is_news(valkey, ready))
        return;
    valkey->told = true;
    valkey->told_ready = ready;
    valkey->told_at = clock_monotonic_ms();
    strcpy(valkey->told_why, valkey->why);
    valkey->changed(valkey->context, ready, ready ? NULL : valkey->why);
}

static void on_timer(uv_timer_t *timer)
{
    struct valkey *valkey = timer->data;

    valkey->sequence.expired = true;
    run(valkey);
}

int valkey_new(struct valkey **out, uv_loop_t *loop, const struct valkey_options *options,
               valkey_changed changed, void *context)
{
    static const struct sequence_machine machine = {run_step, enter};
    struct valkey *valkey = calloc(1, sizeof *valkey);
    int error;

    if (valkey == NULL)
        return UV_ENOMEM;
    valkey->loop = loop;
    valkey->options = *options;
    valkey->changed = changed;
    valkey->context = context;
    error = uv_timer_init(loop, &valkey->timer);
    if (error != 0) {
        free(valkey);
        return error;
    }
    valkey->timer.data = valkey;
    sequence_init(&valkey->sequence, &machine, valkey);
    sequence_run(&valkey->sequence); /* to the pause: nothing is told yet */
    *out = valkey;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct valkey *valkey = handle->data;

    valkey->timer_closed = true;
    free_when_closed(valkey);
}

void valkey_close(struct valkey *valkey)
{
    if (valkey == NULL)
        return;
    valkey->closing = true;
    valkey_request_cancel(&valkey->request);
    valkey_link_close(valkey->link);
    valkey->link = NULL;
    if (valkey->looking_up)
        uv_cancel((uv_req_t *)&valkey->lookup);
    uv_close((uv_handle_t *)&valkey->timer, on_closed);
}

bool valkey_is_ready(const struct valkey *valkey)
{
    return valkey->sequence.state == STATE_READY && !valkey->failed;
}

const char *valkey_why(const struct valkey *valkey)
{
    return valkey->why;
}

const char *valkey_where(const struct valkey *valkey)
{
    return valkey->where;
}

int valkey_send(struct valkey *valkey, struct valkey_request *request, size_t count,
                const char *const *words, const size_t *lengths, valkey_done done, void *context)
{
    int error;

    if (!valkey_is_ready(valkey))
        return UV_ENOTCONN;
    if (valkey_link_pending(valkey->link) >= valkey->options.pending_max)
        return UV_ENOBUFS;
    error = valkey_link_send(valkey->link, request, count, words, lengths, done, context);
    if (error == 0 && !uv_is_active((uv_handle_t *)&valkey->timer))
        uv_timer_start(&valkey->timer, on_timer, (uint64_t)valkey->options.stall_ms, 0);
    return error;
}
