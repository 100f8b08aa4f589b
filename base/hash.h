/*
 * hash: SipHash-1-3, under a key drawn at start for maps whose keys strangers choose, and under a
 * fixed key for what is saved on disk.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Draws the process's key from the kernel. 0, or -1 with errno. Call once before any map is used;
 * without it the key is zero, as in unit tests. */
int hash_init(void);
uint64_t hash_bytes(const void *data, size_t length);
/* Under a key of the caller's. */
uint64_t hash_keyed(const uint64_t key[2], const void *data, size_t length);
/* The same in every process and on every machine: a check against accidents, not against malice. */
uint64_t hash_stable(const void *data, size_t length);
