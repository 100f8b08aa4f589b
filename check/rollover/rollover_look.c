/* rollover_look: what servers say and addresses show, and what that means for the next certificate;
 * see rollover.h. Pure. */
#include <stdio.h>
#include <string.h>

#include "check/rollover/rollover.h"
#include "probe/tls/tls_digest.h"

enum { USAGE_TA = 2, USAGE_EE = 3 };

#define IF_YOURS                                                                                   \
    "; if that one is yours, stage again with its file as --current, else install one that "       \
    "matches"

/* ---- certificates ---- */

bool rollover_chain_make(struct rollover_chain *out, struct arena *arena,
                         const struct tls_shown *shown)
{
    struct tls_certificate leaf;

    *out = (struct rollover_chain){.shown = *shown};
    out->made = arena_array(arena, shown->count + 1, sizeof *out->made);
    if (out->made == NULL)
        return false;
    for (size_t i = 0; i < shown->count; i++)
        if (!tls_associations_read(&out->made[i], arena, &shown->certificates[i]))
            return false;
    if (shown->count == 0)
        return true;
    tls_digest(out->sha256, shown->certificates[0].data, shown->certificates[0].length);
    if (!tls_certificate_read(&leaf, arena, &shown->certificates[0]))
        return false;
    out->not_before = leaf.not_before;
    out->not_after = leaf.not_after;
    return out->sha256[0] != '\0';
}

static bool same_der(const struct tls_der *a, const struct tls_der *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

static bool has_der(const struct rollover_chain *chain, const struct tls_der *der)
{
    for (size_t i = 0; i < chain->shown.count; i++)
        if (same_der(&chain->shown.certificates[i], der))
            return true;
    return false;
}

bool rollover_chain_same(const struct rollover_chain *a, const struct rollover_chain *b)
{
    if (strcmp(a->sha256, b->sha256) != 0 || a->shown.count != b->shown.count)
        return false;
    for (size_t i = 0; i < a->shown.count; i++)
        if (!same_der(&a->shown.certificates[i], &b->shown.certificates[i]))
            return false;
    return true;
}

static bool is_of(const struct tlsa *record, const struct tls_associations *made)
{
    const struct tls_association *one = &made->of[record->selector][record->matching_type];

    return one->length == record->length && memcmp(one->data, record->data, one->length) == 0;
}

bool rollover_matches(const struct tlsa *record, const struct rollover_chain *chain)
{
    size_t from = record->usage == USAGE_EE ? 0 : 1;
    size_t until = record->usage == USAGE_EE && chain->shown.count > 0 ? 1 : chain->shown.count;

    if (!record->usable || record->selector >= TLS_SELECTORS ||
        record->matching_type >= TLS_MATCHING_TYPES)
        return false;
    for (size_t i = from; i < until; i++)
        if (is_of(record, &chain->made[i]))
            return true;
    return false;
}

/* ---- groups ---- */

static bool same_group(const struct tlsa *a, const struct tlsa *b)
{
    return a->usable && b->usable && a->usage == b->usage && a->selector == b->selector &&
           a->matching_type == b->matching_type;
}

/* Whether a record is the first of its group, which counts. */
static bool opens_group(const struct tlsa *records, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (same_group(&records[i], &records[index]))
            return false;
    return records[index].usable;
}

/* Whether one record of a group matches a chain, and another chain too unless that is NULL. */
static bool group_has(const struct tlsa *records, size_t count, const struct tlsa *group,
                      const struct rollover_chain *chain, const struct rollover_chain *too)
{
    for (size_t i = 0; i < count; i++)
        if (same_group(&records[i], group) && rollover_matches(&records[i], chain) &&
            (too == NULL || rollover_matches(&records[i], too)))
            return true;
    return false;
}

static bool make_record(struct tlsa *out, const struct tlsa *group,
                        const struct rollover_chain *chain)
{
    size_t index = group->usage == USAGE_EE ? 0 : 1;
    const struct tls_association *one;

    if (index >= chain->shown.count)
        return false;
    one = &chain->made[index].of[group->selector][group->matching_type];
    *out = *group;
    out->length = (uint16_t)one->length;
    out->data = one->data;
    return one->length <= UINT16_MAX;
}

size_t rollover_missing(struct tlsa *out, size_t max, const struct tlsa *records, size_t count,
                        const struct rollover_chain *chain, bool *impossible)
{
    size_t missing = 0;

    for (size_t i = 0; i < count && missing < max; i++) {
        if (!opens_group(records, i) || group_has(records, count, &records[i], chain, NULL))
            continue;
        if (make_record(&out[missing], &records[i], chain))
            missing++;
        else
            *impossible = true;
    }
    return missing;
}

/* ---- one host ---- */

static bool same_record(const struct tlsa *a, const struct tlsa *b)
{
    return same_group(a, b) && a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

static void add_record(struct tlsa *list, size_t *count, const struct tlsa *record)
{
    for (size_t i = 0; i < *count; i++)
        if (same_record(&list[i], record))
            return;
    if (*count < ROLLOVER_RECORDS_MAX)
        list[(*count)++] = *record;
}

static void note(struct rollover_sight *out, const char *why)
{
    if (out->why == NULL)
        out->why = why;
}

static void note_lack(struct rollover_sight *out, const char *why)
{
    note(out, why);
    if (out->lacks == NULL)
        out->lacks = why;
}

static bool has_usable(const struct rollover_rrset *rrset)
{
    for (size_t i = 0; i < rrset->count; i++)
        if (rrset->records[i].usable)
            return true;
    return false;
}

static bool any_matches(const struct rollover_rrset *rrset, const struct rollover_chain *chain)
{
    for (size_t i = 0; i < rrset->count; i++)
        if (rollover_matches(&rrset->records[i], chain))
            return true;
    return false;
}

/* A chain that is, or will be, live. */
struct live_chain {
    const struct rollover_chain *chain;
    const char *what;
    bool ours; /* else it may be an attacker's, for whom nothing is published */
};

static bool is_either(const struct rollover *rollover, const struct rollover_chain *chain)
{
    return strcmp(chain->sha256, rollover->next.sha256) == 0 ||
           strcmp(chain->sha256, rollover->current.sha256) == 0;
}

static struct live_chain live_chain_of(struct arena *arena, const struct rollover *rollover,
                                       const struct rollover_shown *shown)
{
    bool ours = shown->proven || is_either(rollover, &shown->chain);

    return (struct live_chain){
        &shown->chain,
        ours ? "the certificate that is shown"
             : arena_printf(arena, "the certificate that %s shows" IF_YOURS, shown->address),
        ours};
}

/* Whether an RRset has all that a chain needs; what it lacks is added to the sight, unless a cache
 * gave it, which may be late. */
static bool serves(struct rollover_sight *out, struct arena *arena,
                   const struct rollover_rrset *rrset, const struct live_chain *live)
{
    struct tlsa lacks[ROLLOVER_RECORDS_MAX];
    bool impossible = false;
    size_t count = rollover_missing(lacks, ROLLOVER_RECORDS_MAX, rrset->records, rrset->count,
                                    live->chain, &impossible);

    for (size_t i = 0; i < count && !rrset->cached && live->ours; i++)
        add_record(out->missing, &out->missing_count, &lacks[i]);
    if (count == 0 && !impossible)
        return true;
    out->impossible |= impossible;
    note_lack(out, impossible
                       ? arena_printf(arena, "a 2 x x record, but %s comes without its issuer",
                                      live->what)
                       : arena_printf(arena, "%s has no record of %s", rrset->server, live->what));
    return false;
}

/* Whether, in every group, one record matches both. */
static bool is_unchanged(const struct rollover_rrset *rrset, const struct rollover_chain *live,
                         const struct rollover_chain *next)
{
    for (size_t i = 0; i < rrset->count; i++)
        if (opens_group(rrset->records, i) &&
            !group_has(rrset->records, rrset->count, &rrset->records[i], live, next))
            return false;
    return true;
}

static bool is_shown(const struct rollover_seen *seen, const struct tlsa *record)
{
    for (size_t i = 0; i < seen->address_count; i++)
        if (rollover_matches(record, &seen->addresses[i].chain))
            return true;
    return false;
}

/* The answer of one server, against what an address shows. */
static bool look_at_shown(struct rollover_sight *out, struct arena *arena,
                          const struct rollover *rollover, const struct rollover_shown *shown,
                          const struct rollover_rrset *rrset)
{
    struct live_chain live;

    if (shown->chain.shown.count == 0)
        return true;
    live = live_chain_of(arena, rollover, shown);
    if (has_usable(rrset) && !any_matches(rrset, &shown->chain) && out->broken == NULL)
        out->broken = arena_printf(arena, "%s has no record that matches what %s shows%s",
                                   rrset->server, shown->address, live.ours ? "" : IF_YOURS);
    out->unchanged &= is_unchanged(rrset, &shown->chain, &rollover->next);
    return serves(out, arena, rrset, &live);
}

/* ... and against all that is, or will be, live. */
static bool look_at_rrset(struct rollover_sight *out, struct arena *arena,
                          const struct rollover *rollover, const struct rollover_seen *seen,
                          const struct rollover_rrset *rrset)
{
    const struct rollover_chain *current = &rollover->current, *next = &rollover->next;
    const struct live_chain present = {current, "the present certificate", true};
    const struct live_chain following = {next, "the next certificate", true};
    bool ok = true;

    for (size_t i = 0; i < seen->address_count; i++)
        ok &= look_at_shown(out, arena, rollover, &seen->addresses[i], rrset);
    if (current->shown.count > 0 && out->live != ROLLOVER_LIVE_NEXT) {
        ok &= serves(out, arena, rrset, &present);
        out->unchanged &= is_unchanged(rrset, current, next);
    }
    ok &= serves(out, arena, rrset, &following);
    for (size_t i = 0; i < rrset->count; i++)
        if (!rrset->cached && rollover_matches(&rrset->records[i], current) &&
            !rollover_matches(&rrset->records[i], next)) {
            if (!is_shown(seen, &rrset->records[i]))
                add_record(out->old, &out->old_count, &rrset->records[i]);
            out->old_gone = false;
        }
    return ok;
}

/* ---- servers ---- */

static bool is_named(const struct rollover *rollover, const char *name)
{
    for (size_t i = 0; name != NULL && i < rollover->without_count; i++)
        if (hostname_equal(rollover->without[i], name))
            return true;
    return false;
}

/* Whether another address of the same name server answered. */
static bool answers_elsewhere(const struct rollover_seen *seen, const struct rollover_rrset *rrset)
{
    for (size_t i = 0; i < seen->server_count; i++)
        if (seen->servers[i].known && rrset->name != NULL && seen->servers[i].name != NULL &&
            strcmp(seen->servers[i].name, rrset->name) == 0)
            return true;
    return false;
}

/* One that gave no answer. By the operator's word it need not; and a machine without IPv6 can ask a
 * name server at its other address only. */
static void look_at_silence(struct rollover_sight *out, struct arena *arena,
                            const struct rollover *rollover, const struct rollover_seen *seen,
                            const struct rollover_rrset *rrset)
{
    const char *words = arena_printf(arena, "%s: %s", rrset->server, rrset->why);
    bool named = is_named(rollover, rrset->name) || is_named(rollover, rrset->address);

    if (!named && !(rrset->no_route && answers_elsewhere(seen, rrset))) {
        out->known = false;
        note(out, words);
    } else if (out->passed_count < ROLLOVER_PASSED_MAX) {
        out->passed[out->passed_count++] = words;
    }
}

static void look_at_server(struct rollover_sight *out, struct arena *arena,
                           const struct rollover *rollover, const struct rollover_seen *seen,
                           const struct rollover_rrset *rrset)
{
    bool has;

    if (!rrset->known) {
        look_at_silence(out, arena, rollover, seen, rrset);
        return;
    }
    if (has_usable(rrset) && rrset->ttl > out->ttl)
        out->ttl = rrset->ttl;
    out->idle &= !has_usable(rrset);
    out->absent |= rrset->count == 0;
    has = look_at_rrset(out, arena, rollover, seen, rrset);
    if (rrset->cached) {
        out->resolver_has = has;
        return;
    }
    out->everywhere &= has;
    out->somewhere |= has;
}

static bool any_answered(const struct rollover_seen *seen)
{
    for (size_t i = 0; i < seen->server_count; i++)
        if (seen->servers[i].known)
            return true;
    return false;
}

static bool lacks_group(const struct rollover_seen *seen, const struct tlsa *group)
{
    for (size_t i = 0; i < seen->server_count; i++) {
        const struct rollover_rrset *rrset = &seen->servers[i];
        bool has = !rrset->known;

        for (size_t j = 0; j < rrset->count && !has; j++)
            has = same_group(&rrset->records[j], group);
        if (!has)
            return true;
    }
    return false;
}

/* A group that a server does not have at all may have been withdrawn, and another server is late.
 * If it were published again with what that one lacks alone, nothing in it would match the rest. */
static void make_whole(struct rollover_sight *out, const struct rollover *rollover,
                       const struct rollover_seen *seen)
{
    size_t count = out->missing_count;
    struct tlsa record;

    for (size_t i = 0; i < count; i++) {
        if (!lacks_group(seen, &out->missing[i]))
            continue;
        for (size_t j = 0; j < seen->address_count; j++)
            if (seen->addresses[j].proven &&
                make_record(&record, &out->missing[i], &seen->addresses[j].chain))
                add_record(out->missing, &out->missing_count, &record);
        if (out->live != ROLLOVER_LIVE_NEXT &&
            make_record(&record, &out->missing[i], &rollover->current))
            add_record(out->missing, &out->missing_count, &record);
        if (make_record(&record, &out->missing[i], &rollover->next))
            add_record(out->missing, &out->missing_count, &record);
    }
}

static void look_at_servers(struct rollover_sight *out, struct arena *arena,
                            const struct rollover *rollover, const struct rollover_seen *seen)
{
    out->known = any_answered(seen);
    out->somewhere = !out->known; /* what they lack is not known */
    if (seen->server_count == 0)
        note(out, "its authoritative name servers are not known");
    for (size_t i = 0; i < seen->server_count; i++)
        look_at_server(out, arena, rollover, seen, &seen->servers[i]);
    if (!any_answered(seen))
        note(out, "none of its name servers answers");
    make_whole(out, rollover, seen);
    look_at_server(out, arena, rollover, seen, &seen->resolver);
}

/* ---- the whole ---- */

void rollover_learn(struct rollover *rollover, const struct rollover_seen *seen)
{
    for (size_t i = 0; i < rollover->host_count; i++)
        for (size_t j = 0; j < seen[i].address_count; j++) {
            const struct rollover_shown *shown = &seen[i].addresses[j];

            if (rollover->current.shown.count == 0 && shown->proven &&
                shown->chain.shown.count > 0 && !is_either(rollover, &shown->chain))
                rollover->current = shown->chain;
        }
}

/* Where the next one is the present one with other issuers, these tell them apart. */
static bool is_next(const struct rollover *rollover, const struct rollover_chain *shown)
{
    const struct rollover_chain *next = &rollover->next;

    if (strcmp(shown->sha256, next->sha256) != 0)
        return false;
    if (strcmp(rollover->current.sha256, next->sha256) != 0)
        return true;
    for (size_t i = 0; i < next->shown.count; i++)
        if (!has_der(shown, &next->shown.certificates[i]))
            return false;
    return true;
}

static bool is_passed_over(const struct rollover *rollover, const char *address)
{
    for (size_t i = 0; i < rollover->unseen_count; i++)
        if (strcmp(rollover->unseen[i], address) == 0)
            return true;
    return false;
}

static enum rollover_live live_at(const struct rollover *rollover, const struct rollover_shown *one)
{
    if (one->chain.shown.count == 0)
        return rollover->installed && is_passed_over(rollover, one->address)
                   ? ROLLOVER_LIVE_NEXT
                   : ROLLOVER_LIVE_UNKNOWN;
    if (is_next(rollover, &one->chain))
        return ROLLOVER_LIVE_NEXT;
    return strcmp(one->chain.sha256, rollover->current.sha256) == 0 ? ROLLOVER_LIVE_OLD
                                                                    : ROLLOVER_LIVE_OTHER;
}

static bool is_any_hidden(const struct rollover_seen *seen)
{
    for (size_t i = 0; i < seen->address_count; i++)
        if (seen->addresses[i].chain.shown.count == 0)
            return true;
    return seen->address_count == 0 || seen->hidden != NULL;
}

/* The records at both names of an alias count; no sender looks at the second where the first has
 * any, which only matters for what is refused now. */
static void join(struct rollover_sight *out, const struct rollover_sight *also)
{
    out->known &= also->known;
    out->ttl = also->ttl > out->ttl ? also->ttl : out->ttl;
    out->everywhere &= also->everywhere;
    out->somewhere &= also->somewhere;
    out->resolver_has &= also->resolver_has;
    out->unchanged &= also->unchanged;
    out->old_gone &= also->old_gone;
    out->impossible |= also->impossible;
    out->idle &= also->idle;
    if (out->broken == NULL && out->absent)
        out->broken = also->broken;
    if (out->lacks == NULL)
        out->lacks = also->lacks;
    note(out, also->why);
    out->also = also;
}

/* Why an address does not count as showing `next`. */
static const char *behind(struct arena *arena, const struct rollover *rollover,
                          const struct rollover_shown *one)
{
    bool hint = one->unreachable && !is_passed_over(rollover, one->address);

    if (one->chain.shown.count > 0)
        return arena_printf(arena, "%s: it shows another certificate", one->address);
    return arena_printf(arena, "%s: %s%s", one->address, one->why,
                        hint ? "; if this machine cannot reach it at all, see --without-address"
                             : "");
}

static void look_at_addresses(struct rollover_sight *out, struct arena *arena,
                              const struct rollover *rollover, const struct rollover_seen *seen)
{
    bool hidden = seen->address_count == 0 || seen->hidden != NULL;

    out->live = hidden ? ROLLOVER_LIVE_UNKNOWN : ROLLOVER_LIVE_NEXT;
    for (size_t i = 0; i < seen->address_count; i++) {
        const struct rollover_shown *one = &seen->addresses[i];
        enum rollover_live live = live_at(rollover, one);

        out->live = live > out->live ? live : out->live;
        out->next_seen |= live == ROLLOVER_LIVE_NEXT;
        if (live != ROLLOVER_LIVE_NEXT && out->behind == NULL)
            out->behind = behind(arena, rollover, one);
        out->idle &= live == ROLLOVER_LIVE_UNKNOWN || live == ROLLOVER_LIVE_OTHER;
        if (one->chain.shown.count == 0 && is_passed_over(rollover, one->address) &&
            out->passed_count < ROLLOVER_PASSED_MAX)
            out->passed[out->passed_count++] =
                arena_printf(arena, "%s: %s", one->address, one->why);
    }
    if (out->behind == NULL && hidden)
        out->behind = seen->hidden != NULL ? seen->hidden : "it has no address";
}

void rollover_look(struct rollover_sight *out, struct arena *arena, const struct rollover *rollover,
                   const struct rollover_seen *seen)
{
    struct rollover_sight *also = seen->also == NULL ? NULL : arena_alloc(arena, sizeof *also);

    *out = (struct rollover_sight){.host = seen->host,
                                   .owner = seen->owner,
                                   .ttl = seen->alias_ttl,
                                   .everywhere = true,
                                   .unchanged = true,
                                   .old_gone = true,
                                   .idle = true};
    look_at_addresses(out, arena, rollover, seen);
    look_at_servers(out, arena, rollover, seen);
    if (also != NULL) {
        rollover_look(also, arena, rollover, seen->also);
        join(out, also);
    }
    out->known &= seen->why == NULL;
    note(out, seen->why);
    out->idle &= out->known;
    if (rollover->current.shown.count == 0 && !out->idle && is_any_hidden(seen))
        out->unchanged = false; /* from what, is not known */
}
