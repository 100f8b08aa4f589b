/* check_state: the file that keeps the last check of a domain: DIR/DOMAIN.json. */
#pragma once

#include <stdbool.h>

#include "check/facts.h"
#include "check/finding.h"

struct check_state;

/* Makes the folder, readable for all as far as the umask allows, where it is not there; the one
 * above it must be. False after a message: it cannot be made, or is something else, be it a symbolic
 * link to a folder. */
bool check_state_folder(const char *folder);
/* Reads it. A file that is not there, or that is none, is as if nothing were known, the second after
 * a message. NULL without memory. */
struct check_state *check_state_open(const char *folder, const char *domain);
/* What the judge is to know of the last check; NULL: nothing. */
const struct check_before *check_state_before(const struct check_state *state);
/* Says on standard error what has come and what has gone since, and keeps what is there now. False
 * after a message when that cannot be written. */
bool check_state_keep(struct check_state *state, const struct check_facts *facts,
                      const struct check_report *report);
/* NULL is allowed. */
void check_state_close(struct check_state *state);
