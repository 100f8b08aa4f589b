/*
 * map: uthash with our keyed hash, and without its habit of ending the process when memory is
 * short: after HASH_ADD_KEYPTR look at the handle's table with MAP_ADDED.
 */
#pragma once

#include <stddef.h>

#include "base/hash.h"

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#define HASH_NONFATAL_OOM                    1
#include <uthash.h>

/* True when the last HASH_ADD of `element` found memory (uthash clears the handle otherwise). */
#define MAP_ADDED(element) ((element)->hh.tbl != NULL)
