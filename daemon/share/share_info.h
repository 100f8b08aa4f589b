/*
 * share_info: what a Valkey or Redis server says of itself in the reply to INFO, as far as a share
 * depends on it. The text is hostile until it was read. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARE_INFO_MAX (256 * 1024) /* octets of the text */
#define SHARE_WORD_MAX 32           /* octets of one of its words */

struct share_info {
    char version[SHARE_WORD_MAX + 1]; /* Valkey's or Redis's */
    bool valkey;
    char policy[SHARE_WORD_MAX + 1];  /* maxmemory-policy */
    uint64_t used_octets, max_octets; /* max_octets 0: no limit */
    uint64_t evicted;                 /* keys, since it started */
    bool appends;                     /* appendonly yes */
};

/* NULL, or why the text is none (static). */
const char *share_info_read(struct share_info *out, const char *text, size_t length);
