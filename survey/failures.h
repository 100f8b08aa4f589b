/* failures: how often each kind of failure has come, the most frequent first. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FAILURES_MAX 32 /* kinds; more than there are */

struct failures {
    struct failure {
        const char *kind; /* static */
        int64_t count;
    } list[FAILURES_MAX];
    size_t count; /* of the list */
};

/* Counts one; a kind that finds no room is not counted. */
void failures_count(struct failures *failures, const char *kind);
