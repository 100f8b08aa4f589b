/*
 * tls_anchors: the trust anchors that certificates must lead to: where they are, when they changed,
 * and how they are loaded on another thread than the loop's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "probe/tls/tls.h"

#define TLS_ANCHORS_WHY_MAX 400

/* Where they are; the system's store when both are NULL. Borrowed strings. */
struct tls_anchors_place {
    const char *file, *path;
};

struct tls_anchors;

void tls_anchors_look(struct file_mark *out, const struct tls_anchors_place *place);
/* Reads them, on any thread. 0; -1 with why when there are none, or without memory. */
int tls_anchors_load(struct tls_anchors **out, const struct tls_anchors_place *place,
                     char why[TLS_ANCHORS_WHY_MAX]);
void tls_anchors_free(struct tls_anchors *anchors);
/* From now on the sessions of `context`, those under way too, are judged by these. */
void tls_context_use_anchors(struct tls_context *context, const struct tls_anchors *anchors);
