/* records_internal: what the files that make records share; see records.h. */
#pragma once

#include "check/records/records.h"

/* A set of records while it is made. */
struct making {
    struct records *out;
    struct arena *arena;
    const struct check_facts *facts;
    const struct records_wish *wish;
};

/* Why something is not recommended; the arena's, or static. Once. */
void records_note(struct making *making, const char *text);
/* Once, and not where it is published and only what is missing is wished. */
void records_add(struct making *making, const struct record *record);
/* Where records of an RRset belong: behind an alias. */
const char *records_owner(const struct check_rrset *rrset, const char *name);
/* Those of every mail host. */
void records_make_tlsa(struct making *making);
