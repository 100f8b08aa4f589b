/* progress: see progress.h. No escape sequences: a line is written over with blanks. */
#include "audit/progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

#define FIRST_MS    1000
#define EVERY_MS    250
#define COLUMNS     80 /* where the terminal does not tell */
#define COLUMNS_MAX 200
#define BAR_MIN     10
#define BAR_MAX     40
#define PART_SIZE   48
#define WORDS_SIZE  (4 * PART_SIZE + 160)

/* ---- the text ---- */

/* "1.2 GiB", with one decimal below 10; a number where no octets are counted. */
static void put_amount(char out[PART_SIZE], double amount, const char *unit, const char *after)
{
    static const char *const units[] = {"octets", "KiB", "MiB", "GiB", "TiB"};
    size_t power = 0;

    if (unit != NULL) {
        snprintf(out, PART_SIZE, "%.0f%s", amount, after);
        return;
    }
    for (; amount >= 1000 && power + 1 < sizeof units / sizeof units[0]; power++)
        amount /= 1024;
    snprintf(out, PART_SIZE, "%.*f %s%s", power > 0 && amount < 10 ? 1 : 0, amount, units[power],
             after);
}

/* ", 5 s left"; nothing where it cannot be said. */
static void put_left(char out[PART_SIZE], double seconds)
{
    out[0] = '\0';
    if (seconds < 0 || seconds > 100.0 * 3600)
        return;
    if (seconds < 100)
        snprintf(out, PART_SIZE, ", %.0f s left", seconds);
    else if (seconds < 100.0 * 60)
        snprintf(out, PART_SIZE, ", %.0f min left", seconds / 60);
    else
        snprintf(out, PART_SIZE, ", %.0f h left", seconds / 3600);
}

/* "[=====>    ] ", as wide as the room allows; nothing where that is too little. */
static void put_bar(char out[BAR_MAX + 4], double share, size_t room)
{
    size_t width = room < 3 ? 0 : room < BAR_MAX + 3 ? room - 3 : BAR_MAX, filled;

    out[0] = '\0';
    if (room < BAR_MIN + 3)
        return;
    filled = (size_t)(share * (double)width);
    out[0] = '[';
    memset(out + 1, ' ', width);
    memset(out + 1, '=', filled);
    if (filled < width)
        out[1 + filled] = '>';
    memcpy(out + 1 + width, "] ", 3);
}

/* "1.2 GiB of 3.4 GiB, 512 MiB/s, 5 s left" */
static void put_words(char out[WORDS_SIZE], const struct progress_amount *amount, uint64_t all)
{
    double seconds = (double)amount->elapsed_ms / 1000;
    double rate = seconds > 0 ? (double)(amount->done - amount->before) / seconds : 0;
    char done[PART_SIZE], of[PART_SIZE] = "", speed[PART_SIZE], left[PART_SIZE] = "";

    put_amount(done, (double)amount->done, amount->unit, all > 0 ? " of " : "");
    put_amount(speed, rate, amount->unit, "/s");
    if (all > 0) {
        put_amount(of, (double)all, amount->unit, "");
        put_left(left, rate > 0 ? (double)(all - amount->done) / rate : -1);
    }
    snprintf(out, WORDS_SIZE, "%s%s%s%.20s, %s%s%s%.100s", done, of,
             amount->unit == NULL ? "" : " ", amount->unit == NULL ? "" : amount->unit, speed, left,
             amount->note == NULL ? "" : "; ", amount->note == NULL ? "" : amount->note);
}

size_t progress_text(char *out, size_t size, const struct progress_amount *amount, size_t columns)
{
    /* a file may grow */
    uint64_t all = amount->all > 0 && amount->done > amount->all ? amount->done : amount->all;
    char words[WORDS_SIZE], percent[8] = "", bar[BAR_MAX + 4] = "";
    double share = 0;
    size_t length;

    put_words(words, amount, all);
    if (all > 0) {
        share = (double)amount->done / (double)all;
        snprintf(percent, sizeof percent, "%3.0f%% ", share * 100);
    }
    length = strlen(percent) + strlen(words);
    if (all > 0 && columns > length)
        put_bar(bar, share, columns - length);
    snprintf(out, size, "%s%s%s", percent, bar, words);
    if (strlen(out) > columns && columns < size)
        out[columns] = '\0';
    return strlen(out);
}

/* ---- the terminal ---- */

static size_t columns_of(FILE *out)
{
    struct winsize window;

    if (ioctl(fileno(out), TIOCGWINSZ, &window) != 0 || window.ws_col == 0)
        return COLUMNS - 1;
    return window.ws_col < COLUMNS_MAX ? window.ws_col - 1U : COLUMNS_MAX - 1;
}

void progress_begin(struct progress *progress, FILE *out)
{
    *progress = (struct progress){.out = isatty(fileno(out)) ? out : NULL};
    progress->begun_ms = clock_monotonic_ms();
    progress->shown_ms = progress->begun_ms + FIRST_MS - EVERY_MS;
}

void progress_show(struct progress *progress, uint64_t done, uint64_t all)
{
    struct progress_amount amount = {done,          all, progress->unit, 0, progress->before,
                                     progress->note};
    char text[COLUMNS_MAX];
    size_t width;
    int64_t now;

    if (progress->out == NULL)
        return;
    now = clock_monotonic_ms();
    if (now - progress->shown_ms < EVERY_MS)
        return;
    amount.elapsed_ms = now - progress->begun_ms;
    width = progress_text(text, sizeof text, &amount, columns_of(progress->out));
    fprintf(progress->out, "\r%s", text);
    if (width < progress->width)
        fprintf(progress->out, "%*s\r%s", (int)(progress->width - width), "", text);
    fflush(progress->out);
    progress->shown_ms = now;
    progress->width = width;
}

void progress_clear(struct progress *progress)
{
    if (progress->out == NULL || progress->width == 0)
        return;
    fprintf(progress->out, "\r%*s\r", (int)progress->width, "");
    fflush(progress->out);
    progress->width = 0;
}
