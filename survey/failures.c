/* failures: see failures.h. */
#include "survey/failures.h"

#include <string.h>

void failures_count(struct failures *failures, const char *kind)
{
    struct failure *list = failures->list;
    size_t i = 0;

    while (i < failures->count && strcmp(list[i].kind, kind) != 0)
        i++;
    if (i == FAILURES_MAX)
        return;
    if (i == failures->count)
        list[failures->count++] = (struct failure){kind, 0};
    list[i].count++;
    for (; i > 0 && list[i - 1].count < list[i].count; i--) {
        const struct failure less = list[i - 1];

        list[i - 1] = list[i];
        list[i] = less;
    }
}
