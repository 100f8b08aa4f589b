/*
 * policy_list_table: what a list keeps, and how it is filled; for policy_list.c and
 * policy_list_read.c.
 *
 * All names lie in one block, and are told by their place in it. A string takes no more there than it
 * took in the text, quotation marks included, so the block has the length of the text while the list
 * is read, and is cut then. Equal policies are kept once. Arrays and indexes grow by half.
 */
#pragma once

#include "policy/list/policy_list.h"
#include "policy/list/policy_list_index.h"
#include "policy/span.h"

struct policy_list_row {
    uint32_t domain; /* in the block */
    uint32_t policy; /* its number */
};

/* A policy of a domain, or of an alias; that of an alias has no mode before it is defined. */
struct policy_list_policy {
    uint32_t mx, mx_length; /* in the block; with every NUL */
    uint32_t alias;         /* its name in the block; 0: none */
    uint16_t mx_count;
    uint8_t mode; /* enum list_mode */
};

struct policy_list {
    struct policy_list_header header;
    char *names;                         /* owned: the block; its first octet is NUL */
    struct policy_list_row *rows;        /* owned: in the order of the text */
    struct policy_list_policy *policies; /* owned */
    uint32_t names_length, row_count, policy_count;
    struct policy_list_index by_domain; /* of rows */
};

struct policy_list_alias {
    uint32_t policy;
    uint32_t used_at; /* the octet of the text where it was first named */
};

/* A list while it is read. */
struct policy_list_table {
    struct policy_list *list;          /* owned */
    struct policy_list_alias *aliases; /* owned */
    uint32_t names_room, row_room, policy_room, alias_room, alias_count;
    uint32_t author;                    /* in the block; 0: none */
    struct policy_list_index by_policy; /* of policies that are no alias's */
    struct policy_list_index by_alias;  /* of aliases */
};

/* A policy that was read: patterns as in struct policy_list_entry. */
struct policy_list_draft {
    enum list_mode mode;
    size_t mx_count;
    const char *mx[POLICY_LIST_MXS_MAX];
};

/* Numbers below are of rows, policies and aliases; NONE is what only want of memory gives. */
#define POLICY_LIST_NUMBER_NONE UINT32_MAX

/* False without memory. */
bool policy_list_table_init(struct policy_list_table *table, size_t text_length);
void policy_list_table_fini(struct policy_list_table *table);

void policy_list_table_author(struct policy_list_table *table, struct span author);
/* The row of a domain, in lower case; *is_new tells whether it was there already. The policy of a new
 * one is to be set. */
uint32_t policy_list_table_domain(struct policy_list_table *table, struct span domain,
                                  bool *is_new);
/* The alias of a name, made at its first use. */
uint32_t policy_list_table_alias(struct policy_list_table *table, struct span name, size_t used_at);
/* The policy, kept once; only after the domain that it is for. */
uint32_t policy_list_table_policy(struct policy_list_table *table,
                                  const struct policy_list_draft *draft);
bool policy_list_table_is_defined(const struct policy_list_table *table, uint32_t alias);
/* Gives an alias its policy, once. */
void policy_list_table_define(struct policy_list_table *table, uint32_t alias,
                              const struct policy_list_draft *draft);
/* Takes the list out, cut to what it needs. */
struct policy_list *policy_list_table_take(struct policy_list_table *table);

void policy_list_entry_of(struct policy_list_entry *out, const struct policy_list *list,
                          uint32_t row);
/* The row of a domain; POLICY_LIST_NUMBER_NONE when it is not there. */
uint32_t policy_list_row_of(const struct policy_list *list, struct span domain);
