/*
 * policy_list: a policy list: the domains that promised TLS, as its maker wrote it
 * (mxcrypt-list(5)): the format of STARTTLS Everywhere, version 0.1. Read from text by
 * policy_list_read.c; found by domain. Pure, and never changed once it is read: any thread may use
 * it.
 *
 * Memory, also while it is read, is at most the length of the text (which is the caller's, and not
 * needed afterwards) and POLICY_LIST_OCTETS_EACH for each domain.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/evidence.h"

#define POLICY_LIST_TEXT_MAX    (100 * 1024 * 1024) /* octets */
#define POLICY_LIST_DOMAINS_MAX 1000000
#define POLICY_LIST_ALIASES_MAX 10000
#define POLICY_LIST_VALUE_MAX   65536 /* octets of one policy, or of one string, in the text */
#define POLICY_LIST_MXS_MAX     100   /* of one policy: all go into the text of a Postfix policy */
#define POLICY_LIST_AUTHOR_MAX  1000  /* octets */
#define POLICY_LIST_ALIAS_MAX   253   /* octets of an alias's name */
#define POLICY_LIST_OCTETS_EACH 100
#define POLICY_LIST_ERROR_MAX   512

struct policy_list;

struct policy_list_header {
    int64_t timestamp_s, expires_s; /* wall clock */
    const char *author;             /* UTF-8 without control characters; NULL: none is given */
    size_t domains, aliases;
};

/* One domain of a list. The strings belong to the list. */
struct policy_list_entry {
    const char *domain; /* A-label, lower case */
    const char *alias;  /* the name of its policy, printable ASCII; NULL: it has one of its own */
    enum list_mode mode;
    const char *mx; /* mx_count patterns, each with its NUL, one behind the other: "mx.example" or
                       "*.example", which covers names with exactly one label more; sorted, none
                       twice */
    size_t mx_count;
};

/* Reads `length` octets. 0 with *out for the caller to free, or -1 with a message that names line
 * and fault ("line 12: policies: example.com: mxs: 'nexthop' is no host name of two labels"). */
int policy_list_read(struct policy_list **out, const char *text, size_t length,
                     char error[POLICY_LIST_ERROR_MAX]);
void policy_list_free(struct policy_list *list);

const struct policy_list_header *policy_list_header(const struct policy_list *list);
/* False when the list does not have the domain, which is lower case. */
bool policy_list_find(struct policy_list_entry *out, const struct policy_list *list,
                      const char *domain);
/* The next entry in the order of the text, beginning with *at = 0; false after the last. */
bool policy_list_next(struct policy_list_entry *out, const struct policy_list *list, size_t *at);
/* The memory that it takes. */
size_t policy_list_octets(const struct policy_list *list);
