/* fuzz_sendmail_cf: any octets as a sendmail.cf, and as what Sendmail says of itself; both are judged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/mta/sendmail.h"

#define MEMORY ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    static struct sendmail_facts facts;
    static struct doctor_report report;
    char *copy = malloc(size + 1), error[CONFIG_ERROR_MAX];

    CHECK(copy != NULL && config_parse(&config, "", "", 0, NULL, 0, error) == 0);
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    facts = (struct sendmail_facts){.arena = arena_new(MEMORY), .config = &config, .cf = "/cf"};
    CHECK(facts.arena != NULL);
    sendmail_read_program(&facts, copy);
    sendmail_read_cf(&facts, copy);
    CHECK(facts.mailer_count <= SENDMAIL_MAILERS_MAX);
    sendmail_judge(&report, &facts);
    if (!arena_failed(facts.arena))
        for (size_t i = 0; i < report.finding_count; i++)
            CHECK(*report.findings[i].what != '\0' && *report.findings[i].fix != '\0');
    arena_free(facts.arena);
    config_fini(&config);
    free(copy);
    return 0;
}
