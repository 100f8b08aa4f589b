/*
 * anchors_uv: see anchors_uv.h. One loading at a time; a change meanwhile is seen by the next look.
 * c_rehash and update-ca-certificates change the directory as well as the files in it.
 */
#include "probe/tls/anchors_uv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/escape.h"
#include "base/log/log.h"
#include "probe/tls/tls_internal.h"

/* ---- loading ---- */

/* True when a directory holds at least one name made by c_rehash: eight hex digits, dot, digit. */
static bool directory_has_anchors(const char *path)
{
    DIR *directory = opendir(path);
    bool found = false;
    struct dirent *entry;

    if (directory == NULL)
        return false;
    while (!found && (entry = readdir(directory)) != NULL)
        found = strspn(entry->d_name, "0123456789abcdef") == 8 && entry->d_name[8] == '.' &&
                entry->d_name[9] >= '0' && entry->d_name[9] <= '9';
    closedir(directory);
    return found;
}

/* Either of the system's two will do; what the operator named must be there. */
static bool load(X509_STORE *store, const struct tls_anchors *anchors,
                 char why[TLS_ANCHORS_WHY_MAX])
{
    const char *file = anchors->file, *path = anchors->path;
    bool file_ok = file != NULL && X509_STORE_load_file(store, file) == 1;
    bool path_ok =
        path != NULL && directory_has_anchors(path) && X509_STORE_load_path(store, path) == 1;
    char name[TLS_ANCHORS_WHY_MAX / 2];

    if (anchors->of_system && !file_ok && !path_ok)
        snprintf(why, TLS_ANCHORS_WHY_MAX,
                 "the system has no CA certificates: install ca-certificates or set ca-file");
    else if (!anchors->of_system && file != NULL && !file_ok)
        snprintf(why, TLS_ANCHORS_WHY_MAX, "ca-file %s: no certificate can be read from it",
                 escape_bytes(name, sizeof name, file, strlen(file)));
    else if (!anchors->of_system && path != NULL && !path_ok)
        snprintf(why, TLS_ANCHORS_WHY_MAX,
                 "ca-path %s: no hashed certificates in it (openssl rehash)",
                 escape_bytes(name, sizeof name, path, strlen(path)));
    else
        return true;
    return false;
}

X509_STORE *tls_anchors_load(const struct tls_anchors *anchors, char why[TLS_ANCHORS_WHY_MAX])
{
    X509_STORE *store = X509_STORE_new();

    snprintf(why, TLS_ANCHORS_WHY_MAX, "no memory");
    if (store != NULL && !load(store, anchors, why)) {
        X509_STORE_free(store);
        store = NULL;
    }
    ERR_clear_error();
    return store;
}

struct file_mark tls_anchors_look(const struct tls_anchors *anchors)
{
    struct file_mark mark = {0};

    file_mark_add(&mark, anchors->file);
    file_mark_add(&mark, anchors->path);
    return mark;
}

/* ---- watching ---- */

struct anchors_watch {
    struct tls_context *tls;    /* borrowed, and not the thread's */
    struct tls_anchors anchors; /* a copy */
    struct file_mark mark;      /* of what is in force, or is being loaded; 0: try again */
    struct file_mark told;      /* of what could not be loaded, and was warned of */
    void (*changed)(void *context);
    void *context;
    uv_timer_t timer;
    uv_work_t work;
    bool loading, closing, closed;
    /* the thread's, while it loads */
    X509_STORE *loaded; /* owned */
    char why[TLS_ANCHORS_WHY_MAX];
};

static void free_when_over(struct anchors_watch *watch)
{
    if (watch->closed && !watch->loading)
        free(watch);
}

static void load_on_thread(uv_work_t *work)
{
    struct anchors_watch *watch = work->data;

    watch->loaded = tls_anchors_load(&watch->anchors, watch->why);
    tls_thread_end();
}

static void on_loaded(uv_work_t *work, int status)
{
    struct anchors_watch *watch = work->data;
    const struct tls_anchors *anchors = &watch->anchors;

    watch->loading = false;
    if (watch->closing || status != 0) {
        X509_STORE_free(watch->loaded);
        free_when_over(watch);
        return;
    }
    if (watch->loaded == NULL) {
        if (watch->mark.identity != watch->told.identity)
            log_event(LOG_LEVEL_WARNING, "trust-anchors-unreadable", "why", watch->why, "effect",
                      "those loaded before stay in force", NULL);
        watch->told = watch->mark;
        watch->mark = (struct file_mark){0};
        return;
    }
    SSL_CTX_set_cert_store(watch->tls->ssl_ctx, watch->loaded);
    log_event(LOG_LEVEL_INFO, "trust-anchors-changed", "ca-file",
              anchors->of_system ? NULL : anchors->file, "ca-path",
              anchors->of_system ? NULL : anchors->path, "effect", "certificates are judged again",
              NULL);
    watch->changed(watch->context);
}

void anchors_watch_look(struct anchors_watch *watch)
{
    struct file_mark mark = tls_anchors_look(&watch->anchors);

    if (watch->loading || watch->closing || mark.identity == watch->mark.identity)
        return;
    watch->work.data = watch;
    watch->loaded = NULL;
    if (uv_queue_work(watch->timer.loop, &watch->work, load_on_thread, on_loaded) != 0)
        return;
    watch->mark = mark;
    watch->loading = true;
}

static void on_timer(uv_timer_t *timer)
{
    anchors_watch_look(timer->data);
}

int anchors_watch_new(struct anchors_watch **out, uv_loop_t *loop, struct tls_context *tls,
                      void (*changed)(void *context), void *context)
{
    struct anchors_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return UV_ENOMEM;
    watch->tls = tls;
    watch->anchors = tls->anchors;
    watch->mark = tls->anchors.mark;
    watch->changed = changed;
    watch->context = context;
    uv_timer_init(loop, &watch->timer);
    watch->timer.data = watch;
    uv_timer_start(&watch->timer, on_timer, ANCHORS_LOOK_MS, ANCHORS_LOOK_MS);
    *out = watch;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct anchors_watch *watch = handle->data;

    watch->closed = true;
    free_when_over(watch);
}

void anchors_watch_close(struct anchors_watch *watch)
{
    if (watch == NULL)
        return;
    watch->closing = true;
    uv_close((uv_handle_t *)&watch->timer, on_closed);
}
