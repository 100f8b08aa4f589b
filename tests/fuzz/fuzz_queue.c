/* fuzz_queue: any octets as the output of postqueue -j, line by line. What is listed is printable,
 * in order, and no more than was counted. */
#include <stdlib.h>
#include <string.h>

#include "audit/queue.h"
#include "base/check.h"

static void check_printable(const char *text)
{
    for (; *text != '\0'; text++)
        CHECK(*text >= ' ' && *text <= '~');
}

static void check_waiting(const struct judged *judged)
{
    uint64_t listed = 0, counted = 0;

    CHECK(judged->waiting_count <= JUDGED_WAITING_MAX);
    for (size_t i = 0; i < judged->waiting_count; i++) {
        const struct judged_waiting *waiting = &judged->waiting[i];

        CHECK(i == 0 || judged->waiting[i - 1].since <= waiting->since);
        CHECK(waiting->recipients > 0 && waiting->cause <= TALLY_NO_CAUSE);
        CHECK(strlen(waiting->domain) > 0 && strlen(waiting->domain) <= TALLY_NAME_MAX);
        check_printable(waiting->domain);
        check_printable(waiting->queue_id);
        check_printable(waiting->reason);
        listed += waiting->recipients;
    }
    for (int cause = 0; cause <= TALLY_NO_CAUSE; cause++)
        counted += judged->waiting_by_cause[cause];
    CHECK(counted == judged->waiting_total && listed <= counted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    const char *text = (const char *)data;
    struct queue *queue = queue_new();
    struct judged judged;

    CHECK(queue != NULL && judged_init(&judged) == 0);
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t line = end == NULL ? length : (size_t)(end - text);
        size_t step = line + (end != NULL);

        queue_take_line(queue, text, line);
        text += step;
        length -= step;
    }
    CHECK(queue_give(queue, &judged) == 0);
    check_waiting(&judged);
    queue_free(queue);
    judged_fini(&judged);
    return 0;
}
