/* policy_list_scan: see policy_list_scan.h. */
#include "policy/list/policy_list_scan.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/escape.h"

#define DIGITS_MAX 15

void policy_list_scan_fini(struct policy_list_scan *scan)
{
    json_decref(scan->decoded);
    scan->decoded = NULL;
}

/* ---- faults ---- */

const char *policy_list_quote(char out[POLICY_LIST_QUOTE_MAX], struct span text)
{
    return escape_bytes(out, POLICY_LIST_QUOTE_MAX, text.text, text.length);
}

static size_t line_of(const struct policy_list_scan *scan)
{
    size_t line = 1;

    for (size_t i = 0; i < scan->at && i < scan->length; i++)
        line += scan->text[i] == '\n';
    return line;
}

/* Writes "line 12: policies: example.com: " and gives its length. */
static size_t write_place(const struct policy_list_scan *scan)
{
    int used = snprintf(scan->error, POLICY_LIST_ERROR_MAX, "line %zu: ", line_of(scan));

    for (size_t i = 0; i < POLICY_LIST_PLACE_MAX && scan->place[i] != NULL; i++) {
        int more = snprintf(scan->error + used, POLICY_LIST_ERROR_MAX - (size_t)used,
                            "%s: ", scan->place[i]);

        if (more < 0 || used + more >= POLICY_LIST_ERROR_MAX)
            break;
        used += more;
    }
    return (size_t)used;
}

int policy_list_fault(const struct policy_list_scan *scan, const char *format, ...)
{
    size_t used = write_place(scan);
    va_list args;

    va_start(args, format);
    vsnprintf(scan->error + used, POLICY_LIST_ERROR_MAX - used, format, args);
    va_end(args);
    return -1;
}

/* What is at hand is not what must come. */
static int not_expected(const struct policy_list_scan *scan, const char *what)
{
    char quote[POLICY_LIST_QUOTE_MAX];

    if (scan->at == scan->length)
        return policy_list_fault(scan, "the text ends where %s must be", what);
    policy_list_quote(quote, (struct span){scan->text + scan->at, 1});
    return policy_list_fault(scan, "'%s' where %s must be", quote, what);
}

/* ---- octets ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_blanks(struct policy_list_scan *scan)
{
    while (scan->at < scan->length && is_space(scan->text[scan->at]))
        scan->at++;
}

/* Takes the octet, with the blanks before it; false when another one is there. */
static bool took(struct policy_list_scan *scan, char octet)
{
    skip_blanks(scan);
    if (scan->at == scan->length || scan->text[scan->at] != octet)
        return false;
    scan->at++;
    return true;
}

char policy_list_scan_peek(struct policy_list_scan *scan)
{
    skip_blanks(scan);
    return scan->at == scan->length ? '\0' : scan->text[scan->at];
}

int policy_list_scan_end(struct policy_list_scan *scan)
{
    skip_blanks(scan);
    return scan->at == scan->length ? 0 : not_expected(scan, "the end of the text");
}

/* ---- strings ---- */

/* Has jansson read the token, quotation marks included. */
static int decode(struct policy_list_scan *scan, struct span token, struct span *out)
{
    char quote[POLICY_LIST_QUOTE_MAX];
    json_error_t why;

    json_decref(scan->decoded);
    scan->decoded = json_loadb(token.text, token.length, JSON_DECODE_ANY, &why);
    if (scan->decoded == NULL)
        return policy_list_fault(
            scan, "a string is not valid: %s",
            policy_list_quote(quote, (struct span){why.text, strlen(why.text)}));
    *out = (struct span){json_string_value(scan->decoded), json_string_length(scan->decoded)};
    return 0;
}

/* What stands for itself in a string, and is ASCII. */
static bool is_plain(unsigned char c)
{
    return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

int policy_list_scan_string(struct policy_list_scan *scan, struct span *out)
{
    const char *text = scan->text;
    size_t begin, end;
    bool plain = true;

    if (!took(scan, '"'))
        return not_expected(scan, "a string");
    begin = scan->at;
    for (end = begin; end < scan->length && text[end] != '"'; end++) {
        unsigned char c = (unsigned char)text[end];

        if (is_plain(c))
            continue;
        if (c < ' ')
            return policy_list_fault(scan, "a control character in a string: \\x%02x", c);
        plain = false;
        end += c == '\\'; /* what is escaped may be a quotation mark */
    }
    if (end >= scan->length)
        return policy_list_fault(scan, "the text ends within a string");
    if (end - begin > POLICY_LIST_VALUE_MAX)
        return policy_list_fault(scan, "a string of more than %d octets", POLICY_LIST_VALUE_MAX);
    scan->at = end + 1;
    *out = (struct span){text + begin, end - begin};
    if (plain)
        return 0;
    return decode(scan, (struct span){out->text - 1, out->length + 2}, out);
}

/* ---- numbers ---- */

int policy_list_scan_integer(struct policy_list_scan *scan, int64_t *out)
{
    size_t digits = 0, begin;

    skip_blanks(scan);
    *out = 0;
    for (begin = scan->at; begin + digits < scan->length; digits++) {
        char c = scan->text[begin + digits];

        if (!ascii_is_digit(c))
            break;
        if (digits == DIGITS_MAX)
            return policy_list_fault(scan, "a number of more than %d digits", DIGITS_MAX);
        *out = *out * 10 + (c - '0');
    }
    if (digits == 0)
        return not_expected(scan, "a whole number that is not negative");
    if (digits > 1 && scan->text[begin] == '0')
        return policy_list_fault(scan, "a number that begins with 0");
    scan->at += digits;
    if (scan->at < scan->length && span_set_has(".eE", scan->text[scan->at]))
        return policy_list_fault(scan, "a number that is not whole");
    return 0;
}

/* ---- what holds others ---- */

int policy_list_scan_object(struct policy_list_scan *scan,
                            int (*member)(void *context, struct span key), void *context)
{
    struct span key;

    if (!took(scan, '{'))
        return not_expected(scan, "an object");
    if (took(scan, '}'))
        return 0;
    do {
        if (policy_list_scan_string(scan, &key) != 0)
            return -1;
        if (!took(scan, ':'))
            return not_expected(scan, "':'");
        if (member(context, key) != 0)
            return -1;
    } while (took(scan, ','));
    return took(scan, '}') ? 0 : not_expected(scan, "',' or '}'");
}

int policy_list_scan_array(struct policy_list_scan *scan, int (*element)(void *context),
                           void *context)
{
    if (!took(scan, '['))
        return not_expected(scan, "an array");
    if (took(scan, ']'))
        return 0;
    do {
        if (element(context) != 0)
            return -1;
    } while (took(scan, ','));
    return took(scan, ']') ? 0 : not_expected(scan, "',' or ']'");
}
