/* entry: see entry.h. Most answers are the same in all forms and are stored once; the evidence
 * is packed, because it is looked at by people only. */
#include "daemon/cache/cache_entry.h"

#include <stdlib.h>
#include <string.h>

#include "policy/evidence/evidence_pack.h"
#include "policy/render/render.h"

#define OCTETS_MAX (8 * 1024 * 1024)

static const struct render_capabilities capabilities[FORM_COUNT] = {
    [FORM_PLAIN] = {false, false, RENDER_SOCKETMAP_MAX - sizeof "OK " + 1},
    [FORM_TLSRPT] = {true, false, RENDER_SOCKETMAP_MAX - sizeof "OK " + 1},
    [FORM_TCP_TABLE] = {false, true, RENDER_TCP_TABLE_MAX - sizeof "200 " + 1},
};

/* Where the parts of `octets` begin. */
struct layout {
    size_t texts[FORM_COUNT], lengths[FORM_COUNT], evidence;
    enum answer_status statuses[FORM_COUNT];
};

/* Adds a form's text behind the others, unless it is the plain one again. */
static void add_form(struct buf *octets, struct layout *layout, enum answer_form form,
                     const struct verdict *verdict, const struct evidence *evidence)
{
    const char *plain;
    struct buf text;

    buf_init(&text, RENDER_SOCKETMAP_MAX);
    layout->statuses[form] = render_verdict(&text, verdict, evidence, &capabilities[form]);
    layout->lengths[form] = text.length;
    plain = buf_text(octets) + layout->texts[FORM_PLAIN];
    if (form != FORM_PLAIN && text.length == layout->lengths[FORM_PLAIN] &&
        memcmp(plain, buf_text(&text), text.length) == 0) {
        layout->texts[form] = layout->texts[FORM_PLAIN];
    } else {
        layout->texts[form] = octets->length;
        buf_add(octets, buf_text(&text), text.length + 1);
    }
    buf_fini(&text);
}

static struct cache_entry *assemble(const struct buf *octets, const struct layout *layout,
                                    size_t key_length)
{
    struct cache_entry *entry = malloc(sizeof *entry + octets->length);

    if (entry == NULL)
        return NULL;
    memset(entry, 0, sizeof *entry);
    memcpy(entry->octets, octets->data, octets->length);
    list_init(&entry->recent);
    list_init(&entry->used);
    entry->size = (uint32_t)(sizeof *entry + octets->length);
    entry->key = entry->octets;
    entry->key_length = (uint32_t)key_length;
    for (unsigned form = 0; form < FORM_COUNT; form++) {
        entry->statuses[form] = (uint8_t)layout->statuses[form];
        entry->texts[form].at = (uint32_t)layout->texts[form];
        entry->texts[form].length = (uint32_t)layout->lengths[form];
    }
    entry->evidence_at = (uint32_t)layout->evidence;
    entry->evidence_length = (uint32_t)(octets->length - layout->evidence);
    return entry;
}

struct cache_entry *cache_entry_new(const struct key *key, const struct verdict *verdict,
                                    const struct evidence *evidence, int64_t now)
{
    struct cache_entry *entry = NULL;
    struct layout layout = {0};
    struct buf octets;

    buf_init(&octets, OCTETS_MAX);
    buf_add(&octets, key->text, key->text_length + 1);
    for (unsigned form = 0; form < FORM_COUNT; form++)
        add_form(&octets, &layout, (enum answer_form)form, verdict, evidence);
    layout.evidence = octets.length;
    if (evidence != NULL)
        evidence_pack(&octets, evidence);
    if (!octets.failed)
        entry = assemble(&octets, &layout, key->text_length);
    buf_fini(&octets);
    if (entry == NULL)
        return NULL;
    entry->verdict = *verdict;
    entry->negative = entry->statuses[FORM_PLAIN] != ANSWER_OK;
    entry->complete = evidence != NULL && evidence->complete;
    entry->made_at = entry->used_at = entry->use_noted_at = now;
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
    memset(&copy->hh, 0, sizeof copy->hh);
    list_init(&copy->recent);
    list_init(&copy->used);
    copy->due.place = 0;
    copy->generation = 0;
    copy->key = copy->octets;
    return copy;
}

void cache_entry_free(struct cache_entry *entry)
{
    free(entry);
}

struct evidence *cache_entry_evidence(const struct cache_entry *entry, struct arena *arena)
{
    return entry->evidence_length == 0 ? NULL
                                       : evidence_unpack(arena, entry->octets + entry->evidence_at,
                                                         entry->evidence_length, 0);
}
