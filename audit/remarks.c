/* remarks: see remarks.h. A table of sentences, each with the number that it depends on. */
#include "audit/remarks.h"

#include <inttypes.h>

void remarks_of(const char *out[REMARKS_MAX], struct arena *arena, const struct tally *tally,
                const struct remarks_reading *reading)
{
    const struct {
        uint64_t number;
        const char *what, *then; /* before and behind the number */
    } rows[] = {
        {tally->unlogged, "Deliveries of unknown level",
         reading->tls_is_logged ? "Postfix did not log TLS when they were made; it does now."
                                : "Postfix does not log TLS there. Set smtp_tls_loglevel = 1 in "
                                  "main.cf and run postfix reload."},
        {tally->total.levels[TALLY_UNKNOWN] - tally->unlogged, "Deliveries of unknown level",
         "Their connections may be older than the log."},
        {tally->suppressed, "Lines that the log daemon dropped",
         "It limits their rate. Figures are too low, and mail may seem to have gone in clear. "
         "Raise RateLimitBurst in journald.conf, or the limit of rsyslog's input."},
        {tally->lines_unread, "Lines without any form of a mail log", "They were left out."},
        {reading->cut_lines, "Lines that were too long", "Their ends were left out."},
        {reading->unread_places, "Files that could not be read, or not to their ends",
         "Figures are too low."},
        {tally->domains_folded, "Deliveries to more domains than are told apart",
         "They are counted as others."},
        {tally->hosts_folded, "Deliveries to more mail hosts than are told apart",
         "They are counted as others."},
        {tally->troubles_folded, "Deliveries that failed in more ways than are told apart",
         "They are counted as others."},
        {tally->days_folded, "Deliveries on more days than are told apart",
         "They are counted for the day before."},
        {tally->messages_forgotten, "Messages or recipients that were forgotten",
         "Too many waited at once: their retries may be counted as new ones."},
    };
    size_t count = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && count + 2 < REMARKS_MAX; i++) {
        const char *text = rows[i].number == 0
                               ? NULL
                               : arena_printf(arena, "%s: %" PRIu64 ". %s", rows[i].what,
                                              rows[i].number, rows[i].then);

        if (text != NULL)
            out[count++] = text;
    }
    if (tally->no_memory)
        out[count++] = "Memory ran out: figures are too low.";
    out[count] = NULL;
}
