/*
 * preload: see cache.h. Records that cannot be read are left out, and the log says how many there
 * were; if the store as a whole cannot be read, reading is retried until it succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log/log.h"
#include "daemon/cache/importer.h"

#define PAGE         100
#define LINES_SHARE  50 /* of an export in one turn of the loop */
#define OCTETS_SHARE (64 * 1024)
#define LINE_SIZE    (IMPORTER_LINE_MAX + 2)
#define REFUSALS_MAX 20 /* that are logged one by one */
#define AGAIN_MS     1000

struct preload {
    struct cache *cache;
    struct store_read *read; /* NULL: none under way */
    uv_timer_t round;        /* begins to read the store, at first and once more */
    uv_timer_t import;       /* its turns */
    int handles;
    FILE *export; /* owned */
    char *line;   /* owned; LINE_SIZE octets */
    struct importer importer;
    size_t phase;
    size_t counts[RECORD_KINDS];
    bool failed, imported; /* failed: some page of this round */
    int64_t began_at;
};

static void next_page(struct preload *preload, const char *cursor);

/* ---- the export ---- */

static void end_import(struct preload *preload, const char *why)
{
    const struct importer *importer = &preload->importer;

    log_event(why == NULL ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "imported", "file",
              preload->cache->config->import_path, "restored", LOG_NUM(importer->restored), "known",
              LOG_NUM(importer->known), "refused", LOG_NUM(importer->refused), "reason", why, NULL);
    if (preload->export != NULL)
        fclose(preload->export);
    preload->export = NULL;
}

static void on_import_turn(uv_timer_t *timer)
{
    struct preload *preload = timer->data;
    struct importer *importer = &preload->importer;
    size_t octets = 0;

    for (int share = LINES_SHARE; share > 0 && octets < OCTETS_SHARE; share--) {
        /* the importer refuses one that is longer than the room here */
        ssize_t length = file_line(preload->line, LINE_SIZE, preload->export);
        const char *why = length < 0 ? importer_end(importer)
                                     : importer_line(importer, preload->line, (size_t)length);

        if (length >= 0 && why != NULL && importer->refused <= REFUSALS_MAX)
            log_event(LOG_LEVEL_WARNING, "import-refused", "line", LOG_NUM(importer->line),
                      "reason", why, NULL);
        if (length < 0 || importer->failed) {
            end_import(preload, why);
            return;
        }
        octets += (size_t)length;
    }
    uv_timer_start(timer, on_import_turn, 1, 0);
}

/* NULL with *why. Of something else than a file one could wait for ever. */
static FILE *open_export(const char *path, const char **why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    FILE *file = NULL;

    *why = "it is no regular file";
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        file = fdopen(fd, "r");
    else if (fd < 0)
        *why = strerror(errno);
    if (file == NULL && fd >= 0)
        close(fd);
    return file;
}

static void begin_import(struct preload *preload)
{
    const char *path = preload->cache->config->import_path, *why = "no memory";

    if (path == NULL || preload->imported)
        return;
    preload->imported = true;
    preload->importer = (struct importer){.cache = preload->cache};
    preload->line = malloc(LINE_SIZE);
    preload->export = preload->line == NULL ? NULL : open_export(path, &why);
    if (preload->export == NULL)
        end_import(preload, why);
    else
        uv_timer_start(&preload->import, on_import_turn, 1, 0);
}

/* ---- the store ---- */

static void on_round(uv_timer_t *timer)
{
    struct preload *preload = timer->data;

    preload->phase = 0;
    preload->failed = false;
    next_page(preload, NULL);
}

static void on_page(void *context, const struct store_page *page)
{
    struct preload *preload = context;
    struct record_moment moment = cache_moment(page->last_written);

    preload->read = NULL;
    preload->failed |= page->error != NULL;
    for (size_t i = 0; i < page->count; i++) {
        struct record record = page->records[i];

        if (cache_load_record(preload->cache, &record, moment, CACHE_FROM_STORE) == LOADED_NEW)
            preload->counts[record.kind]++;
    }
    if (page->next == NULL)
        preload->phase++;
    next_page(preload, page->next);
}

static void next_page(struct preload *preload, const char *cursor)
{
    static const enum record_kind order[] = {RECORD_POLICY, RECORD_PROBE, RECORD_ANSWER};
    struct store *store = preload->cache->store;
    struct store_selection selection = {.cursor = cursor, .limit = PAGE};

    if (store != NULL && preload->phase < sizeof order / sizeof order[0]) {
        selection.kind = order[preload->phase];
        if (store_list(&preload->read, store, &selection, on_page, preload) == 0)
            return;
    }
    /* the round is over: the first one, or one after the store could not be read */
    if (preload->failed) {
        uv_timer_start(&preload->round, on_round, AGAIN_MS, 0);
    } else {
        malloc_trim(0); /* the pages have left room between the entries */
        log_event(LOG_LEVEL_INFO, "warm", "answers", LOG_NUM(preload->counts[RECORD_ANSWER]),
                  "policies", LOG_NUM(preload->counts[RECORD_POLICY]), "probes",
                  LOG_NUM(preload->counts[RECORD_PROBE]), "ms",
                  LOG_NUM(clock_monotonic_ms() - preload->began_at), NULL);
    }
    cache_follow_share(preload->cache);
    begin_import(preload);
}

/* ---- life ---- */

struct preload *preload_new(struct cache *cache)
{
    struct preload *preload = calloc(1, sizeof *preload);

    if (preload == NULL)
        return NULL;
    preload->cache = cache;
    preload->began_at = clock_monotonic_ms();
    uv_timer_init(cache->loop, &preload->import);
    uv_timer_init(cache->loop, &preload->round);
    preload->import.data = preload->round.data = preload;
    preload->handles = 2;
    uv_timer_start(&preload->round, on_round, 0, 0);
    return preload;
}

static void on_closed(uv_handle_t *handle)
{
    struct preload *preload = handle->data;

    if (--preload->handles > 0)
        return;
    if (preload->export != NULL)
        fclose(preload->export);
    free(preload->line);
    free(preload);
}

void preload_close(struct preload *preload)
{
    if (preload->read != NULL)
        store_read_cancel(preload->read);
    uv_close((uv_handle_t *)&preload->import, on_closed);
    uv_close((uv_handle_t *)&preload->round, on_closed);
}
