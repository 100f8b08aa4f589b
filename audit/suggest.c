/*
 * suggest: see suggest.h. The names come from a log, and so from strangers: only what key_parse
 * knows as a domain in its canonical spelling becomes a rule, and nothing else of the log is
 * written.
 */
#include "audit/suggest.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/key.h"

#define DAY_S         86400
#define DAY_MAX       16   /* octets of "2026-11-20" */
#define RULE_LINE_MAX 1024 /* of a rule with its comment: a name, and some figures */

static const char *const outcome_texts[] = {
#define X(word, text) text,
    SUGGEST_OUTCOMES(X)
#undef X
};

const char *suggest_outcome_text(enum suggest_outcome outcome)
{
    return outcome_texts[outcome];
}

/* ---- one domain ---- */

/* A domain without a port, spelt as Postfix's keys are in the cache. */
static bool read_domain(struct key *key, const char *name, uint16_t smtp_port)
{
    if (name == NULL)
        return false;
    key_parse(key, name, strlen(name), smtp_port);
    return key->kind == KEY_DOMAIN && key->port == smtp_port && strcmp(key->text, name) == 0;
}

/* From the first to the last day with mail, both of them counted. */
static uint32_t days_with_mail(const struct tally_domain *domain)
{
    return domain->sent_last < domain->sent_first || domain->sent_first == 0
               ? 0
               : (domain->sent_last - domain->sent_first) / DAY_S + 1;
}

/* What the mail of the period has against a rule. */
static enum suggest_outcome outcome_of_mail(const struct tally_domain *domain,
                                            const struct suggest_options *options)
{
    if (domain->messages_sent < options->min_messages)
        return SUGGEST_FEW_MESSAGES;
    if (days_with_mail(domain) < options->min_days)
        return SUGGEST_FEW_DAYS;
    if (domain->levels[TALLY_NONE] > 0)
        return SUGGEST_CLEAR;
    if (domain->levels[TALLY_UNKNOWN] > 0)
        return SUGGEST_UNKNOWN;
    return domain->tls_bounced > 0 ? SUGGEST_BOUNCED : SUGGEST_RULE;
}

/* The best level that both mail and verdict support; NO_OPINION for none. */
static enum verdict_level supported(const struct tally_domain *domain, enum verdict_level found)
{
    bool trusted = domain->levels[TALLY_UNTRUSTED] == 0 && domain->levels[TALLY_ANONYMOUS] == 0;
    bool verified = trusted && domain->levels[TALLY_TRUSTED] == 0;

    switch (found) {
    case VERDICT_DANE_ONLY:
        return verified ? VERDICT_DANE_ONLY : trusted ? VERDICT_VERIFY : VERDICT_ENCRYPT;
    case VERDICT_SECURE:
    case VERDICT_VERIFY:
        return trusted ? VERDICT_VERIFY : VERDICT_ENCRYPT;
    case VERDICT_DANE:
    case VERDICT_ENCRYPT:
        return VERDICT_ENCRYPT;
    default: /* no opinion; or mail waits now */
        return VERDICT_NO_OPINION;
    }
}

/* What a rule in force leaves to be asked for. A `secure` of a rule names its hosts itself, and is
 * as much as dane-only. */
static enum suggest_outcome outcome_beside(const struct rule *rule, enum verdict_level level)
{
    if (rule != NULL && rule->action != RULE_AT_LEAST && rule_is_named(rule))
        return SUGGEST_HAS_RULE;
    if (level == VERDICT_NO_OPINION)
        return SUGGEST_WEAK_VERDICT;
    return rule != NULL && (rule->level >= level || rule->level == VERDICT_SECURE)
               ? SUGGEST_HAS_RULE
               : SUGGEST_RULE;
}

/* As suggest_domain; *in_force: the rule that the new one is better than, or NULL. */
static enum suggest_outcome judge_domain(const struct tally *tally, const struct judged *judged,
                                         const struct suggest_options *options, uint32_t domain,
                                         enum verdict_level *level, const struct rule **in_force)
{
    const struct tally_domain *counted = &tally->domains[domain];
    enum suggest_outcome outcome;
    struct key key;

    if (domain == TALLY_OTHERS || !read_domain(&key, counted->name, options->smtp_port))
        return SUGGEST_NO_DOMAIN;
    outcome = outcome_of_mail(counted, options);
    if (outcome != SUGGEST_RULE)
        return outcome;
    if (!judged->asked || !judged->domains[domain].known)
        return SUGGEST_NO_VERDICT;
    *in_force = options->rules == NULL ? NULL : rules_find(options->rules, &key, options->now);
    *level = supported(counted, judged->domains[domain].found);
    return outcome_beside(*in_force, *level);
}

enum suggest_outcome suggest_domain(const struct tally *tally, const struct judged *judged,
                                    const struct suggest_options *options, uint32_t domain,
                                    enum verdict_level *level)
{
    const struct rule *in_force;

    return judge_domain(tally, judged, options, domain, level, &in_force);
}

/* ---- the text ---- */

/* A day of the log, in local time as in the log. */
static const char *day_text(char out[DAY_MAX], uint32_t at)
{
    time_t seconds = (time_t)at;
    struct tm parts;

    if (localtime_r(&seconds, &parts) == NULL || strftime(out, DAY_MAX, "%Y-%m-%d", &parts) == 0)
        strcpy(out, "?");
    return out;
}

static const char *levels_text(const struct tally_domain *domain)
{
    if (domain->levels[TALLY_UNTRUSTED] > 0 || domain->levels[TALLY_ANONYMOUS] > 0)
        return "all over TLS";
    return domain->levels[TALLY_TRUSTED] > 0 ? "all Verified or Trusted" : "all Verified";
}

/* The rule with its comment; the length. */
static size_t write_line(char out[RULE_LINE_MAX], const struct tally_domain *domain,
                         enum verdict_level level, const struct rule *in_force)
{
    char first[DAY_MAX], last[DAY_MAX], instead[64] = "";

    /* a second rule for a pattern is an error */
    if (in_force != NULL && strcmp(in_force->pattern, domain->name) == 0)
        snprintf(instead, sizeof instead, "; in place of line %u", in_force->line);
    return (size_t)snprintf(out, RULE_LINE_MAX, "%s at-least %s  # %u messages %s..%s, %s%s\n",
                            domain->name, verdict_level_name(level), domain->messages_sent,
                            day_text(first, domain->sent_first), day_text(last, domain->sent_last),
                            levels_text(domain), instead);
}

static void write_head(FILE *out, const uint32_t counts[SUGGEST_OUTCOME_COUNT],
                       const struct suggest_options *options)
{
    fprintf(
        out,
        "# Rules for mxcrypt-rules(5), from the mail log and the present verdicts: domains with\n"
        "# %u messages or more over %u days or more. mxcrypt rules check FILE tries them.\n",
        options->min_messages, options->min_days);
    for (int i = 0; i < SUGGEST_OUTCOME_COUNT; i++)
        if (counts[i] > 0)
            fprintf(out, "# %7u domain%s: %s\n", counts[i], counts[i] == 1 ? "" : "s",
                    outcome_texts[i]);
}

/* Domains in the order of their messages; NULL without memory. Owned by the caller. */
static uint32_t *in_order(const struct tally *tally, size_t *count)
{
    uint32_t *order = calloc((size_t)tally->domain_count + 1, sizeof *order);

    *count = order == NULL ? 0
                           : tally_top(tally, order, tally->domain_count, tally->domain_count,
                                       tally_by_messages);
    return order;
}

/* Writes them as far as a file of rules may be long. */
static size_t write_rules(FILE *out, const struct tally *tally, const struct judged *judged,
                          const struct suggest_options *options, const uint32_t *order,
                          size_t count)
{
    size_t octets = 0, rules = 0;
    const struct rule *in_force;
    enum verdict_level level;
    char line[RULE_LINE_MAX];

    for (size_t i = 0; i < count && rules < RULES_MAX; i++) {
        if (judge_domain(tally, judged, options, order[i], &level, &in_force) != SUGGEST_RULE)
            continue;
        octets += write_line(line, &tally->domains[order[i]], level, in_force);
        if (octets > RULES_TEXT_MAX - 64 * RULE_LINE_MAX) /* the rest is for the head */
            break;
        fputs(line, out);
        rules++;
    }
    return rules;
}

size_t suggest_write(FILE *out, const struct tally *tally, const struct judged *judged,
                     const struct suggest_options *options)
{
    uint32_t counts[SUGGEST_OUTCOME_COUNT] = {0};
    enum verdict_level level;
    size_t count, rules;
    uint32_t *order = in_order(tally, &count);

    if (order == NULL) {
        fputs("# no memory\n", out);
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        counts[suggest_domain(tally, judged, options, order[i], &level)]++;
    write_head(out, counts, options);
    rules = write_rules(out, tally, judged, options, order, count);
    if (rules < counts[SUGGEST_RULE])
        fprintf(out, "# and %zu more, which are too many for one file\n",
                (size_t)counts[SUGGEST_RULE] - rules);
    free(order);
    return rules;
}
