/*
 * policy_lint: all that is wrong with an MTA-STS policy file, each fault with its line, where
 * sts_parse ends at the first. For its owner.
 *
 * A file has a severe fault exactly where sts_parse_policy gives no policy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "check/facts.h"

struct policy_lint {
    size_t count;
    struct check_fault faults[CHECK_FAULTS_MAX]; /* by line; those of the whole file come last */
    size_t dropped; /* more faults; a severe one is kept as long as there is a mild one to drop */
    bool severe;    /* one of them all is: the file is no policy */
};

/* `text` is foreign: any octets. What is told is static or the arena's, and printable. False without
 * memory. */
bool policy_lint(struct policy_lint *out, struct arena *arena, const char *text, size_t length);
