/* survey_progress: how far a survey is: on a terminal one line that changes, elsewhere a line a
 * minute. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/progress.h"
#include "base/clock.h"
#include "cli/survey/survey_command.h"

#define LINE_EVERY_MS 60000
#define LINE_COLUMNS  200
#define NOTE_MAX      100
#define KINDS_SHOWN   3

struct survey_display {
    struct progress progress;
    int phase; /* that is shown; -1: none yet */
    int64_t said_ms;
    bool no_resolver; /* has been said */
    char note[NOTE_MAX];
};

struct survey_display *survey_display_new(struct arena *arena)
{
    struct survey_display *display = arena_alloc(arena, sizeof *display);

    if (display == NULL)
        return NULL;
    progress_begin(&display->progress, stderr);
    display->phase = -1;
    display->said_ms = clock_monotonic_ms();
    return display;
}

static const char *phase_name(int phase)
{
    static const char *const names[] = {UNIT_KINDS(ENUM_WORD)};

    return phase < UNIT_KIND_COUNT ? names[phase] : "verdicts";
}

/* "1234 failed: connect-timeout 800, mx-servfail 300, ..." */
static void write_note(char out[NOTE_MAX], const struct survey_progress *progress)
{
    int64_t all = 0;
    size_t used;

    out[0] = '\0';
    for (size_t i = 0; i < progress->failures.count; i++)
        all += progress->failures.list[i].count;
    if (all == 0)
        return;
    used = (size_t)snprintf(out, NOTE_MAX, "%" PRId64 " failed", all);
    for (size_t i = 0; i < progress->failures.count && i < KINDS_SHOWN && used < NOTE_MAX; i++)
        used += (size_t)snprintf(out + used, NOTE_MAX - used, "%s %s %" PRId64, i == 0 ? ":" : ",",
                                 progress->failures.list[i].kind, progress->failures.list[i].count);
}

/* Begins to count anew: a phase has its own rate. */
static void enter_phase(struct survey_display *display, const struct survey_progress *progress,
                        uint64_t done)
{
    FILE *terminal = display->progress.out;

    progress_clear(&display->progress);
    progress_begin(&display->progress, stderr);
    display->progress.out = terminal;
    display->progress.unit = phase_name(progress->phase);
    display->progress.before = done - (uint64_t)progress->phase_done;
    display->progress.note = display->note;
    display->phase = progress->phase;
}

static void say_line(struct survey_display *display, const struct survey_progress *progress,
                     uint64_t done, uint64_t all)
{
    const struct progress_amount amount = {done,
                                           all,
                                           display->progress.unit,
                                           progress->phase_ms,
                                           display->progress.before,
                                           display->note[0] != '\0' ? display->note : NULL};
    char text[LINE_COLUMNS + 1];
    int64_t now = clock_monotonic_ms();

    if (display->progress.out != NULL || now - display->said_ms < LINE_EVERY_MS)
        return;
    display->said_ms = now;
    progress_text(text, sizeof text, &amount, LINE_COLUMNS);
    fprintf(stderr, "mxcrypt: %s\n", text);
}

static void say_resolver(struct survey_display *display, bool no_resolver)
{
    if (no_resolver == display->no_resolver)
        return;
    display->no_resolver = no_resolver;
    progress_clear(&display->progress);
    fprintf(stderr, "mxcrypt: the resolver %s\n",
            no_resolver ? "does not answer; waiting for it" : "answers again");
}

void survey_display_show(void *context, const struct survey_progress *progress)
{
    struct survey_display *display = context;
    int kind = progress->phase < UNIT_KIND_COUNT ? progress->phase : UNIT_DOMAIN;
    uint64_t all = (uint64_t)progress->all[kind];
    uint64_t done = progress->phase < UNIT_KIND_COUNT ? (uint64_t)progress->done[kind]
                                                      : (uint64_t)progress->phase_done;

    write_note(display->note, progress);
    if (progress->phase != display->phase)
        enter_phase(display, progress, done);
    display->progress.note = display->note[0] != '\0' ? display->note : NULL;
    say_resolver(display, progress->no_resolver);
    progress_show(&display->progress, done, all);
    say_line(display, progress, done, all);
}

void survey_display_clear(struct survey_display *display)
{
    progress_clear(&display->progress);
}
