/*
 * rollover_state: what is kept of a rollover between steps, in a small file of JSON. It is replaced
 * at once, so that after any death of the program it is the old one or the new one; a lock beside it
 * keeps two steps apart.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "check/rollover/rollover.h"

#define ROLLOVER_STATE_MAX (1 << 20) /* octets; two chains have about 20,000 */
#define ROLLOVER_WHY_MAX   256

/* Reads a state from text, which may be anything: nothing is taken that rollover_state_text would
 * not write. Chains are the arena's. False with why. */
bool rollover_state_parse(struct rollover *out, struct arena *arena, const char *text,
                          size_t length, char why[ROLLOVER_WHY_MAX]);
/* Appends the state; failed is set without memory. */
void rollover_state_text(struct buf *out, const struct rollover *rollover);

/* 1; 0 when there is no file; -1 with why: a symbolic link and a file that others may have written
 * are refused too. */
int rollover_state_read(struct rollover *out, struct arena *arena, const char *path,
                        char why[ROLLOVER_WHY_MAX]);
/* False with why: the old file is still there. */
bool rollover_state_write(const struct rollover *rollover, const char *path,
                          char why[ROLLOVER_WHY_MAX]);
/* Locks PATH.lock until the descriptor is closed, which the death of the process does; waits at most
 * `wait_s` seconds while another process has it. -1 with why: it still has, or the file cannot be
 * made. */
int rollover_state_lock(const char *path, unsigned wait_s, char why[ROLLOVER_WHY_MAX]);
