/* made_chain: certificates that are only digests, each with an issuer. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "check/rollover/rollover.h"

#define CHAINS 12
#define DATA   8 /* octets of each digest */

struct made_chain {
    struct rollover_chain chain;
    struct tls_associations made[2];
    uint8_t data[2][TLS_SELECTORS][TLS_MATCHING_TYPES][DATA];
};

static struct made_chain chains[CHAINS];

/* The issuer's data changes with every other certificate. */
static inline void make_chains(void)
{
    for (size_t k = 0; k < CHAINS; k++) {
        struct made_chain *made = &chains[k];

        memset(made, 0, sizeof *made);
        for (size_t i = 0; i < 2; i++)
            for (size_t s = 0; s < TLS_SELECTORS; s++)
                for (size_t m = 0; m < TLS_MATCHING_TYPES; m++) {
                    uint8_t *data = made->data[i][s][m];

                    data[0] = (uint8_t)(i == 0 ? k : 100 + k / 2);
                    data[1] = (uint8_t)s;
                    data[2] = (uint8_t)m;
                    made->made[i].of[s][m] = (struct tls_association){DATA, data};
                }
        made->chain.shown.count = 2;
        made->chain.made = made->made;
        made->chain.not_after = INT64_MAX;
        snprintf(made->chain.sha256, sizeof made->chain.sha256, "chain-%zu", k);
    }
}
