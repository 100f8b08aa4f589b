/*
 * verifier: a process that verifies OpenPGP signatures for the daemon, which may neither run programs
 * nor make processes once its sandbox is closed: gpgv(1) is a program. It is forked before that, as
 * the daemon's user, ends with the daemon, and can do nothing but read files and run programs without
 * privileges (privileges_confine_helper). It answers one request at a time.
 *
 * A verifier that is gone, or that does not answer in time, is a signature that is not verified.
 */
#pragma once

#include "base/sign/openpgp.h"

struct verifier;

/* Forks it; call before any thread is made. `confine` (may be NULL) is called in the new process.
 * NULL without processes or memory. */
struct verifier *verifier_start(void (*confine)(void));
/* Ends it. NULL is fine. */
void verifier_stop(struct verifier *verifier);
/* openpgp_verify, by the verifier; for any thread. NULL: there is no verifier. It waits for those
 * before it, and VERIFIER_SPARE_MS longer than the check's deadline. */
#define VERIFIER_SPARE_MS 5000
const char *verifier_check(struct verifier *verifier, const struct openpgp_check *check,
                           char why[OPENPGP_WHY_MAX]);
/* Of its process, for tests. */
int verifier_pid(const struct verifier *verifier);
