/*
 * warmup: see warmup.h. What cannot be read is left out, and the log says how much there was; while
 * the store as a whole cannot be read, it is tried again until it can.
 */
#include "daemon/cache/warmup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
#define REFUSALS_MAX 20 /* that are told one by one */
#define AGAIN_MS     1000

static const enum record_kind order[] = {RECORD_POLICY, RECORD_PROBE, RECORD_ANSWER};
#define PHASES (sizeof order / sizeof order[0])

struct warmup {
    const struct config *config;
    struct memory *memory;
    struct store_read *read; /* NULL: none under way */
    uv_timer_t timer;        /* the import's turns */
    uv_timer_t again;        /* the store's, once more */
    int handles;
    FILE *export; /* owned */
    char *line;   /* owned; LINE_SIZE octets */
    struct importer importer;
    size_t phase;
    size_t counts[RECORD_KINDS];
    bool failed, imported; /* failed: some page of this round */
    int64_t began_at;
};

static void next_page(struct warmup *warmup, const char *cursor);

/* ---- the export ---- */

static void import_over(struct warmup *warmup, const char *why)
{
    const struct importer *importer = &warmup->importer;

    log_event(why == NULL ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "imported", "file",
              warmup->config->import_path, "restored", LOG_NUM(importer->restored), "known",
              LOG_NUM(importer->known), "refused", LOG_NUM(importer->refused), "reason", why, NULL);
    if (warmup->export != NULL)
        fclose(warmup->export);
    warmup->export = NULL;
}

static void log_refusal(const struct importer *importer, const char *why)
{
    if (importer->refused <= REFUSALS_MAX)
        log_event(LOG_LEVEL_WARNING, "import-refused", "line", LOG_NUM(importer->line), "reason",
                  why, NULL);
}

static void on_import_turn(uv_timer_t *timer)
{
    struct warmup *warmup = timer->data;
    size_t octets = 0;

    for (int share = LINES_SHARE; share > 0 && octets < OCTETS_SHARE; share--) {
        /* the importer refuses one that is longer than the room here */
        ssize_t length = file_line(warmup->line, LINE_SIZE, warmup->export);
        const char *why = NULL;

        if (length < 0) {
            import_over(warmup, importer_end(&warmup->importer));
            return;
        }
        octets += (size_t)length;
        importer_line(&warmup->importer, warmup->line, (size_t)length, &why);
        if (why != NULL)
            log_refusal(&warmup->importer, why);
        if (importer_failed(&warmup->importer)) {
            import_over(warmup, why);
            return;
        }
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

static void import_begin(struct warmup *warmup)
{
    const char *path = warmup->config->import_path, *why = "no memory";

    if (path == NULL || warmup->imported)
        return;
    warmup->imported = true;
    importer_init(&warmup->importer, warmup->memory);
    warmup->line = malloc(LINE_SIZE);
    warmup->export = warmup->line == NULL ? NULL : open_export(path, &why);
    if (warmup->export == NULL)
        import_over(warmup, why);
    else
        uv_timer_start(&warmup->timer, on_import_turn, 1, 0);
}

/* ---- the store ---- */

static void on_again(uv_timer_t *timer)
{
    struct warmup *warmup = timer->data;

    warmup->phase = 0;
    warmup->failed = false;
    next_page(warmup, NULL);
}

/* A round is over: the first one, or one after the store could not be read. */
static void warm(struct warmup *warmup)
{
    if (warmup->failed) {
        uv_timer_start(&warmup->again, on_again, AGAIN_MS, 0);
        import_begin(warmup);
        return;
    }
    log_event(LOG_LEVEL_INFO, "warm", "answers", LOG_NUM(warmup->counts[RECORD_ANSWER]), "policies",
              LOG_NUM(warmup->counts[RECORD_POLICY]), "probes",
              LOG_NUM(warmup->counts[RECORD_PROBE]), "ms",
              LOG_NUM(clock_monotonic_ms() - warmup->began_at), NULL);
    import_begin(warmup);
}

static void on_page(void *context, const struct store_page *page)
{
    struct warmup *warmup = context;
    struct record_moment moment =
        record_moment_of(clock_monotonic_ms(), clock_wall_ms(), page->last_written);

    warmup->read = NULL;
    warmup->failed |= page->error != NULL;
    for (size_t i = 0; i < page->count; i++) {
        struct record record = page->records[i];

        if (memory_restore(warmup->memory, &record, moment, false) == RESTORED)
            warmup->counts[record.kind]++;
    }
    if (page->next == NULL)
        warmup->phase++;
    next_page(warmup, page->next);
}

static void next_page(struct warmup *warmup, const char *cursor)
{
    struct store *store = memory_store(warmup->memory);
    struct store_selection selection = {.cursor = cursor, .limit = PAGE};

    if (store == NULL || warmup->phase >= PHASES) {
        warm(warmup);
        return;
    }
    selection.kind = order[warmup->phase];
    if (store_list(&warmup->read, store, &selection, on_page, warmup) != 0) {
        warmup->phase = PHASES;
        warm(warmup);
    }
}

/* ---- life ---- */

static void on_begin(uv_timer_t *timer)
{
    next_page(timer->data, NULL);
}

struct warmup *warmup_new(uv_loop_t *loop, const struct config *config, struct memory *memory)
{
    struct warmup *warmup = calloc(1, sizeof *warmup);

    if (warmup == NULL)
        return NULL;
    warmup->config = config;
    warmup->memory = memory;
    warmup->began_at = clock_monotonic_ms();
    uv_timer_init(loop, &warmup->timer);
    uv_timer_init(loop, &warmup->again);
    warmup->timer.data = warmup->again.data = warmup;
    warmup->handles = 2;
    uv_timer_start(&warmup->timer, on_begin, 0, 0);
    return warmup;
}

static void on_closed(uv_handle_t *handle)
{
    struct warmup *warmup = handle->data;

    if (--warmup->handles > 0)
        return;
    if (warmup->export != NULL)
        fclose(warmup->export);
    free(warmup->line);
    free(warmup);
}

void warmup_close(struct warmup *warmup)
{
    if (warmup->read != NULL)
        store_read_cancel(warmup->read);
    uv_close((uv_handle_t *)&warmup->timer, on_closed);
    uv_close((uv_handle_t *)&warmup->again, on_closed);
}
