/* cache_entry: see cache_entry.h. */
#include "daemon/cache/cache_entry.h"

#include <stdlib.h>
#include <string.h>

#include "policy/evidence/evidence_pack.h"

#define OCTETS_MAX (8 * 1024 * 1024)

/* What is stored of a verdict only where it is not zero. */
struct rare {
    struct downgrade held, verify, encrypt;
    uint64_t refused;
};

static const struct render_capabilities capabilities[FORM_COUNT] = {
    [FORM_TLSRPT] = {true, false, RENDER_SOCKETMAP_MAX - sizeof "OK " + 1, false},
    [FORM_PLAIN] = {false, false, RENDER_SOCKETMAP_MAX - sizeof "OK " + 1, false},
    [FORM_TCP_TABLE] = {false, true, RENDER_TCP_TABLE_MAX - sizeof "200 " + 1, false},
    [FORM_SENDMAIL] = {false, false, RENDER_SENDMAIL_MAX, true},
};

const char *const cache_entry_common[] = {
    NULL, "dane-only", "dane", "verify servername=hostname", "encrypt", NULL,
};

/* ---- the verdict ---- */

/* X(FIELD): what every entry keeps of a struct verdict, and of its `remembered`. */
/* clang-format off */
#define KEPT_OF_VERDICT(X)                                                                         \
    X(level) X(reason) X(shown_level) X(shown_reason) X(dane) X(starttls) X(sts_enforced)          \
    X(wildcard_hosts) X(sts_unfit) X(distrusted) X(without_dane) X(without_probe)    \
    X(listed) X(list_decides) X(valid_until) X(probed)
#define KEPT_OF_REMEMBERED(X) X(dane_only_until) X(dane_possible) X(secure) X(observed)
/* clang-format on */

static struct cached_verdict reduce(const struct verdict *verdict)
{
    struct cached_verdict out = {0};

#define X(field) out.field = verdict->field;
    KEPT_OF_VERDICT(X)
#undef X
#define X(field) out.field = verdict->remembered.field;
    KEPT_OF_REMEMBERED(X)
#undef X
    return out;
}

static struct rare rare_of(const struct cache_entry *entry)
{
    struct rare rare = {0};

    if (entry->verdict.rare)
        memcpy(&rare, (const char *)entry + entry->size - sizeof rare, sizeof rare);
    return rare;
}

struct remembered cache_entry_remembered(const struct cache_entry *entry)
{
    const struct rare rare = rare_of(entry);
    struct remembered out = {
        .verify = rare.verify, .encrypt = rare.encrypt, .refused = rare.refused};

#define X(field) out.field = entry->verdict.field;
    KEPT_OF_REMEMBERED(X)
#undef X
    return out;
}

struct verdict cache_entry_verdict(const struct cache_entry *entry)
{
    struct verdict out = {.held = rare_of(entry).held,
                          .remembered = cache_entry_remembered(entry),
                          .refresh_at = entry->verdict.valid_until};

#define X(field) out.field = entry->verdict.field;
    KEPT_OF_VERDICT(X)
#undef X
    return out;
}

void cache_entry_apply(struct final_answer *out, const struct override *override,
                       const struct cache_entry *found)
{
    const struct verdict verdict = cache_entry_verdict(found);

    override_apply(out, override, &verdict);
}

void cache_entry_lapse(struct cache_entry *entry, int64_t now, bool forget)
{
    if (entry->verdict.valid_until > now)
        entry->verdict.valid_until = now;
    if (!forget)
        return;
    entry->verdict.dane_only_until = 0;
    entry->verdict.dane_possible = false;
    entry->verdict.secure = false;
}

/* ---- making one ---- */

/* Whether the text begins, or is, that of the plain form as it is stored. */
static bool begins_as_plain(const struct cache_entry *head, const struct buf *octets,
                            const struct buf *text)
{
    size_t at = (size_t)head->key_length + 1 +
                (head->plain_apart ? (size_t)head->lengths[FORM_TLSRPT] + 1 : 0);

    return !octets->failed && memcmp(octets->data + at, buf_text(text), text->length) == 0;
}

/* Renders a form, and stores its text behind what `octets` has, unless it is there already:
 * as the beginning of the TLSRPT form, or as the plain form once more. */
static void add_form(struct cache_entry *head, struct buf *octets, enum answer_form form,
                     const struct verdict *verdict, const struct evidence *evidence)
{
    bool apart = true;
    struct buf text;

    buf_init(&text, RENDER_SOCKETMAP_MAX);
    head->statuses[form] = (uint8_t)render_verdict(&text, verdict, evidence, &capabilities[form]);
    head->lengths[form] = (uint32_t)text.length;
    if (form == FORM_PLAIN)
        apart = text.length > head->lengths[FORM_TLSRPT];
    else if (form == FORM_TCP_TABLE)
        apart = text.length != head->lengths[FORM_PLAIN];
    apart = apart || form == FORM_TLSRPT || !begins_as_plain(head, octets, &text);
    head->plain_apart |= form == FORM_PLAIN && apart;
    head->tcp_apart |= form == FORM_TCP_TABLE && apart;
    if (apart)
        buf_add(octets, buf_text(&text), text.length + 1);
    buf_fini(&text);
}

static unsigned char common_of(const char *text)
{
    for (unsigned char i = 1; cache_entry_common[i] != NULL; i++)
        if (strcmp(text, cache_entry_common[i]) == 0)
            return i;
    return 0;
}

/* The last: it is mostly the plain form once more, or what many entries share. */
static void add_sendmail(struct cache_entry *head, struct buf *octets,
                         const struct verdict *verdict, const struct evidence *evidence)
{
    struct buf text;
    bool same;

    buf_init(&text, RENDER_SOCKETMAP_MAX);
    head->statuses[FORM_SENDMAIL] =
        (uint8_t)render_verdict(&text, verdict, evidence, &capabilities[FORM_SENDMAIL]);
    head->lengths[FORM_SENDMAIL] = (uint32_t)text.length;
    same = text.length == head->lengths[FORM_PLAIN] &&
           head->statuses[FORM_SENDMAIL] == head->statuses[FORM_PLAIN] &&
           begins_as_plain(head, octets, &text);
    if (!same && head->statuses[FORM_SENDMAIL] == ANSWER_OK)
        head->sendmail_common = common_of(buf_text(&text));
    head->sendmail_apart = !same && head->sendmail_common == 0;
    if (head->sendmail_apart)
        buf_add(octets, buf_text(&text), text.length + 1);
    buf_fini(&text);
}

/* What all entries of a level say needs no room in each of them. */
static void take_out_common(struct cache_entry *head, struct buf *octets)
{
    size_t at = (size_t)head->key_length + 1;

    if (octets->failed || head->tcp_apart || head->plain_apart || head->sendmail_apart ||
        head->lengths[FORM_PLAIN] != head->lengths[FORM_TLSRPT] ||
        head->statuses[FORM_PLAIN] != ANSWER_OK)
        return;
    head->common = common_of(octets->data + at);
    if (head->common != 0)
        octets->length = at;
}

static void add_rare(struct cache_entry *head, struct buf *octets, const struct verdict *verdict)
{
    const struct remembered *remembered = &verdict->remembered;
    const struct rare rare = {verdict->held, remembered->verify, remembered->encrypt,
                              remembered->refused};
    static const struct rare none;

    head->verdict.rare = memcmp(&rare, &none, sizeof none) != 0;
    if (head->verdict.rare)
        buf_add(octets, &rare, sizeof rare);
}

struct cache_entry *cache_entry_new(const struct key *key, const struct verdict *verdict,
                                    const struct evidence *evidence, int64_t now)
{
    struct cache_entry head = {
        .verdict = reduce(verdict),
        .key_length = (uint16_t)key->text_length,
        .complete = evidence != NULL && evidence->complete,
        .due = {.at = verdict->refresh_at},
        .made_at = now,
        .used_at = now,
    };
    struct cache_entry *entry = NULL;
    struct buf octets;
    size_t before;

    buf_init(&octets, OCTETS_MAX);
    buf_add(&octets, key->text, key->text_length + 1);
    for (int form = 0; form <= FORM_TCP_TABLE; form++)
        add_form(&head, &octets, (enum answer_form)form, verdict, evidence);
    add_sendmail(&head, &octets, verdict, evidence);
    take_out_common(&head, &octets);
    before = octets.length;
    if (evidence != NULL)
        evidence_pack(&octets, evidence);
    head.evidence_length = (uint32_t)(octets.length - before);
    add_rare(&head, &octets, verdict);
    head.size = (uint32_t)(offsetof(struct cache_entry, key) + octets.length);
    if (!octets.failed)
        entry = malloc(head.size);
    if (entry != NULL) {
        memcpy(entry, &head, offsetof(struct cache_entry, key));
        memcpy(entry->key, octets.data, octets.length);
        list_init(&entry->recent);
    }
    buf_fini(&octets);
    return entry;
}

struct cache_entry *cache_entry_standing(enum verdict_reason reason)
{
    struct verdict verdict;
    struct key key;

    key_parse(&key, "", 0, 0);
    verdict_without_evidence(&verdict, reason, 0);
    return cache_entry_new(&key, &verdict, NULL, 0);
}

struct cache_entry *cache_entry_copy(const struct cache_entry *entry)
{
    struct cache_entry *copy = malloc(entry->size);

    if (copy == NULL)
        return NULL;
    memcpy(copy, entry, entry->size);
    list_init(&copy->recent);
    copy->marked = false;
    copy->due.place = 0;
    copy->generation = 0;
    return copy;
}

void cache_entry_free(struct cache_entry *entry)
{
    free(entry);
}

/* ---- what is in it ---- */

struct answer cache_entry_answer_sendmail(const struct cache_entry *entry)
{
    const char *text = entry->key + entry->key_length + 1;
    enum answer_status status = (enum answer_status)entry->statuses[FORM_SENDMAIL];
    unsigned char common = entry->sendmail_common;

    if (common == 0 && !entry->sendmail_apart)
        return cache_entry_answer(entry, FORM_PLAIN);
    if (entry->sendmail_apart) {
        text += entry->lengths[FORM_TLSRPT] + 1;
        text += entry->plain_apart ? entry->lengths[FORM_PLAIN] + 1 : 0;
        text += entry->tcp_apart ? entry->lengths[FORM_TCP_TABLE] + 1 : 0;
    }
    return (struct answer){status, common != 0 ? cache_entry_common[common] : text,
                           entry->lengths[FORM_SENDMAIL], false};
}

const void *cache_entry_packed(const struct cache_entry *entry)
{
    size_t behind = entry->verdict.rare ? sizeof(struct rare) : 0;

    return entry->evidence_length == 0
               ? NULL
               : (const char *)entry + entry->size - behind - entry->evidence_length;
}

struct evidence *cache_entry_evidence(const struct cache_entry *entry, struct arena *arena)
{
    const void *packed = cache_entry_packed(entry);

    return packed == NULL ? NULL : evidence_unpack(arena, packed, entry->evidence_length, 0);
}

void cache_entry_set_state(struct cache_entry *entry, enum cache_entry_state state)
{
    entry->state = state;
}

void cache_entry_disprove(struct cache_entry *entry, int64_t now)
{
    cache_entry_lapse(entry, now, false);
    entry->verdict.observed = VERDICT_NO_OPINION;
}
