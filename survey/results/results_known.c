/*
 * results_known: hosts that were named lately. Most domains share their MX hosts with many others;
 * whether such a host is in the file already, and what its base domain is, need not be found out
 * each time. A table of a fixed size: a host takes the place of the one that had it before.
 */
#include "survey/results/results_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/net/base_domain.h"

#define PLACES 1024

struct place {
    int64_t id;       /* 0: free */
    bool there;       /* it is in the file */
    uint8_t operator; /* where the base domain begins */
    char name[HOSTNAME_MAX + 1];
};

struct results_known {
    struct place hosts[PLACES];
};

struct results_known *results_known_new(void)
{
    return calloc(1, sizeof(struct results_known));
}

void results_known_free(struct results_known *known)
{
    free(known);
}

static bool is_of(const struct place *place, int64_t id, const char *name)
{
    return place->id == id && strcmp(place->name, name) == 0;
}

/* Its place, which it takes if it has not got it. */
static struct place *place_of(struct results_known *known, int64_t id, const char *name)
{
    struct place *place = &known->hosts[(uint64_t)id % PLACES];

    if (is_of(place, id, name))
        return place;
    *place = (struct place){.id = id, .operator=(uint8_t)(base_domain(name) - name)};
    memcpy(place->name, name, strlen(name) + 1);
    return place;
}

bool results_is_known(const struct results_known *known, int64_t id, const char *name)
{
    const struct place *place = &known->hosts[(uint64_t)id % PLACES];

    return place->there && is_of(place, id, name);
}

void results_know(struct results_known *known, int64_t id, const char *name)
{
    place_of(known, id, name)->there = true;
}

const char *results_operator(struct results_known *known, int64_t id, const char *name)
{
    return name + place_of(known, id, name)->operator;
}

void results_known_forget(struct results_known *known)
{
    for (size_t i = 0; i < PLACES; i++)
        known->hosts[i].there = false;
}
