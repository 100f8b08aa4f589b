/*
 * base_domain: see base_domain.h. The only user of libpsl. The list is the one that libpsl was
 * built with: no file is read. It may be some years old, which makes a few owners share their turns
 * with others below the same new suffix.
 */
#include "base/net/base_domain.h"

#include <libpsl.h>
#include <stddef.h>

const char *base_domain(const char *name)
{
    const char *domain = psl_registrable_domain(psl_builtin(), name);

    return domain == NULL ? name : domain;
}
