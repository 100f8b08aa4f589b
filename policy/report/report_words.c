/*
 * report_words: says the rows of a table; see report_words.h. Lists are cut, never the sentence
 * around them.
 *
 * DIAGNOSTICS
 *   An unknown word in braces is our own bug: CHECK.
 */
#include "policy/report/report_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "policy/decide/decide.h"
#include "policy/report/report.h"
#include "policy/sts_match.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
/* Longest "what was seen" of one item of a list. */
#define SEEN_MAX 160
#define ITEM_MAX (HOSTNAME_MAX + IP_TEXT_MAX + SEEN_MAX + 8)

/* A list in one sentence: "mx1, mx2 and 3 more". */
struct named {
    size_t count, shown, used;
    char text[WORDS_LIST_MAX];
};

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

/* ---- hosts and addresses ---- */

/* True when the verdict makes Postfix insist on TLS at this host. */
static bool held_to_tls(const struct words *words, const struct mx_host *host, bool uncovered)
{
    switch (words->verdict->level) {
    case VERDICT_DANE_ONLY:
        return host->dane == HOST_DANE_USABLE;
    case VERDICT_DANE:
        return host->dane == HOST_DANE_USABLE || host->dane == HOST_DANE_UNUSABLE;
    case VERDICT_SECURE:
        return !uncovered;
    default:
        return words->verdict->level == VERDICT_ENCRYPT || words->verdict->level == VERDICT_VERIFY;
    }
}

static unsigned traits_of_host(const struct words *words, const struct mx_host *host)
{
    const struct evidence *evidence = words->evidence;
    const struct sts_policy *policy = evidence->sts.policy;
    bool by_list = words->verdict->reason == REASON_LIST && evidence->list.mode != LIST_NONE;
    bool covered = by_list ? sts_match_listed(&evidence->list, host->name)
                           : policy == NULL || sts_match_policy(policy, host->name);
    bool complete = evidence->complete, live = facts_host_live(host);
    bool none = host->dane == HOST_DANE_NONE, unknown = host->dane == HOST_DANE_UNKNOWN;
    bool usable = host->dane == HOST_DANE_USABLE;
    bool error = host->dane == HOST_DANE_ERROR || (unknown && complete);
    bool uncovered = live && !covered;

    return (usable ? IS_USABLE : 0) | (host->dane == HOST_DANE_UNUSABLE ? IS_UNUSABLE : 0) |
           (none ? (host->address_secure ? IS_WITHOUT : IS_UNSIGNED) : 0) | (error ? IS_ERROR : 0) |
           (host->dane == HOST_DANE_LOST ? IS_LOST : 0) | (live ? IS_LIVE : IS_GONE) |
           (unknown && !complete ? IS_OPEN : 0) | (host->tlsa_short && live ? IS_SHORT : 0) |
           (host->tlsa_truncated && live ? IS_TRUNCATED : 0) | (uncovered ? IS_UNCOVERED : 0) |
           (live && !usable && !error ? IS_LACKING_TLSA : 0) |
           (held_to_tls(words, host, uncovered) ? IS_HELD_TO_TLS : 0);
}

static unsigned traits_of_address(const struct starttls_result *result)
{
    static const unsigned traits[] = {
        [STARTTLS_UNKNOWN] = IS_UNASKED,
        [STARTTLS_SKIPPED] = IS_SKIPPED,
        [STARTTLS_SILENT] = IS_SILENT,
        [STARTTLS_ERROR] = IS_SILENT,
        [STARTTLS_CLEAR] = HAS_NO_TLS | HAS_BAD_TLS,
        [STARTTLS_TEMPFAIL] = HAS_NO_TLS | HAS_BAD_TLS,
        [STARTTLS_REFUSED] = HAS_NO_TLS | IS_REFUSED,
        [STARTTLS_BROKEN] = HAS_NO_TLS | HAS_BAD_TLS,
        [STARTTLS_TLS] = HAS_TLS | IS_UNVERIFIED,
        [STARTTLS_VERIFIED] = HAS_TLS,
    };

    return traits[result->state] | (result->distrusted ? IS_DISTRUSTED : 0) |
           (result->tlsa == TLSA_MATCH_OK ? MATCHES_TLSA : 0) |
           (result->tlsa == TLSA_MATCH_MISMATCH ? MISMATCHES_TLSA : 0);
}

/* What was seen at an address, when the probe has no words of its own. */
static const char *seen_text(const struct starttls_result *result)
{
#define SEEN(state, word, text) [state] = text,
    static const char *const texts[] = {STARTTLS_STATES(SEEN)};
#undef SEEN

    return result->detail != NULL && *result->detail != '\0' ? result->detail
                                                             : texts[result->state];
}

/* ---- lists ---- */

/* Appends one item; what is beyond WORDS_NAMED_MAX, or does not fit, is only counted. */
static void list_add(struct named *list, const char *separator, const char *item)
{
    size_t length = strlen(separator) + strlen(item);

    list->count++;
    if (list->shown == WORDS_NAMED_MAX || list->used + length >= sizeof list->text - 32)
        return;
    list->shown++;
    list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used, "%s%s",
                                   list->used == 0 ? "" : separator, item);
}

static const char *list_end(struct named *list)
{
    if (list->count > list->shown)
        snprintf(list->text + list->used, sizeof list->text - list->used, " and %zu more",
                 list->count - list->shown);
    return list->text;
}

static void list_addresses(struct named *list, const struct mx_host *host, unsigned of_host,
                           unsigned traits, bool seen)
{
    for (size_t i = 0; of_host & IS_LIVE && i < host->address_count; i++) {
        const struct mx_address *address = &host->addresses[i];
        char item[ITEM_MAX], ip[IP_TEXT_MAX];

        if (((of_host | traits_of_address(&address->starttls)) & traits) != traits)
            continue;
        snprintf(item, sizeof item, "%s [%s]%s%.*s", host->name, ip_text(&address->ip, ip),
                 seen ? ": " : "", SEEN_MAX, seen ? seen_text(&address->starttls) : "");
        list_add(list, seen ? "; " : ", ", item);
    }
}

/* The list of a row. */
static void list_of(const struct words *words, const struct sentence *row, struct named *out)
{
    unsigned hosts = row->hosts | row->why, addresses = row->places | row->seen;

    *out = (struct named){0};
    for (size_t i = 0; i < words->evidence->host_count; i++) {
        const struct mx_host *host = &words->evidence->hosts[i];
        unsigned traits = traits_of_host(words, host);
        bool why = row->why != 0 && host->why != NULL;
        char item[ITEM_MAX];

        snprintf(item, sizeof item, "%s%s%.*s%s", host->name, why ? " (" : "", SEEN_MAX,
                 why ? host->why : "", why ? ")" : "");
        if (hosts != 0 && (traits & hosts) == hosts)
            list_add(out, row->why != 0 ? "; " : ", ", item);
        if (addresses != 0)
            list_addresses(out, host, traits, addresses, row->seen != 0);
    }
    list_end(out);
}

/* How many hosts, or addresses, have a trait. */
static size_t count(const struct words *words, unsigned trait)
{
    const struct sentence row = {.hosts = trait < HAS_TLS ? trait : 0,
                                 .places = trait < HAS_TLS ? 0 : trait};
    struct named list;

    list_of(words, &row, &list);
    return list.count;
}

/* The patterns of the policy, or those that Postfix cannot be given. */
static const char *list_patterns(const struct sts_policy *policy, bool unfit, struct named *out)
{
    *out = (struct named){0};
    for (size_t i = 0; policy != NULL && i < policy->mx_count; i++)
        if (!unfit || !sts_match_fits_postfix(policy->mx[i]))
            list_add(out, ", ", policy->mx[i]);
    return list_end(out);
}

static const char *list_listed(const struct list_evidence *list, struct named *out)
{
    const char *pattern = list->mx;

    *out = (struct named){0};
    for (size_t i = 0; i < list->mx_count; i++, pattern += strlen(pattern) + 1)
        list_add(out, ", ", pattern);
    return list_end(out);
}

/* ---- values ---- */

union room {
    char text[WORDS_RULE_MAX];
    struct named list;
};

static const char *print(union room *room, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const char *print(union room *room, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(room->text, sizeof room->text, format, args);
    va_end(args);
    return room->text;
}

/* Milliseconds as "3 days", "12 hours", "34 minutes", "20 seconds"; rounded down. */
static const char *duration(union room *room, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "day"}, {3600000, "hour"}, {60000, "minute"}, {1000, "second"}};
    size_t i = 0;
    long long n;

    if (ms < 1000)
        return "less than a second";
    while (ms < units[i].ms)
        i++;
    n = (long long)(ms / units[i].ms);
    return print(room, "%lld %s%s", n, units[i].name, n == 1 ? "" : "s");
}

const char *words_domain(const struct words *words)
{
    if (words->evidence->domain != NULL)
        return words->evidence->domain;
    return words->key->name[0] != '\0' ? words->key->name : "the destination";
}

static const char *because(union room *room, const char *why)
{
    return why == NULL || *why == '\0' ? "" : print(room, " (%s)", why);
}

/* The observed level that is kept, though mail may have to wait. */
static enum verdict_level kept_level(const struct verdict *verdict)
{
    if (verdict->reason == REASON_HELD)
        return report_held_level(verdict);
    return verdict->level == VERDICT_TEMP ? verdict->remembered.observed : verdict->level;
}

/* The downgrade that runs against what is kept. */
static const struct downgrade *downgrade_of(const struct verdict *verdict)
{
    if (verdict->reason == REASON_HELD)
        return &verdict->held;
    return kept_level(verdict) >= VERDICT_VERIFY ? &verdict->remembered.verify
                                                 : &verdict->remembered.encrypt;
}

/* Where the TLSA records of the first host should be whose lookup failed. */
static const char *tlsa_owner(const struct words *words, union room *room)
{
    for (size_t i = 0; i < words->evidence->host_count; i++) {
        const struct mx_host *host = &words->evidence->hosts[i];

        if (traits_of_host(words, host) & IS_ERROR)
            return print(room, "_%u._tcp.%s", words->evidence->port, host->name);
    }
    return "";
}

static const char *effect(const struct words *words)
{
    static const char *const texts[] = {
        [VERDICT_NO_OPINION] = "mxcrypt has no opinion: Postfix uses the level of its main.cf.",
        [VERDICT_ENCRYPT] = "Postfix delivers over TLS or not at all, and checks no certificate.",
        [VERDICT_DANE] = "Postfix looks up TLSA itself: it holds each host to its records, and "
                         "uses whatever TLS there is where there are none.",
        [VERDICT_VERIFY] =
            "Postfix delivers only over TLS with a certificate that is valid for the mail host.",
        [VERDICT_SECURE] = "Postfix delivers only over TLS with a certificate that is valid for a "
                           "host of the policy.",
        [VERDICT_DANE_ONLY] =
            "Postfix delivers only over TLS with a certificate that matches a TLSA record.",
        [VERDICT_TEMP] = "Postfix keeps the mail in its queue and asks again.",
    };

    return texts[words->unsent != NULL ? VERDICT_TEMP : words->final->level];
}

/* X(word in braces, expression); {list} is the row's own. */
#define VALUES(X)                                                                                  \
    X("domain", words_domain(words))                                                               \
    X("key", words->key->text)                                                                     \
    X("name", words->key->name)                                                                    \
    X("port", print(room, "%u", words->evidence->port))                                            \
    X("tlsa-owner", tlsa_owner(words, room))                                                       \
    X("mx-why", words->evidence->mx_why == NULL ? "no answer" : words->evidence->mx_why)           \
    X("sts-why", sts->why)                                                                         \
    X("because", because(room, sts->why))                                                          \
    X("policy-left", duration(room, sts->valid_until - words->now))                                \
    X("retry-in", duration(room, sts->retry_at - words->now))                                      \
    X("patterns", list_patterns(sts->policy, false, &room->list))                                  \
    X("unfit", list_patterns(sts->policy, true, &room->list))                                      \
    X("listed", list_listed(list, &room->list))                                                    \
    X("list-name", list->list)                                                                     \
    X("by-list", verdict_level_name(by_list.level))                                                \
    X("dane-left", duration(room, verdict->remembered.dane_only_until - words->now))               \
    X("less-for", duration(room, words->now - downgrade_of(verdict)->since))                       \
    X("kept-for", duration(room, downgrade_of(verdict)->until - words->now))                       \
    X("observed",                                                                                  \
      kept_level(verdict) >= VERDICT_VERIFY                                                        \
          ? "every mail host that answered did STARTTLS with a certificate valid for it"           \
          : "every mail host that answered did STARTTLS")                                          \
    X("shown-reason", verdict_reason_code(verdict->shown_reason))                                  \
    X("shown-level", verdict_level_name(verdict->shown_level))                                     \
    X("found", verdict_level_name(verdict->level))                                                 \
    X("final", final_level_name(words->final))                                                     \
    X("rule", report_rule_text(room->text, words->override->rule))                                 \
    X("unsent", words->unsent)                                                                     \
    X("effect", effect(words))

static const char *value_of(const struct words *words, struct span name, union room *room)
{
    const struct verdict *verdict = words->verdict;
    const struct sts_evidence *sts = &words->evidence->sts;
    const struct list_evidence *list = &words->evidence->list;
    struct verdict by_list = *verdict;

    verdict_by_list(&by_list, words->evidence);
#define X(word, expression)                                                                        \
    if (span_is(name, word))                                                                       \
        return (expression);
    VALUES(X)
#undef X
    CHECK(false);
    return NULL;
}

/* ---- rows ---- */

static bool holds(const struct words *words, enum words_condition condition)
{
    const struct evidence *evidence = words->evidence;
    const struct sts_evidence *sts = &evidence->sts;
    const struct list_evidence *list = &evidence->list;
    const struct verdict *verdict = words->verdict;
    const struct remembered *memory = &verdict->remembered;
    const struct downgrade *downgrade = downgrade_of(verdict);
    bool in_force = facts_policy_in_force(sts, words->now);
    struct verdict by_list = *verdict;

    verdict_by_list(&by_list, evidence);
    switch (condition) {
#define X(word, expression)                                                                        \
    case CONDITION_##word:                                                                         \
        return (expression);
        WORDS_CONDITIONS(X)
#undef X
    }
    CHECK(false);
    return false;
}

static bool all_hold(const struct words *words, const struct sentence *row)
{
    uint64_t when = row->when & ~OTHERWISE, asked = when | row->unless;

    for (unsigned i = 0; asked >> i != 0; i++) {
        bool wanted = when >> i & 1;

        if (asked >> i & 1 && holds(words, (enum words_condition)i) != wanted)
            return false;
    }
    return true;
}

/* The text with its values, as one sentence. */
static void say_text(struct words *words, const char *text, const char *list)
{
    char out[WORDS_SENTENCE_MAX];
    size_t used = 0;
    union room room;

    while (*text != '\0' && used < sizeof out) {
        size_t plain = strcspn(text, "{");
        struct span name = {text + plain + 1, strcspn(text + plain, "}") - 1};

        used += (size_t)snprintf(out + used, sizeof out - used, "%.*s", (int)plain, text);
        text += plain;
        if (*text == '\0' || used >= sizeof out)
            break;
        used += (size_t)snprintf(out + used, sizeof out - used, "%s",
                                 span_is(name, "list") ? list : value_of(words, name, &room));
        text = name.text + name.length + 1;
    }
    words_add(words, "%s", out);
}

static void say_shown(struct words *words);

static bool say_row(struct words *words, const struct sentence *row)
{
    struct named list = {0};

    if (!all_hold(words, row))
        return false;
    if ((row->hosts | row->why | row->places | row->seen) != 0) {
        list_of(words, row, &list);
        if (list.count == 0)
            return false;
    }
    if (row->use != NULL)
        words_say(words, row->use);
    if (row->call != NULL)
        row->call(words);
    if (row->shown)
        say_shown(words);
    if (row->text != NULL)
        say_text(words, row->text, list.text);
    return true;
}

/* Rows behind the last one say nothing, nor do those that begin a part. */
static bool says(const struct sentence *row)
{
    return row->text != NULL || row->use != NULL || row->call != NULL || row->shown;
}

void words_say(struct words *words, const struct sentence *table)
{
    bool said = false;

    for (const struct sentence *row = table; says(row); row++)
        if (!(row->when & OTHERWISE) || !said)
            said = say_row(words, row);
}

bool words_say_part(struct words *words, const struct sentence *table, unsigned of)
{
    const struct sentence *row = table;

    for (; row->of != of; row++)
        if (row->of == 0 && !says(row))
            return false;
    while (row->of != 0)
        row++;
    words_say(words, row);
    return true;
}

bool words_say_reason(struct words *words, const struct sentence *table, enum verdict_reason reason)
{
    words->reasons = table;
    return words_say_part(words, table, 1 + (unsigned)reason);
}

static void say_shown(struct words *words)
{
    struct verdict shown = *words->verdict;
    struct words as = *words;

    shown.level = shown.shown_level;
    shown.reason = shown.shown_reason;
    as.verdict = &shown;
    if (!verdict_is_remembered(&shown))
        words_say_reason(&as, words->reasons, shown.reason);
    words->failed |= as.failed;
}
