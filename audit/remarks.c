/* remarks: see remarks.h. A table of sentences, each with the number that it depends on. */
#include "audit/remarks.h"

#include <inttypes.h>

void remarks_of(const char *out[REMARKS_MAX], struct arena *arena, const struct tally *tally,
                const struct remarks_reading *reading)
{
    const struct {
        uint64_t number;
        const char *text; /* behind the number */
    } rows[] = {
        {tally->unlogged, "deliveries have an unknown level: Postfix does not log TLS there. Set "
                          "smtp_tls_loglevel = 1 in main.cf and run postfix reload."},
        {tally->total.levels[TALLY_UNKNOWN] - tally->unlogged,
         "deliveries have an unknown level: their connections may be older than the log."},
        {tally->suppressed,
         "lines were dropped by the log daemon, which limits their rate: figures "
         "are too low, and mail may seem to have gone in clear. Raise "
         "RateLimitBurst in journald.conf, or the limit of rsyslog's input."},
        {tally->lines_unread, "lines have no form of a mail log and were left out."},
        {reading->cut_lines, "lines were too long and were cut."},
        {reading->unread_places, "files could not be read, or not to their ends."},
        {tally->domains_folded,
         "deliveries went to more domains than are told apart; they are counted as others."},
        {tally->hosts_folded,
         "deliveries went to more mail hosts than are told apart; they are counted as others."},
        {tally->troubles_folded,
         "deliveries failed in more ways than are told apart; they are counted as others."},
        {tally->days_folded, "deliveries are on more days than are told apart."},
        {tally->messages_forgotten,
         "messages or recipients were forgotten, because too many waited "
         "at once: their retries may be counted as new ones."},
    };
    size_t count = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && count + 2 < REMARKS_MAX; i++) {
        const char *text = rows[i].number == 0 ? NULL
                                               : arena_printf(arena, "%" PRIu64 " %s",
                                                              rows[i].number, rows[i].text);

        if (text != NULL)
            out[count++] = text;
    }
    if (tally->no_memory)
        out[count++] = "Memory ran out: figures are too low.";
    out[count] = NULL;
}
