/* report_words: see report_words.h. Lists are cut, never the sentence around them. */
#include "policy/report/report_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "policy/decide/facts.h"
#include "policy/report/report.h"
#include "policy/sts_match.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/* Longest "what was seen" of one item of a list. */
#define SEEN_MAX 160

void words_add(struct words *words, const char *format, ...)
{
    char text[WORDS_SENTENCE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *p = text; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    if (json_array_append_new(words->sentences, json_string(text)) != 0)
        words->failed = true;
}

/* ---- lists ---- */

/* Appends one item; what is beyond WORDS_NAMED_MAX, or does not fit, is only counted. */
static void list_add(struct words_list *list, size_t *used, const char *separator, const char *item)
{
    size_t length = strlen(separator) + strlen(item);

    list->count++;
    if (list->count > WORDS_NAMED_MAX || *used + length >= sizeof list->text - 32)
        return;
    *used += (size_t)snprintf(list->text + *used, sizeof list->text - *used, "%s%s",
                              *used == 0 ? "" : separator, item);
}

static size_t list_end(struct words_list *list, size_t used)
{
    if (list->count > WORDS_NAMED_MAX)
        snprintf(list->text + used, sizeof list->text - used, " and %zu more",
                 list->count - WORDS_NAMED_MAX);
    return list->count;
}

size_t words_hosts(const struct words *words, struct words_list *out, words_host_test test)
{
    size_t used = 0;

    *out = (struct words_list){0};
    for (size_t i = 0; i < words->evidence->host_count; i++)
        if (test(words, &words->evidence->hosts[i]))
            list_add(out, &used, ", ", words->evidence->hosts[i].name);
    return list_end(out, used);
}

size_t words_hosts_why(const struct words *words, struct words_list *out, words_host_test test)
{
    size_t used = 0;

    *out = (struct words_list){0};
    for (size_t i = 0; i < words->evidence->host_count; i++) {
        const struct mx_host *host = &words->evidence->hosts[i];
        char item[HOSTNAME_MAX + SEEN_MAX + 8];

        if (!test(words, host))
            continue;
        if (host->why == NULL)
            snprintf(item, sizeof item, "%s", host->name);
        else
            snprintf(item, sizeof item, "%s (%.*s)", host->name, SEEN_MAX, host->why);
        list_add(out, &used, "; ", item);
    }
    return list_end(out, used);
}

/* What was seen at an address, when the probe has no words of its own. */
static const char *seen_text(const struct starttls_result *result)
{
    static const char *const texts[] = {
        [STARTTLS_UNKNOWN] = "not asked yet",
        [STARTTLS_SKIPPED] = "never connected to",
        [STARTTLS_SILENT] = "did not answer",
        [STARTTLS_ERROR] = "no usable answer",
        [STARTTLS_CLEAR] = "STARTTLS is not offered",
        [STARTTLS_TEMPFAIL] = "STARTTLS is refused for now (4xx)",
        [STARTTLS_REFUSED] = "STARTTLS is refused (5xx)",
        [STARTTLS_BROKEN] = "TLS does not work",
        [STARTTLS_TLS] = "TLS without a valid certificate",
        [STARTTLS_VERIFIED] = "TLS, certificate valid",
    };

    return result->detail != NULL && *result->detail != '\0' ? result->detail
                                                             : texts[result->state];
}

static void address_item(char *item, size_t size, const struct mx_host *host,
                         const struct mx_address *address, bool seen)
{
    char ip[IP_TEXT_MAX];

    snprintf(item, size, "%s [%s]%s%.*s", host->name, ip_text(&address->ip, ip), seen ? ": " : "",
             SEEN_MAX, seen ? seen_text(&address->starttls) : "");
}

static size_t list_addresses(const struct words *words, struct words_list *out,
                             words_address_test test, bool seen)
{
    size_t used = 0;

    *out = (struct words_list){0};
    for (size_t i = 0; i < words->evidence->host_count; i++) {
        const struct mx_host *host = &words->evidence->hosts[i];

        for (size_t j = 0; facts_host_live(host) && j < host->address_count; j++) {
            char item[HOSTNAME_MAX + IP_TEXT_MAX + SEEN_MAX + 8];

            if (!test(host, &host->addresses[j]))
                continue;
            address_item(item, sizeof item, host, &host->addresses[j], seen);
            list_add(out, &used, seen ? "; " : ", ", item);
        }
    }
    return list_end(out, used);
}

size_t words_addresses(const struct words *words, struct words_list *out, words_address_test test)
{
    return list_addresses(words, out, test, true);
}

size_t words_unfit_patterns(const struct words *words, struct words_list *out)
{
    const struct sts_policy *policy = words->evidence->sts.policy;
    size_t used = 0;

    *out = (struct words_list){0};
    for (size_t i = 0; policy != NULL && i < policy->mx_count; i++)
        if (!sts_match_fits_postfix(policy->mx[i]))
            list_add(out, &used, ", ", policy->mx[i]);
    return list_end(out, used);
}

size_t words_patterns(const struct words *words, struct words_list *out)
{
    const struct sts_policy *policy = words->evidence->sts.policy;
    size_t used = 0;

    *out = (struct words_list){0};
    for (size_t i = 0; policy != NULL && i < policy->mx_count; i++)
        list_add(out, &used, ", ", policy->mx[i]);
    return list_end(out, used);
}

bool words_say_hosts(struct words *words, words_host_test test, const char *before,
                     const char *after)
{
    struct words_list list;

    if (words_hosts(words, &list, test) == 0)
        return false;
    words_add(words, "%s%s%s", before, list.text, after);
    return true;
}

bool words_say_hosts_why(struct words *words, words_host_test test, const char *before,
                         const char *after)
{
    struct words_list list;

    if (words_hosts_why(words, &list, test) == 0)
        return false;
    words_add(words, "%s%s%s", before, list.text, after);
    return true;
}

bool words_say_addresses(struct words *words, words_address_test test, const char *before,
                         const char *after)
{
    struct words_list list;

    if (words_addresses(words, &list, test) == 0)
        return false;
    words_add(words, "%s%s%s", before, list.text, after);
    return true;
}

bool words_say_places(struct words *words, words_address_test test, const char *before,
                      const char *after)
{
    struct words_list list;

    if (list_addresses(words, &list, test, false) == 0)
        return false;
    words_add(words, "%s%s%s", before, list.text, after);
    return true;
}

/* ---- tests of hosts ---- */

bool words_is_usable(const struct words *words, const struct mx_host *host)
{
    (void)words;
    return host->dane == HOST_DANE_USABLE;
}

bool words_is_unusable(const struct words *words, const struct mx_host *host)
{
    (void)words;
    return host->dane == HOST_DANE_UNUSABLE;
}

bool words_is_error(const struct words *words, const struct mx_host *host)
{
    return host->dane == HOST_DANE_ERROR ||
           (host->dane == HOST_DANE_UNKNOWN && words->evidence->complete);
}

bool words_is_gone(const struct words *words, const struct mx_host *host)
{
    (void)words;
    return !facts_host_live(host);
}

bool words_is_lost(const struct words *words, const struct mx_host *host)
{
    (void)words;
    return host->dane == HOST_DANE_LOST;
}

bool words_is_unsigned(const struct words *words, const struct mx_host *host)
{
    (void)words;
    return host->dane == HOST_DANE_NONE && !host->address_secure;
}

bool words_is_without(const struct words *words, const struct mx_host *host)
{
    (void)words;
    return host->dane == HOST_DANE_NONE && host->address_secure;
}

bool words_is_short(const struct words *words, const struct mx_host *host)
{
    (void)words;
    return host->tlsa_short && facts_host_live(host);
}

bool words_is_live(const struct words *words, const struct mx_host *host)
{
    (void)words;
    return facts_host_live(host);
}

bool words_is_uncovered(const struct words *words, const struct mx_host *host)
{
    const struct sts_policy *policy = words->evidence->sts.policy;

    return policy != NULL && facts_host_live(host) && !sts_match_policy(policy, host->name);
}

bool words_is_unknown(const struct words *words, const struct mx_host *host)
{
    return host->dane == HOST_DANE_UNKNOWN && !words->evidence->complete;
}

/* ---- tests of addresses ---- */

bool words_has_tls(const struct mx_host *host, const struct mx_address *address)
{
    (void)host;
    return address->starttls.state == STARTTLS_TLS || address->starttls.state == STARTTLS_VERIFIED;
}

bool words_has_no_tls(const struct mx_host *host, const struct mx_address *address)
{
    (void)host;
    return address->starttls.state >= STARTTLS_CLEAR && address->starttls.state <= STARTTLS_BROKEN;
}

bool words_is_unverified(const struct mx_host *host, const struct mx_address *address)
{
    (void)host;
    return address->starttls.state == STARTTLS_TLS;
}

bool words_is_refused(const struct mx_host *host, const struct mx_address *address)
{
    (void)host;
    return address->starttls.state == STARTTLS_REFUSED;
}

bool words_is_distrusted(const struct mx_host *host, const struct mx_address *address)
{
    (void)host;
    return address->starttls.distrusted;
}

bool words_is_silent(const struct mx_host *host, const struct mx_address *address)
{
    (void)host;
    return address->starttls.state == STARTTLS_SILENT || address->starttls.state == STARTTLS_ERROR;
}

bool words_is_skipped(const struct mx_host *host, const struct mx_address *address)
{
    (void)host;
    return address->starttls.state == STARTTLS_SKIPPED;
}

bool words_is_unasked(const struct mx_host *host, const struct mx_address *address)
{
    (void)host;
    return address->starttls.state == STARTTLS_UNKNOWN;
}

bool words_mismatches_tlsa(const struct mx_host *host, const struct mx_address *address)
{
    (void)host;
    return address->starttls.tlsa == TLSA_MATCH_MISMATCH;
}

/* ---- the rest ---- */

const char *words_time(struct words_span *room, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *one, *many;
    } units[] = {
        {INT64_C(86400000), "day", "days"},
        {INT64_C(3600000), "hour", "hours"},
        {INT64_C(60000), "minute", "minutes"},
        {INT64_C(1000), "second", "seconds"},
    };
    size_t i = 0;
    long long n;

    if (ms < 1000)
        return "less than a second";
    while (i + 1 < COUNT(units) && ms < units[i].ms)
        i++;
    n = (long long)(ms / units[i].ms);
    snprintf(room->text, sizeof room->text, "%lld %s", n, n == 1 ? units[i].one : units[i].many);
    return room->text;
}

bool words_policy_in_force(const struct words *words)
{
    return words->evidence != NULL && facts_policy_in_force(&words->evidence->sts, words->now);
}

const char *words_domain(const struct words *words)
{
    if (words->evidence != NULL && words->evidence->domain != NULL)
        return words->evidence->domain;
    return words->key->name[0] != '\0' ? words->key->name : "the destination";
}
