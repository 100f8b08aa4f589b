/* tlsrpt_command: what the commands `tlsrpt send` and `tlsrpt show` share. */
#pragma once

#include "base/buf.h"
#include "base/file.h"
#include "cli/cli.h"

/* Reads a report, packed or not; its octets as they are go to `octets`. A new reference; NULL with
 * *why, a sentence without an end, and errno; 0: what was read is no report. */
json_t *tlsrpt_load(const char *path, struct buf *octets, const char **why);
