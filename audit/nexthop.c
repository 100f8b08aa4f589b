/* nexthop: the domain of a recipient as a next-hop; see line.h. */
#include <string.h>

#include "audit/line.h"
#include "policy/key.h"

size_t line_nexthop(char out[TALLY_NAME_MAX + 1], struct span domain)
{
    struct key key;

    if (domain.length == 0 || domain.length > TALLY_NAME_MAX)
        return 0;
    for (size_t i = 0; i < domain.length; i++) {
        if (domain.text[i] > '~' || domain.text[i] < '!') {
            /* U-labels, or nonsense */
            key_parse(&key, domain.text, domain.length, 25);
            if (key.kind != KEY_DOMAIN)
                return 0;
            memcpy(out, key.name, strlen(key.name) + 1);
            return strlen(out);
        }
        out[i] = domain.text[i];
    }
    out[domain.length] = '\0';
    hostname_fold(out, domain.length);
    return domain.length;
}
