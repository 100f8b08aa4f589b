/* clock: the only place that reads a clock. Unit tests have tests/unit/support/virtual_clock.h. */
#pragma once

#include <stdint.h>

/* Milliseconds on a clock that never jumps and counts suspended time; its zero means nothing. */
int64_t clock_monotonic_ms(void);
/* The same in nanoseconds, for how long something took. */
int64_t clock_monotonic_ns(void);
/* Nanoseconds of processor time this thread has used. */
int64_t clock_thread_cpu_ns(void);
/* Seconds since 1970, for people and for files; may jump. */
int64_t clock_wall_s(void);
/* Milliseconds since 1970, for what is kept on disk; may jump. */
int64_t clock_wall_ms(void);
