/* rollover_deploy: the command that installs the next certificate. */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>

#include "check/rollover/rollover_state.h"

/* Raises the number of descriptors as far as it may be, for a question to each server about each
 * host. `before`: the limits as they were. */
void rollover_raise_descriptors(struct rlimit *before);

struct rollover_command {
    char *const *argv;           /* NULL ends it */
    const char *sha256;          /* of the certificate: MXCRYPT_NEXT_SHA256 */
    const struct rlimit *before; /* what rollover_raise_descriptors gave */
    bool to_stderr;              /* what it prints */
};

/* Runs it, without a shell, and waits for its end. It begins with the limits as they were, and as
 * if nothing here ignored SIGPIPE. False with why, also when it ended with another status than 0. */
bool rollover_deploy(const struct rollover_command *command, char why[ROLLOVER_WHY_MAX]);
