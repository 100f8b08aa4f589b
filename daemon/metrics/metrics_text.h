/*
 * metrics_text: numbers as text in Prometheus' exposition format 0.0.4. Pure; fails as a struct buf
 * does.
 *
 * Names begin with "mxcryptd_"; units are seconds and bytes. Labels take a few fixed values, never
 * a name from outside. Every series is there from the start, also while it is 0.
 */
#pragma once

#include "base/buf.h"
#include "daemon/metrics/metrics_gather.h"

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_TEXT_MAX  65536

void metrics_text_write(struct buf *out, const struct metrics_numbers *numbers);
