/*
 * https_uv: libcurl's multi interface on libuv; see https_uv.h.
 *
 * libcurl asks for sockets to be watched (socket_wanted) and for one timer (timer_wanted); both
 * come back to it as curl_multi_socket_action, after which act() calls the owners of finished
 * transfers: inside a callback of libcurl nothing of ours runs but notes in a fetch. Names are
 * never resolved here: each fetch has a DNS cache of its own (a share handle), filled with the
 * addresses given. What comes back is judged by https_reply before libcurl's word counts.
 *
 * BUGS: what is around chunks is counted in the trace callback, so tracing is always on.
 */
#include "probe/https/https_uv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/fair.h"
#include "base/list.h"
#include "probe/https/curl_poll_uv.h"
#include "probe/https/https_reply.h"
#include "probe/https/https_target.h"
#include "probe/tls/tls.h"

#define HTTPS_PORT 443
/* Two for each TLS record: without it, records of one octet would occupy the loop for 230 ms. */
#define PIECES_MAX 2000
/* Where large bodies are taken: the smallest records that a server sends by itself have 1 KB. */
#define PIECE_OCTETS 512

struct https_fetch {
    struct list link; /* in https.queued or https.running */
    struct fair_member turn;
    struct https *https;
    CURL *easy; /* NULL while it waits in the queue */
    CURLSH *share;
    struct curl_slist *resolve, *headers;
    char error[CURL_ERROR_SIZE];
    struct https_reply reply;
    struct buf own_body;
    struct buf *body; /* that one, or the request's */
    struct https_target target;
    uint64_t ends_at; /* loop time ms */
    bool connected;   /* a TLS handshake has begun */
    unsigned pieces;  /* TLS records and messages received */
    bool failed_here; /* no memory or descriptors */
    bool any_type;    /* of the request, as the next ones */
    const void *post;
    size_t post_length;
    const char *post_type;
    https_done done;
    void *context;
};

struct https {
    struct https_options options;
    struct tls_context *tls; /* borrowed, as the filter */
    const struct address_filter *filter;
    CURLM *multi;
    struct curl_poll polls;
    struct list queued;
    struct list running; /* the earliest deadline first */
    struct fair fair;    /* groups by first address */
};

static void look_after(uv_timer_t *kick);

/* ---- the end of a fetch ---- */

/* Takes a fetch out of its list, makes room for the next one and lets go of all that is
 * libcurl's. */
static void fetch_stop(struct https_fetch *fetch)
{
    struct https *https = fetch->https;

    list_remove(&fetch->link);
    fair_leave(&https->fair, &fetch->turn);
    uv_timer_start(&https->polls.kick, look_after, 0, 0);
    if (fetch->easy != NULL) {
        curl_multi_remove_handle(https->multi, fetch->easy);
        curl_easy_cleanup(fetch->easy);
    }
    if (fetch->share != NULL)
        curl_share_cleanup(fetch->share);
    curl_slist_free_all(fetch->resolve);
    curl_slist_free_all(fetch->headers);
}

static void fetch_free(struct https_fetch *fetch)
{
    buf_fini(&fetch->own_body);
    https_target_fini(&fetch->target);
    free(fetch);
}

static void give_up(struct https_fetch *fetch, const char *why)
{
    if (fetch->target.why[0] == '\0')
        snprintf(fetch->target.why, sizeof fetch->target.why, "%s", why);
}

/* Puts libcurl's word for what failed into ours, unless we know better already. */
static void explain(struct https_fetch *fetch, CURLcode code)
{
    const char *detail = fetch->error[0] != '\0' ? fetch->error : curl_easy_strerror(code);
    const char *words = "the fetch failed";
    enum fetch_failure failure = FETCH_FAILURE_COUNT;
    curl_off_t handshake_us = 0;
    char after[40];
    long error = 0;

    curl_easy_getinfo(fetch->easy, CURLINFO_OS_ERRNO, &error);
    curl_easy_getinfo(fetch->easy, CURLINFO_APPCONNECT_TIME_T, &handshake_us);
    if (code == CURLE_OK) {
        detail = "the response ended before its headers did";
    } else if (code == CURLE_OUT_OF_MEMORY && fetch->connected) {
        /* libcurl's word for a line above 100 KB */
        detail = "a header line that is far too long";
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        failure = FETCH_FAILURE_TIMEOUT;
        words = !fetch->connected          ? "no connection"
                : handshake_us == 0        ? "no TLS session"
                : fetch->reply.status == 0 ? "no response"
                                           : "the response did not end";
        snprintf(after, sizeof after, "after %ld ms", fetch->https->options.deadline_ms);
        detail = after;
    } else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR) {
        failure = FETCH_FAILURE_TLS;
        words = "no TLS session";
    } else if (code == CURLE_COULDNT_CONNECT && error != 0) {
        failure = FETCH_FAILURE_CONNECT;
        words = "no connection";
        detail = strerror((int)error);
    }
    https_target_explain(&fetch->target, failure, words, detail);
}

static void fetch_end(struct https_fetch *fetch, CURLcode code)
{
    struct https_result result = {.status = fetch->reply.status, .type = fetch->reply.fields.type};

    if (code == CURLE_OK && fetch->target.why[0] == '\0' && fetch->reply.complete) {
        result.ok = true;
        result.body = buf_text(fetch->body);
        result.length = fetch->body->length;
    } else {
        if (fetch->easy != NULL)
            explain(fetch, code);
        result.why = fetch->target.why;
        result.failed_here = fetch->failed_here;
        result.too_large = result.status == 200 &&
                           (fetch->body->failed || fetch->reply.fields.length > fetch->body->limit);
        result.failure = fetch->target.failure != FETCH_FAILURE_COUNT ? fetch->target.failure
                         : !fetch->connected                          ? FETCH_FAILURE_CONNECT
                         : result.status != 0 && result.status != 200 ? FETCH_FAILURE_STATUS
                                                                      : FETCH_FAILURE_RESPONSE;
    }
    fetch_stop(fetch);
    fetch->done(fetch->context, &result);
    fetch_free(fetch);
}

/* ---- libcurl's callbacks of one transfer: notes only ---- */

static size_t header_line(char *data, size_t size, size_t count, void *context)
{
    struct https_fetch *fetch = context;

    if (https_reply_header(&fetch->reply, data, size * count))
        return size * count;
    give_up(fetch, fetch->reply.why);
    return 0;
}

static size_t body_data(char *data, size_t size, size_t count, void *context)
{
    struct https_fetch *fetch = context;

    buf_add(fetch->body, data, size * count);
    if (!fetch->body->failed)
        return size * count;
    snprintf(fetch->target.why, sizeof fetch->target.why, "the body has more than %zu octets",
             fetch->body->limit);
    return 0;
}

static bool too_many_pieces(struct https_fetch *fetch)
{
    size_t max = fetch->body->limit / PIECE_OCTETS;

    return ++fetch->pieces > (max > PIECES_MAX ? max : PIECES_MAX);
}

/* Cannot stop the transfer: `progress` does. */
static int trace(CURL *easy, curl_infotype type, char *data, size_t size, void *context)
{
    struct https_fetch *fetch = context;

    (void)easy, (void)data;
    if (type == CURLINFO_SSL_DATA_OUT)
        fetch->connected = true;
    if (type == CURLINFO_SSL_DATA_IN && too_many_pieces(fetch))
        give_up(fetch, "the server sends in pieces that are too small");
    if (type == CURLINFO_DATA_IN && fetch->target.why[0] == '\0' &&
        !https_reply_raw_body(&fetch->reply, size))
        give_up(fetch, fetch->reply.why);
    return 0;
}

static int progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                    curl_off_t up)
{
    struct https_fetch *fetch = context;

    (void)down_total, (void)down, (void)up_total, (void)up;
    return fetch->target.why[0] != '\0';
}

static int resolve_refused(void *resolver, void *reserved, void *context)
{
    (void)resolver;
    (void)reserved;
    give_up(context, "the addresses of the policy host got lost");
    return 1;
}

static CURLcode harden(CURL *easy, void *ssl_ctx, void *context)
{
    struct https_fetch *fetch = context;

    (void)easy;
    if (tls_harden_policy_client(ssl_ctx, fetch->target.host, fetch->https->tls) == 0)
        return CURLE_OK;
    give_up(fetch, "out of memory for a TLS session");
    fetch->failed_here = true;
    return CURLE_OUT_OF_MEMORY;
}

/* The last word on where we connect to, whatever libcurl made of the addresses it was given. */
static curl_socket_t socket_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct https_fetch *fetch = context;
    int fd;

    if (purpose != CURLSOCKTYPE_IPCXN ||
        !https_target_permits(&fetch->target, fetch->https->filter, &address->addr))
        return CURL_SOCKET_BAD;
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                address->protocol);
    if (fd < 0) {
        snprintf(fetch->target.why, sizeof fetch->target.why, "no socket: %s", strerror(errno));
        fetch->failed_here = errno != EAFNOSUPPORT;
    }
    return fd;
}

/* ---- libcurl's sockets and timer on the loop ---- */

static void act(struct https *https, curl_socket_t fd, int events)
{
    CURLMsg *message;
    int unused;

    curl_multi_socket_action(https->multi, fd, events, &unused);
    while ((message = curl_multi_info_read(https->multi, &unused)) != NULL) {
        struct https_fetch *fetch = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        CHECK(fetch != NULL);
        fetch_end(fetch, message->data.result);
    }
}

static void socket_ready(void *owner, int fd, int events)
{
    act(owner, fd,
        (events == 0 ? CURL_CSELECT_ERR : 0) | (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
            (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* A socket that cannot be watched lets its fetch run into the deadline. */
static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    struct https *https = context;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE)
        curl_poll_drop(&https->polls, fd);
    else
        curl_poll_set(&https->polls, fd, events);
    return 0;
}

/* libuv must have let go of a descriptor before its number can be given out again. */
static int socket_close(void *context, curl_socket_t fd)
{
    struct https *https = context;

    curl_poll_drop(&https->polls, fd);
    return close(fd);
}

static int timer_wanted(CURLM *multi, long timeout_ms, void *context)
{
    uv_timer_t *timer = &((struct https *)context)->polls.timer;

    (void)multi;
    if (timeout_ms < 0)
        uv_timer_stop(timer);
    else
        uv_timer_start(timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

/* ---- the start of a fetch ---- */

/* Nothing but what was asked for, and no trust anchors of its own: those come with `harden`. */
static const struct {
    CURLoption option;
    long value;
} switches[] = {
    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
    {CURLOPT_HTTP09_ALLOWED, 0},
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
    {CURLOPT_FRESH_CONNECT, 1},
    {CURLOPT_FORBID_REUSE, 1},
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_NOPROGRESS, 0},
    {CURLOPT_VERBOSE, 1},
    {CURLOPT_DNS_CACHE_TIMEOUT, -1},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    {CURLOPT_SSL_SESSIONID_CACHE, 0},
    {CURLOPT_SSL_OPTIONS, CURLSSLOPT_NO_PARTIALCHAIN},
    {CURLOPT_CA_CACHE_TIMEOUT, 0},
};

/* What is sent, if anything is, without waiting for leave (100 Continue). */
static bool set_post(struct https_fetch *fetch)
{
    static const char expect[] = "Expect:";
    struct curl_slist *more = NULL;
    char type[100];

    if (fetch->post == NULL)
        return true;
    snprintf(type, sizeof type, "Content-Type: %s", fetch->post_type);
    more = curl_slist_append(fetch->headers, expect);
    if (more != NULL)
        more = curl_slist_append(more, type);
    return more != NULL && curl_easy_setopt(fetch->easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t)fetch->post_length) == CURLE_OK &&
           curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDS, fetch->post) == CURLE_OK;
}

static bool set_url(struct https_fetch *fetch)
{
    char url[1024];
    int length = snprintf(url, sizeof url, "https://%s:%u%s", fetch->target.host,
                          fetch->https->options.port, fetch->target.path);

    fetch->headers = curl_slist_append(NULL, "Accept-Encoding: identity");
    return length > 0 && (size_t)length < sizeof url && fetch->headers != NULL && set_post(fetch) &&
           curl_easy_setopt(fetch->easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->headers) == CURLE_OK;
}

static bool set_options(struct https_fetch *fetch)
{
    CURL *easy = fetch->easy;
    long deadline_ms = fetch->https->options.deadline_ms;

    /* none of these can fail: libcurl keeps pointers */
    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, trace);
    curl_easy_setopt(easy, CURLOPT_DEBUGDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, fetch);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, harden);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, fetch);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, socket_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, socket_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, fetch->https);
    curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, resolve_refused);
    curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, fetch);
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (curl_easy_setopt(easy, switches[i].option, switches[i].value) != CURLE_OK)
            return false;
    return curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, deadline_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, deadline_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "mxcrypt/" MXC_VERSION) == CURLE_OK;
}

/* A DNS cache of the fetch's own, gone with it. */
static bool set_addresses(struct https_fetch *fetch)
{
    struct buf entry;

    buf_init(&entry, 2048);
    https_target_resolve(&fetch->target, &entry, fetch->https->options.port);
    if (!entry.failed)
        fetch->resolve = curl_slist_append(NULL, buf_text(&entry));
    buf_fini(&entry);
    fetch->share = curl_share_init();
    return fetch->resolve != NULL && fetch->share != NULL &&
           curl_share_setopt(fetch->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK &&
           curl_easy_setopt(fetch->easy, CURLOPT_SHARE, fetch->share) == CURLE_OK &&
           curl_easy_setopt(fetch->easy, CURLOPT_RESOLVE, fetch->resolve) == CURLE_OK;
}

static void fetch_launch(struct https_fetch *fetch)
{
    struct https *https = fetch->https;

    list_remove(&fetch->link);
    list_append(&https->running, &fetch->link);
    fetch->ends_at = uv_now(https->polls.loop) + (uint64_t)https->options.deadline_ms;
    https_reply_init(&fetch->reply, fetch->body->limit);
    fetch->reply.any_type = fetch->any_type;
    fetch->reply.posted = fetch->post != NULL;
    if (fetch->target.address_count == 0) {
        fetch_end(fetch, CURLE_COULDNT_CONNECT);
        return;
    }
    fetch->easy = curl_easy_init();
    if (fetch->easy != NULL && set_options(fetch) && set_url(fetch) && set_addresses(fetch) &&
        curl_multi_add_handle(https->multi, fetch->easy) == CURLM_OK)
        return;
    give_up(fetch, "out of memory for a fetch");
    fetch->failed_here = true;
    fetch_end(fetch, CURLE_OUT_OF_MEMORY);
}

/* ---- the queue ---- */

/* Starts what may start and ends what is over its deadline, of which libcurl 7.88 loses sight when
 * something comes in the last millisecond before it. */
static void look_after(uv_timer_t *kick)
{
    struct https *https = kick->data;
    struct fair_member *turn;

    for (;;) {
        struct https_fetch *first;
        uint64_t now = uv_now(https->polls.loop);

        while ((turn = fair_next(&https->fair)) != NULL)
            fetch_launch(LIST_ELEMENT(turn, struct https_fetch, turn));
        if (list_empty(&https->running))
            return;
        first = LIST_ELEMENT(https->running.next, struct https_fetch, link);
        if (now < first->ends_at) {
            uv_timer_start(kick, look_after, first->ends_at - now, 0);
            return;
        }
        fetch_end(first, CURLE_OPERATION_TIMEDOUT);
    }
}

int https_start(struct https_fetch **out, struct https *https, const struct https_request *request,
                https_done done, void *context)
{
    struct https_fetch *fetch;

    if (https->fair.waiting >= HTTPS_QUEUE_MAX)
        return UV_ENOBUFS;
    fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL)
        return UV_ENOMEM;
    fetch->https = https;
    fetch->any_type = request->any_type;
    fetch->post = request->post;
    fetch->post_length = request->post_length;
    fetch->post_type = request->post_type;
    buf_init(&fetch->own_body, https->options.body_max);
    fetch->body = request->body != NULL ? request->body : &fetch->own_body;
    if (!https_target_init(&fetch->target, request, https->filter) ||
        !fair_join(&https->fair, &fetch->turn, (const char *)&fetch->target.addresses[0],
                   sizeof fetch->target.addresses[0])) {
        fetch_free(fetch);
        return UV_ENOMEM;
    }
    fetch->done = done;
    fetch->context = context;
    list_append(&https->queued, &fetch->link);
    uv_timer_start(&https->polls.kick, look_after, 0, 0);
    *out = fetch;
    return 0;
}

void https_cancel(struct https_fetch *fetch)
{
    fetch_stop(fetch);
    fetch_free(fetch);
}

/* ---- the whole ---- */

static void polls_closed(void *owner)
{
    free(owner);
    curl_global_cleanup();
}

int https_new(struct https **out, uv_loop_t *loop, struct tls_context *tls,
              const struct address_filter *filter, const struct https_options *options)
{
    struct https *https = calloc(1, sizeof *https);

    if (https == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(https);
        return UV_ENOMEM;
    }
    https->options = *options;
    if (https->options.port == 0)
        https->options.port = HTTPS_PORT;
    https->tls = tls;
    https->filter = filter;
    https->polls.ready = socket_ready;
    https->polls.closed = polls_closed;
    curl_poll_init(&https->polls, loop, https);
    list_init(&https->queued);
    list_init(&https->running);
    /* one slow policy host that serves many domains must not take all the places */
    fair_init(&https->fair, options->in_flight_max, options->in_flight_max / 4 + 1);
    https->multi = curl_multi_init();
    if (https->multi == NULL ||
        curl_multi_setopt(https->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted) != CURLM_OK ||
        curl_multi_setopt(https->multi, CURLMOPT_SOCKETDATA, https) != CURLM_OK ||
        curl_multi_setopt(https->multi, CURLMOPT_TIMERFUNCTION, timer_wanted) != CURLM_OK ||
        curl_multi_setopt(https->multi, CURLMOPT_TIMERDATA, https) != CURLM_OK ||
        curl_multi_setopt(https->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) != CURLM_OK) {
        https_close(https);
        return UV_ENOMEM;
    }
    *out = https;
    return 0;
}

void https_close(struct https *https)
{
    while (!list_empty(&https->running))
        https_cancel(LIST_ELEMENT(https->running.next, struct https_fetch, link));
    while (!list_empty(&https->queued))
        https_cancel(LIST_ELEMENT(https->queued.next, struct https_fetch, link));
    fair_fini(&https->fair);
    if (https->multi != NULL)
        curl_multi_cleanup(https->multi);
    curl_poll_close(&https->polls);
}
