/*
 * rules: the file as a whole, and the finder; see rules.h and rules_line.h.
 *
 * Everything is in one arena. The table of patterns uses the keyed hash, because strangers choose
 * the keys. A file is taken as a whole or not at all. Finding allocates nothing: it tries the key
 * itself, the key without its port, its parents from the nearest on, then `*`.
 */
#include "policy/rules/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/map.h"
#include "policy/rules/rules_line.h"

#define ARENA_MAX (256 * 1024 * 1024)
#define BOM       "\xef\xbb\xbf"
#define NO_MEMORY "no memory for the rules"

struct entry {
    struct rule rule; /* first: rules_index */
    UT_hash_handle hh;
};

struct rules {
    struct arena *arena;
    struct entry *entries;    /* the arena's, in the order of the file */
    struct entry *by_pattern; /* the map */
    size_t count;
    uint16_t default_port;
    uint64_t hash; /* of the text */
};

/* ---- reading ---- */

static struct entry *find_pattern(const struct rules *rules, const char *text, size_t length)
{
    struct entry *entry;

    HASH_FIND(hh, rules->by_pattern, text, (unsigned)length, entry);
    return entry;
}

/* Copies a rule behind the last one; 0, or -1 without memory. */
static int add_rule(struct rules *rules, const struct rules_line *line, unsigned number)
{
    struct entry *entry = &rules->entries[rules->count];

    entry->rule = (struct rule){
        .pattern = arena_strndup(rules->arena, line->place.text, line->place.length),
        .action = line->action,
        .policy_length = line->policy.length,
        .level = line->level,
        .until_s = line->until_s,
        .line = number,
    };
    if (line->policy.text != NULL)
        entry->rule.policy = arena_strndup(rules->arena, line->policy.text, line->policy.length);
    if (line->ticket.text != NULL)
        entry->rule.ticket = arena_strndup(rules->arena, line->ticket.text, line->ticket.length);
    if (arena_failed(rules->arena))
        return -1;
    HASH_ADD_KEYPTR(hh, rules->by_pattern, entry->rule.pattern, (unsigned)line->place.length,
                    entry);
    if (!MAP_ADDED(entry))
        return -1;
    rules->count++;
    return 0;
}

/* 0, or -1 with a message. */
static int take_line(struct rules *rules, const char *text, size_t length, unsigned number,
                     char error[RULES_ERROR_MAX])
{
    /* a sentence of RULES_FAULT_MAX fits behind */
    char *why = error + snprintf(error, RULES_ERROR_MAX, "line %u: ", number);
    const struct entry *earlier;
    struct rules_line line;
    int result;

    if (length > RULES_LINE_MAX) {
        snprintf(why, RULES_FAULT_MAX, "longer than %d octets", RULES_LINE_MAX);
        return -1;
    }
    result = rules_line_read(&line, text, length, rules->default_port, why);
    if (result <= 0)
        return result;
    earlier = find_pattern(rules, line.place.text, line.place.length);
    if (rules->count == RULES_MAX)
        snprintf(why, RULES_FAULT_MAX, "more than %d rules", RULES_MAX);
    else if (earlier != NULL)
        snprintf(why, RULES_FAULT_MAX, "a second rule for %s; the first is in line %u",
                 earlier->rule.pattern, earlier->rule.line);
    else if (add_rule(rules, &line, number) == 0)
        return 0;
    else
        snprintf(error, RULES_ERROR_MAX, NO_MEMORY);
    return -1;
}

static struct rules *rules_new(size_t lines, uint16_t default_port)
{
    struct rules *rules = calloc(1, sizeof *rules);

    if (rules == NULL)
        return NULL;
    rules->default_port = default_port;
    rules->arena = arena_new(ARENA_MAX);
    if (rules->arena != NULL)
        rules->entries = arena_array(rules->arena, lines < RULES_MAX ? lines : RULES_MAX,
                                     sizeof *rules->entries);
    if (rules->entries == NULL) {
        rules_free(rules);
        return NULL;
    }
    return rules;
}

static int take_lines(struct rules *rules, const char *text, size_t length,
                      char error[RULES_ERROR_MAX])
{
    unsigned number = 0;

    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t line = end == NULL ? length : (size_t)(end - text);
        size_t step = line + (end != NULL);

        if (end != NULL && line > 0 && text[line - 1] == '\r')
            line--;
        if (take_line(rules, text, line, ++number, error) != 0)
            return -1;
        text += step;
        length -= step;
    }
    return 0;
}

int rules_parse(struct rules **out, const char *text, size_t length, uint16_t default_port,
                char error[RULES_ERROR_MAX])
{
    size_t lines = 1;

    *out = NULL;
    if (length > RULES_TEXT_MAX) {
        snprintf(error, RULES_ERROR_MAX, "longer than %d octets", RULES_TEXT_MAX);
        return -1;
    }
    if (length >= sizeof BOM - 1 && memcmp(text, BOM, sizeof BOM - 1) == 0) {
        text += sizeof BOM - 1;
        length -= sizeof BOM - 1;
    }
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    *out = rules_new(lines, default_port);
    if (*out == NULL) {
        snprintf(error, RULES_ERROR_MAX, NO_MEMORY);
        return -1;
    }
    (*out)->hash = hash_stable(text, length);
    if (take_lines(*out, text, length, error) == 0)
        return 0;
    rules_free(*out);
    *out = NULL;
    return -1;
}

uint64_t rules_hash(const struct rules *rules)
{
    return rules->hash;
}

void rules_free(struct rules *rules)
{
    if (rules == NULL)
        return;
    HASH_CLEAR(hh, rules->by_pattern);
    arena_free(rules->arena);
    free(rules);
}

/* ---- finding ---- */

static const struct rule *rule_of(const struct rules *rules, const char *text, size_t length,
                                  int64_t now_s)
{
    const struct entry *entry = length == 0 ? NULL : find_pattern(rules, text, length);
    bool lapsed = entry != NULL && entry->rule.until_s != 0 && entry->rule.until_s <= now_s;

    return entry == NULL || lapsed ? NULL : &entry->rule;
}

/* The rule of the nearest parent that has one. */
static const struct rule *rule_above(const struct rules *rules, const struct rules_place *place,
                                     int64_t now_s)
{
    const char *name = place->text + place->name_at, *end = name + place->name_length;
    const struct rule *rule = NULL;

    for (const char *dot = name; rule == NULL && dot < end; dot++)
        if (*dot == '.')
            rule = rule_of(rules, dot, (size_t)(end - dot), now_s);
    return rule;
}

const struct rule *rules_find(const struct rules *rules, const struct key *key, int64_t now_s)
{
    struct rules_place place;
    const struct rule *rule;

    if (key->kind == KEY_PARENT || rules->count == 0)
        return NULL;
    rules_place_of_key(&place, key, rules->default_port);
    rule = rule_of(rules, place.text, place.length, now_s);
    if (rule == NULL && place.host_length < place.length)
        rule = rule_of(rules, place.text, place.host_length, now_s);
    if (rule == NULL)
        rule = rule_above(rules, &place, now_s);
    if (rule == NULL && !place.stays_here)
        rule = rule_of(rules, "*", 1, now_s);
    return rule;
}

/* ---- listing ---- */

size_t rules_count(const struct rules *rules)
{
    return rules->count;
}

const struct rule *rules_at(const struct rules *rules, size_t index)
{
    return &rules->entries[index].rule;
}

size_t rules_index(const struct rules *rules, const struct rule *rule)
{
    return (size_t)((const struct entry *)(const void *)rule - rules->entries);
}

int64_t rules_next_lapse(const struct rules *rules, int64_t now_s)
{
    int64_t next = 0;

    for (size_t i = 0; i < rules->count; i++) {
        int64_t until_s = rules->entries[i].rule.until_s;

        if (until_s > now_s && (next == 0 || until_s < next))
            next = until_s;
    }
    return next;
}

bool rule_is_named(const struct rule *rule)
{
    return strcmp(rule->pattern, "*") != 0;
}
