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

/* ---- the text ---- */

/* "1.2 GiB"; with one decimal below 10. */
static void put_octets(char out[PART_SIZE], double octets, const char *after)
{
    static const char *const units[] = {"octets", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;

    for (; octets >= 1000 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        octets /= 1024;
    snprintf(out, PART_SIZE, "%.*f %s%s", unit > 0 && octets < 10 ? 1 : 0, octets, units[unit],
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
    size_t width = room < BAR_MAX + 3 ? room - 3 : BAR_MAX,
           filled = (size_t)(share * (double)width);

    out[0] = '\0';
    if (room < BAR_MIN + 3)
        return;
    out[0] = '[';
    memset(out + 1, ' ', width);
    memset(out + 1, '=', filled);
    if (filled < width)
        out[1 + filled] = '>';
    memcpy(out + 1 + width, "] ", 3);
}

size_t progress_text(char *out, size_t size, uint64_t done, uint64_t all, int64_t elapsed_ms,
                     size_t columns)
{
    double rate = elapsed_ms > 0 ? (double)done * 1000 / (double)elapsed_ms : 0, share = 0;
    char amount[PART_SIZE], of[PART_SIZE] = "", speed[PART_SIZE], left[PART_SIZE] = "";
    char percent[8] = "", bar[BAR_MAX + 4] = "";
    size_t length;

    if (all > 0 && done > all)
        all = done; /* a file that grew */
    put_octets(amount, (double)done, all > 0 ? " of " : "");
    put_octets(speed, rate, "/s");
    if (all > 0) {
        share = (double)done / (double)all;
        put_octets(of, (double)all, "");
        put_left(left, rate > 0 ? (double)(all - done) / rate : -1);
        snprintf(percent, sizeof percent, "%3.0f%% ", share * 100);
    }
    length = strlen(percent) + strlen(amount) + strlen(of) + 2 + strlen(speed) + strlen(left);
    if (all > 0 && columns > length)
        put_bar(bar, share, columns - length);
    snprintf(out, size, "%s%s%s%s, %s%s", percent, bar, amount, of, speed, left);
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
    char text[COLUMNS_MAX];
    size_t width;
    int64_t now;

    if (progress->out == NULL)
        return;
    now = clock_monotonic_ms();
    if (now - progress->shown_ms < EVERY_MS)
        return;
    width = progress_text(text, sizeof text, done, all, now - progress->begun_ms,
                          columns_of(progress->out));
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
