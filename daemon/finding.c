/* finding: see finding.h. Most answers are the same in all forms and are stored once. */
#include "daemon/finding.h"

#include <string.h>

#include "policy/evidence_copy.h"
#include "policy/render.h"

#define FINDING_ARENA_MAX (16 * 1024 * 1024)

static const struct render_capabilities capabilities[FORM_COUNT] = {
    [FORM_PLAIN] = {false, false, RENDER_SOCKETMAP_MAX - sizeof "OK " + 1},
    [FORM_TLSRPT] = {true, false, RENDER_SOCKETMAP_MAX - sizeof "OK " + 1},
    [FORM_TCP_TABLE] = {false, true, RENDER_TCP_TABLE_MAX - sizeof "200 " + 1},
};

static void render_form(struct finding *finding, enum answer_form form)
{
    struct answer *answer = &finding->answers[form];
    const struct answer *plain = &finding->answers[FORM_PLAIN];
    struct buf text;

    buf_init(&text, RENDER_SOCKETMAP_MAX);
    answer->status =
        render_verdict(&text, &finding->verdict, finding->evidence, &capabilities[form]);
    answer->length = text.length;
    if (form != FORM_PLAIN && plain->length == text.length &&
        memcmp(plain->text, buf_text(&text), text.length) == 0)
        answer->text = plain->text;
    else
        answer->text = arena_strndup(finding->arena, buf_text(&text), text.length);
    buf_fini(&text);
}

struct finding *finding_new(const struct key *key, const struct verdict *verdict,
                            const struct evidence *evidence, int64_t now)
{
    struct arena *arena = arena_new(FINDING_ARENA_MAX);
    struct finding *finding = arena == NULL ? NULL : arena_alloc(arena, sizeof *finding);

    if (finding == NULL) {
        arena_free(arena);
        return NULL;
    }
    finding->arena = arena;
    finding->key = arena_strndup(arena, key->text, key->text_length);
    finding->key_length = key->text_length;
    finding->verdict = *verdict;
    finding->made_at = now;
    list_init(&finding->recent);
    finding->evidence = evidence == NULL ? NULL : evidence_copy(arena, evidence);
    for (unsigned form = 0; form < FORM_COUNT && !arena_failed(arena); form++)
        render_form(finding, (enum answer_form)form);
    if (arena_failed(arena)) {
        arena_free(arena);
        return NULL;
    }
    return finding;
}

void finding_free(struct finding *finding)
{
    if (finding != NULL)
        arena_free(finding->arena);
}

size_t finding_octets(const struct finding *finding)
{
    return arena_octets(finding->arena);
}
