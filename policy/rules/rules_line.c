/*
 * rules_line: `pattern action [argument] [until=DATE] [ticket=TEXT] [# comment]`; see rules_line.h.
 *
 * Each fault is a sentence that quotes what is wrong and says what to write instead. Nothing is
 * guessed: what is not an option is part of the policy, and the strict parser of policies refuses
 * it.
 */
#include "policy/rules/rules_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"
#include "base/escape.h"
#include "policy/render/postfix_syntax.h"

#define COUNT(array)      (sizeof(array) / sizeof(array)[0])
#define QUOTE_MAX         96
#define FLOOR_VERIFY      "verify servername=hostname"
#define BLANKS            " \t"
#define POLICY_SEPARATORS " \t,"
#define DAY_S             INT64_C(86400)
#define DATE_FORM         "dddd-dd-dd"
#define MOMENT_FORM       DATE_FORM "Tdd:ddZ"

struct reading {
    struct rules_line *line;
    struct span rest;
    uint16_t default_port;
    char *fault; /* RULES_FAULT_MAX octets */
};

static int fault(struct reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fault(struct reading *reading, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reading->fault, RULES_FAULT_MAX, format, args);
    va_end(args);
    return -1;
}

/* ---- words ---- */

static const char *quoted(char out[QUOTE_MAX], struct span span)
{
    return escape_bytes(out, QUOTE_MAX, span.text, span.length);
}

/* Takes the next word and the blanks after it; empty at the end. */
static struct span next_word(struct span *rest)
{
    struct span word = span_until(*rest, BLANKS);

    span_skip(rest, word.length);
    span_skip_set(rest, BLANKS);
    return word;
}

/* A word that begins with the mark: no word of a policy, and no option, does. */
static bool at_comment(const struct reading *reading)
{
    return span_starts(reading->rest, "#");
}

/* ---- options ---- */

/* True when `text` has the form: `d` stands for a digit, the rest for itself. */
static bool has_form(const char *text, size_t length, const char *form)
{
    for (size_t i = 0; i < length; i++) {
        if (form[i] == '\0')
            return false;
        if (form[i] == 'd' ? !ascii_is_digit(text[i]) : text[i] != form[i])
            return false;
    }
    return form[length] == '\0';
}

static int number(const char *text, size_t digits)
{
    int value = 0;

    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

/* The moment at which `text` ("2026-12-31", that day included, or "2026-12-31T18:00Z") is over, in
 * seconds since 1970; 0 when it is not a date between 2000 and 9999. */
static int64_t date_end(const char *text, size_t length)
{
    bool is_day = has_form(text, length, DATE_FORM);
    struct tm at = {0}, same;
    int64_t seconds;

    if (!is_day && !has_form(text, length, MOMENT_FORM))
        return 0;
    at.tm_year = number(text, 4) - 1900;
    at.tm_mon = number(text + 5, 2) - 1;
    at.tm_mday = number(text + 8, 2);
    at.tm_hour = is_day ? 0 : number(text + 11, 2);
    at.tm_min = is_day ? 0 : number(text + 14, 2);
    same = at;
    seconds = timegm(&same); /* which turns February 30 into March */
    if (at.tm_year < 100 || same.tm_mon != at.tm_mon || same.tm_mday != at.tm_mday ||
        same.tm_hour != at.tm_hour || same.tm_min != at.tm_min)
        return 0;
    return is_day ? seconds + DAY_S : seconds;
}

static int option_until(struct reading *reading, struct span value)
{
    char quote[QUOTE_MAX];

    if (reading->line->until_s != 0)
        return fault(reading, "until= is given twice");
    reading->line->until_s = date_end(value.text, value.length);
    if (reading->line->until_s == 0)
        return fault(reading,
                     "'until=%s' is not a date: until=2026-12-31 (that day included) or "
                     "until=2026-12-31T18:00Z, in UTC",
                     quoted(quote, value));
    return 0;
}

static int option_ticket(struct reading *reading, struct span value)
{
    if (reading->line->ticket.text != NULL)
        return fault(reading, "ticket= is given twice");
    if (value.length == 0)
        return fault(reading, "a ticket= without a text");
    if (value.length > RULES_TICKET_MAX)
        return fault(reading, "a ticket= of more than %d octets", RULES_TICKET_MAX);
    if (memchr(value.text, '"', value.length) != NULL)
        return fault(reading, "a quotation mark inside a ticket= text");
    if (!utf8_valid(value.text, value.length))
        return fault(reading, "a ticket= text that is not UTF-8");
    reading->line->ticket = value;
    return 0;
}

static const struct option {
    const char *name;
    int (*read)(struct reading *reading, struct span value);
    bool quotable;
} options[] = {
    {"until=", option_until, false},
    {"ticket=", option_ticket, true},
};

static const struct option *option_of(struct span text)
{
    for (size_t i = 0; i < COUNT(options); i++)
        if (span_starts(text, options[i].name))
            return &options[i];
    return NULL;
}

/* Takes "text with blanks" from the rest, whose first octet is the mark. */
static int take_quoted(struct reading *reading, struct span *value)
{
    struct span *rest = &reading->rest;

    span_skip(rest, 1);
    *value = span_until(*rest, "\"");
    if (value->length == rest->length)
        return fault(reading, "a quotation mark that nothing closes");
    span_skip(rest, value->length + 1);
    if (rest->length > 0 && !span_set_has(BLANKS, rest->text[0]))
        return fault(reading, "no blank after a quotation mark that closes");
    span_skip_set(rest, BLANKS);
    return 0;
}

static int read_options(struct reading *reading)
{
    char quote[QUOTE_MAX];

    while (reading->rest.length > 0 && !at_comment(reading)) {
        const struct option *option = option_of(reading->rest);
        struct span value;

        if (option == NULL)
            return fault(reading, "'%s' after an option: until= and ticket= come last",
                         quoted(quote, span_until(reading->rest, BLANKS)));
        span_skip(&reading->rest, strlen(option->name));
        if (option->quotable && span_starts(reading->rest, "\"")) {
            if (take_quoted(reading, &value) != 0)
                return -1;
        } else {
            value = next_word(&reading->rest);
        }
        if (option->read(reading, value) != 0)
            return -1;
    }
    return 0;
}

/* ---- actions ---- */

/* False for what is no level of Postfix's. */
static bool level_of(struct span word, enum verdict_level *level)
{
    *level = VERDICT_DANE_ONLY;
    while (*level > VERDICT_NO_OPINION && !span_is(word, verdict_level_name(*level)))
        (*level)--;
    return *level != VERDICT_NO_OPINION || span_is(word, "none") || span_is(word, "may") ||
           span_is(word, "fingerprint");
}

static int set_policy(struct reading *reading, struct span policy)
{
    char quote[QUOTE_MAX];
    const char *why;

    if (!postfix_syntax_ok(policy.text, policy.length, POSTFIX_3_4, &why))
        return fault(reading, "'%s' is not a policy for Postfix: %s", quoted(quote, policy), why);
    level_of(span_until(policy, POLICY_SEPARATORS), &reading->line->level);
    reading->line->policy = policy;
    return 0;
}

static int action_at_least(struct reading *reading, struct span argument)
{
    static const struct span verify = {FLOOR_VERIFY, sizeof FLOOR_VERIFY - 1};
    struct span level = span_until(argument, POLICY_SEPARATORS);
    bool bare = level.length == argument.length;
    char quote[QUOTE_MAX];

    if (span_is(level, "secure"))
        return set_policy(reading, argument);
    if (span_is(level, "verify") && (bare || span_is(argument, FLOOR_VERIFY)))
        return set_policy(reading, verify);
    if (bare && (span_is(level, "encrypt") || span_is(level, "dane-only")))
        return set_policy(reading, argument);
    if (argument.length == 0)
        return fault(reading, "at-least what? encrypt, verify, secure match=... or dane-only");
    if (span_is(level, "encrypt") || span_is(level, "verify") || span_is(level, "dane-only"))
        return fault(reading,
                     "at-least %s takes no attributes; with attributes there are secure "
                     "match=... and exactly",
                     quoted(quote, level));
    return fault(
        reading,
        "at-least knows encrypt, verify, secure match=... and dane-only: '%s' is not one of "
        "them",
        quoted(quote, level));
}

static int action_exactly(struct reading *reading, struct span argument)
{
    if (argument.length == 0)
        return fault(reading, "exactly what? a policy, as in smtp_tls_policy_maps");
    return set_policy(reading, argument);
}

static int action_alone(struct reading *reading, struct span argument)
{
    char quote[QUOTE_MAX];

    if (argument.length == 0)
        return 0;
    return fault(reading,
                 "'%s' after %s, which takes only until= and ticket=", quoted(quote, argument),
                 rule_action_name(reading->line->action));
}

static const struct action {
    const char *name;
    int (*read)(struct reading *reading, struct span argument);
} actions[] = {
    [RULE_AT_LEAST] = {"at-least", action_at_least},
    [RULE_EXACTLY] = {"exactly", action_exactly},
    [RULE_OFF] = {"off", action_alone},
    [RULE_MONITOR] = {"monitor", action_alone},
};

const char *rule_action_name(enum rule_action action)
{
    return actions[action].name;
}

static int read_action(struct reading *reading)
{
    struct span word = next_word(&reading->rest);
    enum verdict_level level;
    char quote[QUOTE_MAX];

    for (size_t i = 0; i < COUNT(actions); i++)
        if (span_is(word, actions[i].name)) {
            reading->line->action = (enum rule_action)i;
            return 0;
        }
    if (word.length == 0)
        return fault(reading, "a pattern without an action: at-least, exactly, off or monitor");
    quoted(quote, word);
    if (level_of(span_until(word, POLICY_SEPARATORS), &level))
        return fault(reading, "'%s' is not an action: write exactly %s, or at-least before a level",
                     quote, quote);
    return fault(reading, "'%s' is not an action: at-least, exactly, off or monitor", quote);
}

/* Takes what comes before the options. */
static struct span take_argument(struct reading *reading)
{
    struct span argument = reading->rest;

    while (reading->rest.length > 0 && !at_comment(reading) && option_of(reading->rest) == NULL)
        next_word(&reading->rest);
    argument.length -= reading->rest.length;
    return span_trim(argument, BLANKS);
}

/* ---- the line ---- */

/* What is left behind a rule; it is sent to the daemon with the rule, by `rules check`. */
static int read_comment(struct reading *reading)
{
    if (utf8_valid(reading->rest.text, reading->rest.length))
        return 0;
    return fault(reading, "a comment behind a rule that is not UTF-8");
}

static int octets_fault(struct reading *reading)
{
    for (size_t i = 0; i < reading->rest.length; i++) {
        const unsigned char *c = (const unsigned char *)reading->rest.text + i;

        if ((*c < ' ' && *c != '\t') || *c == 0x7f)
            return fault(reading, "a control character: \\x%02x", *c);
        /* U+0080 to U+009F: terminals take some of them for commands */
        if (*c == 0xc2 && i + 1 < reading->rest.length && c[1] >= 0x80 && c[1] < 0xa0)
            return fault(reading, "a control character: U+00%02x", c[1]);
    }
    return 0;
}

int rules_line_read(struct rules_line *out, const char *text, size_t length, uint16_t default_port,
                    char fault_text[RULES_FAULT_MAX])
{
    struct reading reading = {
        .line = out, .rest = {text, length}, .default_port = default_port, .fault = fault_text};
    struct span pattern;

    if (octets_fault(&reading) != 0)
        return -1;
    span_skip_set(&reading.rest, BLANKS);
    if (reading.rest.length == 0 || reading.rest.text[0] == '#')
        return 0;
    if (reading.rest.length < length)
        return fault(&reading, "a blank at the beginning: each rule is one line, none continues");
    *out = (struct rules_line){.action = RULE_OFF};
    pattern = next_word(&reading.rest);
    if (rules_place_of_pattern(&out->place, pattern, default_port, fault_text) != 0 ||
        read_action(&reading) != 0 ||
        actions[out->action].read(&reading, take_argument(&reading)) != 0 ||
        read_options(&reading) != 0 || read_comment(&reading) != 0)
        return -1;
    return 1;
}
