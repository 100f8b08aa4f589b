/*
 * virtual_clock: the time that unit tests live in. No test waits for a timer, and no result depends
 * on how busy the machine is.
 *
 * The clocks stand still while the program works. They move in two ways: by virtual_clock_pass, and
 * when an event loop has nothing to do but wait for a timer; then they jump to that timer, or to
 * the end of another thread's usleep(3) or nanosleep(2), if that is sooner. Sockets and threads are
 * real. The clocks jump only when nothing is ready and every other thread is blocked: something
 * times out only where an answer never comes.
 *
 * It is linked into every unit test. It defines clock_gettime, time, nanosleep, usleep, epoll_wait
 * and epoll_pwait, and the libraries find these before libc's.
 *
 * BUGS
 *   What the kernel delays by itself (a segment that Nagle's algorithm holds back) is waited for
 *   GRACE_MS only. poll(2), select(2) and pthread_cond_timedwait(3) know real time.
 */
#pragma once

#include <stdint.h>

/* Real time from now on; all sleeping threads wake up. */
void virtual_clock_stop(void);
/* Lets time pass, in milliseconds; timers fire when the loop runs next. */
void virtual_clock_pass(int64_t ms);
