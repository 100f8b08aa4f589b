/* domain_list: the domains that a check is for: from the command line, and from a file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net/hostname.h"

#define DOMAIN_LIST_MAX 1000

struct domain_list {
    uint16_t port; /* that a domain may be written with */
    size_t count;
    char (*names)[HOSTNAME_MAX + 1]; /* A-labels, each once; owned */
    size_t bad;                      /* lines of a file that name no domain; each was told of */
};

/* False without memory. */
bool domain_list_init(struct domain_list *list, uint16_t port);
void domain_list_fini(struct domain_list *list);
/* False after a message: it is no domain, or there are too many. One that is there already stays. */
bool domain_list_add(struct domain_list *list, const char *text);
/*
 * Takes domains from a plain file, or, for "-", from standard input: one a line; # begins a comment.
 * A line that is none is told of, and the others are taken. False after a message: it cannot be
 * read, is longer than a megabyte, or names no domain at all.
 */
bool domain_list_read(struct domain_list *list, const char *path);
