/*
 * metrics_text: numbers as text in Prometheus' exposition format 0.0.4. Pure.
 *
 * Names begin with "mxcryptd_"; seconds and bytes; labels have a few fixed values, never a name
 * from outside. Every family has all its values from the start, also those that are 0.
 */
#pragma once

#include "base/buf.h"
#include "daemon/metrics/metrics_gather.h"

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_TEXT_MAX  65536

void metrics_text_write(struct buf *out, const struct metrics_numbers *numbers);
/* The names of the families without the prefix; NULL after the last. */
const char *metrics_text_family(size_t index);
