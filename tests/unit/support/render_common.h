/* render_common: what Postfix can take, and what the tests of the answers to it share. */
#pragma once

#include "tests/unit/support/rows.h"

#include "policy/render/render.h"
#include "tests/unit/support/evidence_make.h"

static const struct render_capabilities plain = {.text_max = RENDER_SOCKETMAP_MAX - 3};
static const struct render_capabilities tlsrpt = {.tlsrpt = true,
                                                  .text_max = RENDER_SOCKETMAP_MAX - 3};

#define NO_MX_NAME "no-mx-matches-the-mta-sts-policy.invalid"
#define NO_MX      "secure match=" NO_MX_NAME " servername=hostname"

#define PATTERNS 4

static inline size_t count_of(const char *const *list, size_t most)
{
    size_t count = 0;

    while (count < most && list[count] != NULL)
        count++;
    return count;
}

/* What Postfix logs: short, and in printable ASCII. */
static inline void assert_reason_fit(const struct buf *out)
{
    assert_true(out->length > 0 && out->length <= RENDER_REASON_MAX);
    for (size_t i = 0; i < out->length; i++)
        assert_true(out->data[i] >= ' ' && out->data[i] <= '~');
}
