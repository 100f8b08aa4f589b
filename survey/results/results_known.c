/*
 * results_known: hosts that are in the file and were named lately. Most domains share their MX hosts
 * with many others; whether such a host is there already need not be asked each time. A table of a
 * fixed size: a host takes the place of the one that had it before.
 */
#include "survey/results/results_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 1024

struct results_known {
    struct {
        int64_t id; /* 0: free */
        char name[HOSTNAME_MAX + 1];
    } hosts[PLACES];
};

struct results_known *results_known_new(void)
{
    return calloc(1, sizeof(struct results_known));
}

void results_known_free(struct results_known *known)
{
    free(known);
}

bool results_is_known(const struct results_known *known, int64_t id, const char *name)
{
    const size_t place = (uint64_t)id % PLACES;

    return known->hosts[place].id == id && strcmp(known->hosts[place].name, name) == 0;
}

void results_know(struct results_known *known, int64_t id, const char *name)
{
    const size_t place = (uint64_t)id % PLACES;

    known->hosts[place].id = id;
    snprintf(known->hosts[place].name, sizeof known->hosts[place].name, "%s", name);
}

void results_known_forget(struct results_known *known)
{
    for (size_t i = 0; i < PLACES; i++)
        known->hosts[i].id = 0;
}
