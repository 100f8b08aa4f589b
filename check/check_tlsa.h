/* check_tlsa: what is to be said of a TLSA record as it stands, whatever it matches. */
#pragma once

#include "policy/evidence.h"

/* RFC 7672 §3.1: what senders make of a record, and what is recommended. */
enum check_tlsa {
    CHECK_TLSA_GOOD,    /* 3 1 1, 2 1 1 or 2 0 1 */
    CHECK_TLSA_PKIX,    /* usage 0 or 1: no sender uses it */
    CHECK_TLSA_USELESS, /* no sender can use it */
    CHECK_TLSA_UNUSUAL, /* usable, and none of the recommended forms */
    CHECK_TLSA_RETIRED  /* 2 1 1 of an issuer that issues no more */
};

enum check_tlsa check_tlsa_of(const struct tlsa *record);
/* The name of the retired issuer of a 2 1 1 record; NULL: it is none. */
const char *check_tlsa_issuer(const struct tlsa *record);
