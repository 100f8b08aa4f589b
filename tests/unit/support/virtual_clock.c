/* virtual_clock: see virtual_clock.h. */
#define _GNU_SOURCE
#include "tests/unit/support/virtual_clock.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS     20   /* real time in which the kernel hands over what was sent */
#define TICK_NS      1000 /* for each look at the clock, so that loops that wait for it end */
#define SLEEPERS_MAX 64
#define CLOCKS       16
#define MS           INT64_C(1000000)
#define SECOND       INT64_C(1000000000)

static atomic_bool running;
static atomic_llong passed_ns;  /* since the start, by jumps and ticks */
static int64_t base_ns[CLOCKS]; /* of each real clock at the start */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t jumped = PTHREAD_COND_INITIALIZER;
static int64_t wake_at[SLEEPERS_MAX]; /* in passed_ns; 0: free */

static int64_t real_ns(clockid_t clock)
{
    struct timespec now;

    syscall(SYS_clock_gettime, clock, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static void set_passed(int64_t ns)
{
    pthread_mutex_lock(&lock);
    if (ns > atomic_load(&passed_ns))
        atomic_store(&passed_ns, ns);
    pthread_cond_broadcast(&jumped);
    pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void start(void)
{
    for (clockid_t clock = 0; clock < CLOCKS; clock++)
        base_ns[clock] = real_ns(clock);
    atomic_store(&passed_ns, 0);
    atomic_store(&running, true);
}

void virtual_clock_stop(void)
{
    atomic_store(&running, false);
    set_passed(0);
}

void virtual_clock_pass(int64_t ms)
{
    set_passed(atomic_load(&passed_ns) + ms * MS);
}

/* The main thread has the loop: nobody else would let time pass while it sleeps. */
static void sleep_ns(int64_t ns)
{
    int64_t end = atomic_load(&passed_ns) + ns;
    size_t slot = 0;

    if (gettid() == getpid()) {
        set_passed(end);
        return;
    }
    pthread_mutex_lock(&lock);
    while (slot < SLEEPERS_MAX && wake_at[slot] != 0)
        slot++;
    if (slot == SLEEPERS_MAX)
        abort();
    wake_at[slot] = end;
    while (atomic_load(&running) && atomic_load(&passed_ns) < end)
        pthread_cond_wait(&jumped, &lock);
    wake_at[slot] = 0;
    pthread_mutex_unlock(&lock);
}

/* ---- the other threads ---- */

/* Adds up how often the thread was switched to; false when it is not blocked. */
static bool is_blocked(const char *task, unsigned long long *switches)
{
    char path[64], text[512], state = '?';
    unsigned long long ran = 0, waited = 0, slices = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%s/stat", task);
    file = fopen(path, "r");
    if (file == NULL)
        return true; /* it has ended */
    if (fgets(text, sizeof text, file) == NULL || sscanf(text, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    fclose(file);
    snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", task);
    file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%llu %llu %llu", &ran, &waited, &slices) == 3)
            *switches += slices;
        fclose(file);
    }
    return state == 'S' || state == 'Z' || state == 'X';
}

static bool all_blocked(unsigned long long *switches)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *task;
    bool blocked = true;

    *switches = 0;
    while (blocked && tasks != NULL && (task = readdir(tasks)) != NULL)
        if (task->d_name[0] != '.' && atoi(task->d_name) != gettid())
            blocked = is_blocked(task->d_name, switches);
    if (tasks != NULL)
        closedir(tasks);
    return blocked;
}

/* True when no other thread ran between two looks at all of them. */
static bool nobody_works(void)
{
    unsigned long long before, after;

    return all_blocked(&before) && all_blocked(&after) && before == after;
}

/* ---- waiting ---- */

static int real_wait(int fd, struct epoll_event *events, int max, int64_t ms, const sigset_t *mask)
{
    return (int)syscall(SYS_epoll_pwait, fd, events, max, (int)ms, mask, _NSIG / 8);
}

/* What is ready once everybody has done what they can; 0 when nothing will be. */
static int settle(int fd, struct epoll_event *events, int max, int64_t ms, const sigset_t *mask)
{
    int ready = real_wait(fd, events, max, 0, mask);

    while (ready == 0 && !nobody_works())
        ready = real_wait(fd, events, max, 1, mask);
    return ready != 0 ? ready : real_wait(fd, events, max, ms < GRACE_MS ? ms : GRACE_MS, mask);
}

/* The first end of a sleep before `end`, or `end`. */
static int64_t next_event(int64_t end)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < SLEEPERS_MAX; i++)
        if (wake_at[i] != 0 && wake_at[i] < end)
            end = wake_at[i];
    pthread_mutex_unlock(&lock);
    return end;
}

int epoll_pwait(int fd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
    int64_t end = timeout < 0 ? INT64_MAX : atomic_load(&passed_ns) + timeout * MS;

    if (timeout == 0 || !atomic_load(&running))
        return real_wait(fd, events, max, timeout, mask);
    for (;;) {
        int64_t left_ms = timeout < 0 ? GRACE_MS : (end - atomic_load(&passed_ns) + MS - 1) / MS;
        int ready = settle(fd, events, max, left_ms > 0 ? left_ms : 0, mask);
        int64_t next = next_event(end);

        if (ready != 0)
            return ready;
        if (next == INT64_MAX) /* only the outside can end this */
            return real_wait(fd, events, max, -1, mask);
        set_passed(next);
        if (next == end)
            return 0;
    }
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    return epoll_pwait(fd, events, max, timeout, NULL);
}

/* ---- the clocks ---- */

static bool counts_work(clockid_t clock)
{
    return clock == CLOCK_THREAD_CPUTIME_ID || clock == CLOCK_PROCESS_CPUTIME_ID;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int64_t ns;

    if (!atomic_load(&running) || clock < 0 || clock >= CLOCKS || counts_work(clock))
        return (int)syscall(SYS_clock_gettime, clock, now);
    ns = base_ns[clock] + atomic_fetch_add(&passed_ns, TICK_NS);
    *now = (struct timespec){.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
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

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    if (!atomic_load(&running))
        return (int)syscall(SYS_nanosleep, wanted, left);
    sleep_ns(wanted->tv_sec * SECOND + wanted->tv_nsec);
    return 0;
}

int usleep(useconds_t us)
{
    return nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL);
}
