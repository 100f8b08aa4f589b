/*
 * policy_list_read: the text of a policy list, to the letter of mxcrypt-list(5).
 *
 * A list is signed, so what is wrong in it is its maker's to mend: the first fault refuses the whole,
 * and nothing is guessed or passed over. The order of the members is free, so an alias may be named
 * before it is defined; at the end every one that is named must have been.
 *
 * Glossary
 *   policy    what is said of a domain: a mode and the names of mail hosts, or an alias
 *   alias     a policy with a name, for many domains
 *   draft     a policy while it is read
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net/hostname.h"
#include "policy/list/policy_list.h"
#include "policy/list/policy_list_scan.h"
#include "policy/list/policy_list_table.h"
#include "policy/list/policy_list_time.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define VERSION      "0.1"
#define LABELS_MIN   2
#define NO_MEMORY    "no memory for the list"
#define PATTERN_SIZE (HOSTNAME_MAX + 3) /* "*.", name, NUL */

struct reading;

/* A member of an object: its name, and what reads its value. */
struct member {
    const char *name;
    int (*read)(struct reading *reading);
    bool optional;
};

struct reading {
    struct policy_list_scan scan;
    struct policy_list_table table;
    unsigned top_seen, policy_seen;       /* bits by the place in the table of members */
    char name[POLICY_LIST_ALIAS_MAX + 1]; /* of the domain or alias that is read */
    /* the policy that is read */
    bool of_alias; /* it is in policy-aliases */
    uint32_t alias;
    struct policy_list_draft draft;
    char patterns[POLICY_LIST_MXS_MAX][PATTERN_SIZE]; /* of the draft */
};

static int no_memory(const struct reading *reading)
{
    snprintf(reading->scan.error, POLICY_LIST_ERROR_MAX, NO_MEMORY);
    return -1;
}

/* ---- members ---- */

/* Reads the member `key` of an object with these members; `seen` has a bit for each. */
static int read_member(struct reading *reading, const struct member *members, size_t count,
                       unsigned *seen, struct span key)
{
    char quote[POLICY_LIST_QUOTE_MAX];

    for (size_t i = 0; i < count; i++) {
        if (!span_is(key, members[i].name))
            continue;
        if ((*seen & 1u << i) != 0)
            return policy_list_fault(&reading->scan, "'%s' is there for the second time",
                                     members[i].name);
        *seen |= 1u << i;
        return members[i].read(reading);
    }
    return policy_list_fault(&reading->scan, "'%s' is nothing that may be here",
                             policy_list_quote(quote, key));
}

/* ---- domains and hosts ---- */

/* True for a host name of two labels or more: never a keyword of Postfix's, nor an address. */
static bool is_name(struct span text)
{
    return hostname_valid(text.text, text.length, HOSTNAME_LDH) &&
           hostname_labels(text.text, text.length) >= LABELS_MIN;
}

static void copy_folded(char *out, struct span name)
{
    memcpy(out, name.text, name.length);
    out[name.length] = '\0';
    hostname_fold(out, name.length);
}

/* Puts a pattern into its place among those of the draft, which are sorted; false when it is there
 * already. */
static bool insert_pattern(struct policy_list_draft *draft, const char *pattern)
{
    size_t place = draft->mx_count;

    while (place > 0 && strcmp(draft->mx[place - 1], pattern) > 0)
        place--;
    if (place > 0 && strcmp(draft->mx[place - 1], pattern) == 0)
        return false;
    memmove(&draft->mx[place + 1], &draft->mx[place],
            (draft->mx_count - place) * sizeof draft->mx[0]);
    draft->mx[place] = pattern;
    draft->mx_count++;
    return true;
}

/* What keeps a text from being a host of the draft; NULL: nothing. */
static const char *host_fault(const struct policy_list_draft *draft, struct span text,
                              struct span name)
{
    if (span_starts(text, "*"))
        return "is no host: \"*.example.com\" is written \".example.com\"";
    if (!is_name(name))
        return "is no host name of two labels or more";
    if (draft->mx_count == POLICY_LIST_MXS_MAX)
        return "is one host too many";
    return NULL;
}

/* "mx.example" stays, ".example.com" becomes "*.example.com". */
static int read_host(void *context)
{
    struct reading *reading = context;
    struct policy_list_draft *draft = &reading->draft;
    char quote[POLICY_LIST_QUOTE_MAX], *pattern;
    struct span text, name;
    const char *why;

    if (policy_list_scan_string(&reading->scan, &text) != 0)
        return -1;
    name = text;
    span_skip(&name, span_starts(text, "."));
    why = host_fault(draft, text, name);
    if (why == NULL) {
        pattern = reading->patterns[draft->mx_count];
        memcpy(pattern, "*.", 2);
        copy_folded(pattern + (name.length < text.length ? 2 : 0), name);
        if (!insert_pattern(draft, pattern))
            why = "is there for the second time";
    }
    if (why == NULL)
        return 0;
    return policy_list_fault(&reading->scan, "'%s' %s", policy_list_quote(quote, text), why);
}

/* ---- a policy ---- */

static int read_mode(struct reading *reading)
{
    char quote[POLICY_LIST_QUOTE_MAX];
    struct span text;

    if (policy_list_scan_string(&reading->scan, &text) != 0)
        return -1;
    if (span_is(text, "testing"))
        reading->draft.mode = LIST_TESTING;
    else if (span_is(text, "enforce"))
        reading->draft.mode = LIST_ENFORCE;
    else
        return policy_list_fault(&reading->scan, "mode: '%s' is neither testing nor enforce",
                                 policy_list_quote(quote, text));
    return 0;
}

static int read_mxs(struct reading *reading)
{
    int result;

    reading->scan.place[2] = "mxs";
    result = policy_list_scan_array(&reading->scan, read_host, reading);
    if (result == 0 && reading->draft.mx_count == 0)
        result = policy_list_fault(&reading->scan, "no host");
    if (result == 0)
        reading->scan.place[2] = NULL;
    return result;
}

/* Reads the name of an alias; also as a key. */
static int check_alias_name(struct reading *reading, struct span name)
{
    char quote[POLICY_LIST_QUOTE_MAX];
    bool right = name.length > 0 && name.length <= POLICY_LIST_ALIAS_MAX;

    for (size_t i = 0; right && i < name.length; i++)
        right = name.text[i] >= ' ' && name.text[i] <= '~';
    if (right)
        return 0;
    return policy_list_fault(&reading->scan,
                             "'%s' is no name of an alias: 1 to %d printable ASCII characters",
                             policy_list_quote(quote, name), POLICY_LIST_ALIAS_MAX);
}

/* The alias of a name, at its first use or at its definition. */
static int find_alias(struct reading *reading, struct span name)
{
    reading->alias = policy_list_table_alias(&reading->table, name, reading->scan.at);
    if (reading->alias == POLICY_LIST_NUMBER_NONE)
        return no_memory(reading);
    if (reading->table.alias_count > POLICY_LIST_ALIASES_MAX)
        return policy_list_fault(&reading->scan, "more than %d aliases", POLICY_LIST_ALIASES_MAX);
    return 0;
}

static int read_policy_alias(struct reading *reading)
{
    struct span name;

    if (reading->of_alias)
        return policy_list_fault(&reading->scan, "an alias of an alias");
    if (policy_list_scan_string(&reading->scan, &name) != 0 || check_alias_name(reading, name) != 0)
        return -1;
    return find_alias(reading, name);
}

enum { MEMBER_MODE, MEMBER_MXS, MEMBER_POLICY_ALIAS };

static const struct member policy_members[] = {
    [MEMBER_MODE] = {"mode", read_mode, false},
    [MEMBER_MXS] = {"mxs", read_mxs, false},
    [MEMBER_POLICY_ALIAS] = {"policy-alias", read_policy_alias, false},
};

#define SEEN_WHOLE (1u << MEMBER_MODE | 1u << MEMBER_MXS)
#define SEEN_ALIAS (1u << MEMBER_POLICY_ALIAS)

static int read_policy_member(void *context, struct span key)
{
    struct reading *reading = context;

    return read_member(reading, policy_members, COUNT(policy_members), &reading->policy_seen, key);
}

/* Reads {"mode": ..., "mxs": [...]}, or {"policy-alias": ...}. */
static int read_policy(struct reading *reading)
{
    size_t begin;

    policy_list_scan_peek(&reading->scan); /* the blanks before it are not its own */
    begin = reading->scan.at;
    reading->policy_seen = 0;
    reading->draft.mode = LIST_NONE;
    reading->draft.mx_count = 0;
    if (policy_list_scan_object(&reading->scan, read_policy_member, reading) != 0)
        return -1;
    if (reading->scan.at - begin > POLICY_LIST_VALUE_MAX)
        return policy_list_fault(&reading->scan, "a policy of more than %d octets",
                                 POLICY_LIST_VALUE_MAX);
    if (reading->policy_seen == SEEN_WHOLE || reading->policy_seen == SEEN_ALIAS)
        return 0;
    if ((reading->policy_seen & SEEN_ALIAS) != 0)
        return policy_list_fault(&reading->scan, "policy-alias beside mode or mxs");
    return policy_list_fault(&reading->scan, "%s is missing",
                             (reading->policy_seen & 1u << MEMBER_MODE) == 0 ? "mode" : "mxs");
}

/* ---- domains ---- */

static int read_domain(void *context, struct span key)
{
    struct reading *reading = context;
    char quote[POLICY_LIST_QUOTE_MAX];
    uint32_t row, policy;
    bool is_new;

    if (!is_name(key))
        return policy_list_fault(&reading->scan, "'%s' is no host name of two labels or more",
                                 policy_list_quote(quote, key));
    copy_folded(reading->name, key);
    reading->scan.place[1] = reading->name;
    if (reading->table.list->row_count == POLICY_LIST_DOMAINS_MAX)
        return policy_list_fault(&reading->scan, "more than %d domains", POLICY_LIST_DOMAINS_MAX);
    row = policy_list_table_domain(&reading->table, (struct span){reading->name, key.length},
                                   &is_new);
    if (row == POLICY_LIST_NUMBER_NONE)
        return no_memory(reading);
    if (!is_new)
        return policy_list_fault(&reading->scan, "the domain is there for the second time");
    if (read_policy(reading) != 0)
        return -1;
    policy = reading->policy_seen == SEEN_ALIAS
                 ? reading->table.aliases[reading->alias].policy
                 : policy_list_table_policy(&reading->table, &reading->draft);
    if (policy == POLICY_LIST_NUMBER_NONE)
        return no_memory(reading);
    reading->table.list->rows[row].policy = policy;
    reading->scan.place[1] = NULL;
    return 0;
}

static int read_alias(void *context, struct span key)
{
    struct reading *reading = context;
    uint32_t alias;

    if (check_alias_name(reading, key) != 0)
        return -1;
    snprintf(reading->name, sizeof reading->name, "%.*s", (int)key.length, key.text);
    reading->scan.place[1] = reading->name;
    if (find_alias(reading, key) != 0)
        return -1;
    alias = reading->alias;
    if (policy_list_table_is_defined(&reading->table, alias))
        return policy_list_fault(&reading->scan, "the alias is there for the second time");
    reading->of_alias = true;
    if (read_policy(reading) != 0)
        return -1;
    reading->of_alias = false;
    policy_list_table_define(&reading->table, alias, &reading->draft);
    reading->scan.place[1] = NULL;
    return 0;
}

/* ---- the members of a list ---- */

static int read_time(struct reading *reading, int64_t *out)
{
    char quote[POLICY_LIST_QUOTE_MAX], time[POLICY_LIST_QUOTE_MAX];
    struct span text;

    if (policy_list_scan_peek(&reading->scan) != '"') {
        if (policy_list_scan_integer(&reading->scan, out) != 0)
            return -1;
        return *out <= POLICY_LIST_TIME_MAX
                   ? 0
                   : policy_list_fault(&reading->scan, "a time after the year 9999");
    }
    if (policy_list_scan_string(&reading->scan, &text) != 0)
        return -1;
    snprintf(time, sizeof time, "%.*s", (int)text.length, text.text);
    if (text.length < sizeof time && policy_list_time_parse(out, time))
        return 0;
    return policy_list_fault(&reading->scan,
                             "'%s' is no time: \"2026-12-31T12:00:00Z\", or seconds since 1970",
                             policy_list_quote(quote, text));
}

static int read_timestamp(struct reading *reading)
{
    return read_time(reading, &reading->table.list->header.timestamp_s);
}

static int read_expires(struct reading *reading)
{
    return read_time(reading, &reading->table.list->header.expires_s);
}

static int read_version(struct reading *reading)
{
    char quote[POLICY_LIST_QUOTE_MAX];
    struct span text;

    if (policy_list_scan_string(&reading->scan, &text) != 0)
        return -1;
    if (span_is(text, VERSION))
        return 0;
    return policy_list_fault(&reading->scan, "'%s' is not " VERSION,
                             policy_list_quote(quote, text));
}

static int read_author(struct reading *reading)
{
    struct span text;

    if (policy_list_scan_string(&reading->scan, &text) != 0)
        return -1;
    if (text.length > POLICY_LIST_AUTHOR_MAX)
        return policy_list_fault(&reading->scan, "more than %d octets", POLICY_LIST_AUTHOR_MAX);
    for (size_t i = 0; i < text.length; i++) {
        const unsigned char *c = (const unsigned char *)text.text + i;

        /* U+0080 to U+009F as well: terminals take some of them for commands */
        if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && i + 1 < text.length && c[1] < 0xa0))
            return policy_list_fault(&reading->scan, "a control character");
    }
    policy_list_table_author(&reading->table, text);
    return 0;
}

static int read_policies(struct reading *reading)
{
    return policy_list_scan_object(&reading->scan, read_domain, reading);
}

static int read_policy_aliases(struct reading *reading)
{
    return policy_list_scan_object(&reading->scan, read_alias, reading);
}

static const struct member top_members[] = {
    {"timestamp", read_timestamp, false}, {"expires", read_expires, false},
    {"version", read_version, false},     {"author", read_author, true},
    {"policies", read_policies, false},   {"policy-aliases", read_policy_aliases, false},
};

static int read_top_member(void *context, struct span key)
{
    struct reading *reading = context;
    int result;

    for (size_t i = 0; i < COUNT(top_members); i++)
        if (span_is(key, top_members[i].name))
            reading->scan.place[0] = top_members[i].name;
    result = read_member(reading, top_members, COUNT(top_members), &reading->top_seen, key);
    if (result == 0)
        reading->scan.place[0] = NULL;
    return result;
}

/* ---- the whole ---- */

static int check_members(struct reading *reading)
{
    for (size_t i = 0; i < COUNT(top_members); i++)
        if (!top_members[i].optional && (reading->top_seen & 1u << i) == 0)
            return policy_list_fault(&reading->scan, "%s is missing", top_members[i].name);
    return 0;
}

/* Every alias that is named must be there. */
static int check_aliases(struct reading *reading)
{
    const struct policy_list_table *table = &reading->table;
    const struct policy_list *list = table->list;

    for (uint32_t i = 0; i < table->alias_count; i++) {
        const struct policy_list_alias *alias = &table->aliases[i];
        uint32_t row = 0;

        if (policy_list_table_is_defined(table, i))
            continue;
        while (list->rows[row].policy != alias->policy)
            row++;
        reading->scan.at = alias->used_at;
        reading->scan.place[0] = "policies";
        reading->scan.place[1] = list->names + list->rows[row].domain;
        return policy_list_fault(&reading->scan, "policy-aliases has no '%s'",
                                 list->names + list->policies[alias->policy].alias);
    }
    return 0;
}

static int read_text(struct reading *reading)
{
    if (policy_list_scan_object(&reading->scan, read_top_member, reading) != 0 ||
        policy_list_scan_end(&reading->scan) != 0 || check_members(reading) != 0)
        return -1;
    return check_aliases(reading);
}

int policy_list_read(struct policy_list **out, const char *text, size_t length,
                     char error[POLICY_LIST_ERROR_MAX])
{
    struct reading *reading;
    int result = -1;

    *out = NULL;
    if (length > POLICY_LIST_TEXT_MAX) {
        snprintf(error, POLICY_LIST_ERROR_MAX, "longer than %d octets", POLICY_LIST_TEXT_MAX);
        return -1;
    }
    reading = calloc(1, sizeof *reading);
    if (reading != NULL)
        reading->scan = (struct policy_list_scan){.text = text, .length = length, .error = error};
    if (reading == NULL || !policy_list_table_init(&reading->table, length))
        snprintf(error, POLICY_LIST_ERROR_MAX, NO_MEMORY);
    else
        result = read_text(reading);
    if (result == 0)
        *out = policy_list_table_take(&reading->table);
    if (reading != NULL) {
        policy_list_scan_fini(&reading->scan);
        policy_list_table_fini(&reading->table);
    }
    free(reading);
    return result;
}
