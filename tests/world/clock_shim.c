/* clock_shim: for LD_PRELOAD: the kernel's word on its clock, and the time, as MXC_TEST_CLOCK wants
 * them: "synchronised", "unsynchronised", "past" (the year 2001), "silent" (the kernel says
 * nothing), "+SECONDS" (so much later), "@FILE" (as many seconds later as the file has, a number of
 * 8 octets, which may change at any time). Without it, or for other clocks than the wall's, nothing
 * changes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define IN_2001 1000000000

static int wants(const char *word)
{
    const char *text = getenv("MXC_TEST_CLOCK");

    return text != NULL && strcmp(text, word) == 0;
}

static const volatile int64_t *in_file; /* what the file has; NULL: there is none */

/* Before a sandbox closes. */
__attribute__((constructor)) static void map_file(void)
{
    const char *text = getenv("MXC_TEST_CLOCK");
    int fd = text != NULL && text[0] == '@' ? open(text + 1, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *in_file, PROT_READ, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    if (mapped != MAP_FAILED)
        in_file = mapped;
}

/* Seconds after the real time. */
static time_t later(void)
{
    const char *text = getenv("MXC_TEST_CLOCK");

    if (in_file != NULL)
        return (time_t)*in_file;
    return text != NULL && text[0] == '+' ? (time_t)strtol(text, NULL, 10) : 0;
}

int adjtimex(struct timex *buf)
{
    memset(buf, 0, sizeof *buf);
    if (wants("silent")) {
        errno = EPERM;
        return -1;
    }
    buf->status = wants("unsynchronised") ? STA_UNSYNC : STA_PLL;
    return wants("unsynchronised") ? TIME_ERROR : TIME_OK;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);

    if (clock == CLOCK_REALTIME && wants("past")) {
        now->tv_sec = IN_2001;
        now->tv_nsec = 0;
        return 0;
    }
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    if (real(clock, now) != 0)
        return -1;
    if (clock == CLOCK_REALTIME)
        now->tv_sec += later();
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}
