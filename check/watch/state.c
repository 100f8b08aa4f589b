/* state: see state.h. */
#include "check/watch/state.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/net/hostname.h"
#include "probe/tls/tls_digest.h"

#define FORMAT       1
#define FINDINGS_MAX CHECK_REPORT_MAX

/* ---- reading ---- */

/* A printable text of an object, at most `max` octets; NULL: it is none. */
static const char *text_of(const json_t *object, const char *name, size_t max)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL && strlen(text) <= max && ascii_is_printable(text) ? text : NULL;
}

static bool read_findings(struct state *out, struct arena *arena, const json_t *list)
{
    struct state_finding *findings;
    const json_t *one;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > FINDINGS_MAX)
        return false;
    findings = arena_array(arena, json_array_size(list) + 1, sizeof *findings);
    json_array_foreach(list, i, one)
    {
        const char *code = text_of(one, "code", CHECK_TEXT_MAX - 1),
                   *where = text_of(one, "where", CHECK_TEXT_MAX - 1),
                   *severity = text_of(one, "severity", CHECK_TEXT_MAX - 1);

        if (code == NULL || where == NULL || severity == NULL || findings == NULL)
            return false;
        findings[i].code = arena_strdup(arena, code);
        findings[i].severity = arena_strdup(arena, severity);
        findings[i].where = arena_strdup(arena, where);
    }
    out->findings = findings;
    out->count = json_array_size(list);
    return true;
}

static bool read_before(struct check_before *out, const json_t *root)
{
    const char *id = text_of(root, "sts_id", STS_ID_MAX),
               *digest = text_of(root, "policy_sha256", TLS_DIGEST_TEXT - 1);

    if (id == NULL || digest == NULL)
        return id == digest && json_object_get(root, "sts_id") == NULL;
    if (strlen(digest) != TLS_DIGEST_TEXT - 1 ||
        strspn(digest, "0123456789abcdef") != TLS_DIGEST_TEXT - 1)
        return false;
    out->known = true;
    memcpy(out->sts_id, id, strlen(id) + 1);
    memcpy(out->policy_sha256, digest, TLS_DIGEST_TEXT);
    return true;
}

const char *state_read(struct state *out, struct arena *arena, const char *domain, const char *text,
                       size_t length)
{
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    const char *why = NULL, *of = text_of(root, "domain", HOSTNAME_MAX);
    const json_t *at = json_object_get(root, "checked_at");

    *out = (struct state){0};
    if (!json_is_object(root))
        why = "it is no JSON object";
    else if (json_integer_value(json_object_get(root, "format")) != FORMAT)
        why = "it has another format";
    else if (of == NULL || strcmp(of, domain) != 0)
        why = "it is of another domain";
    else if (!json_is_integer(at) || !read_before(&out->before, root) ||
             !read_findings(out, arena, json_object_get(root, "findings")))
        why = "a member is not as it should be";
    else if (arena_failed(arena))
        why = "no memory";
    out->checked_at = (int64_t)json_integer_value(at);
    json_decref(root);
    return why;
}

/* ---- writing ---- */

/* The file that an id was first seen with stays, so that one changed without a new id is told until
 * it has one: senders hold the old file for as long. */
static struct check_before present(const struct check_facts *facts, const struct state *before)
{
    struct check_before now = {0};

    if (before != NULL && before->before.known &&
        strcmp(before->before.sts_id, facts->evidence->sts.id) == 0)
        return before->before;
    if (facts->policy.body != NULL) {
        now.known = true;
        memcpy(now.sts_id, facts->evidence->sts.id, sizeof now.sts_id);
        tls_digest(now.policy_sha256, facts->policy.body, facts->policy.length);
    }
    return now.known || before == NULL ? now : before->before;
}

static json_t *findings_json(const struct check_report *report)
{
    json_t *list = json_array();

    for (size_t i = 0; i < report->count; i++) {
        const struct check_finding *finding = &report->findings[i];

        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s}", "code", check_kinds[finding->code].code, "severity",
                            check_severity_name(finding->severity), "where", finding->where));
    }
    return list;
}

bool state_write(struct buf *out, const struct check_facts *facts,
                 const struct check_report *report, const struct state *before)
{
    struct check_before now = present(facts, before);
    json_t *root =
        json_pack("{s:i, s:s, s:I, s:o}", "format", FORMAT, "domain", facts->domain, "checked_at",
                  (json_int_t)facts->now_s, "findings", findings_json(report));
    char *text;

    if (now.known) {
        json_object_set_new(root, "sts_id", json_string(now.sts_id));
        json_object_set_new(root, "policy_sha256", json_string(now.policy_sha256));
    }
    text = json_dumps(root, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    json_decref(root);
    if (text != NULL)
        buf_addf(out, "%s\n", text);
    free(text);
    return text != NULL && !out->failed;
}

/* ---- comparing ---- */

static bool is_same(const struct state_finding *a, const struct state_finding *b)
{
    return strcmp(a->code, b->code) == 0 && strcmp(a->where, b->where) == 0;
}

static struct state_finding finding_of(const struct check_finding *finding)
{
    return (struct state_finding){check_kinds[finding->code].code,
                                  check_severity_name(finding->severity), finding->where};
}

static bool was(const struct state *before, const struct state_finding *finding)
{
    for (size_t i = 0; before != NULL && i < before->count; i++)
        if (is_same(&before->findings[i], finding))
            return true;
    return false;
}

/* Or may be, where the report was too long to hold all. */
static bool is(const struct check_report *report, const struct state_finding *finding)
{
    for (size_t i = 0; i < report->count; i++) {
        struct state_finding now = finding_of(&report->findings[i]);

        if (is_same(&now, finding))
            return true;
    }
    return report->dropped > 0;
}

static bool is_sure(const struct check_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->findings[i].severity == CHECK_UNKNOWN)
            return false;
    return true;
}

void state_compare(const struct state *before, const struct check_report *report, state_taker *take,
                   void *context)
{
    bool sure = is_sure(report);

    for (size_t i = 0; i < report->count; i++) {
        struct state_finding now = finding_of(&report->findings[i]);

        if (!was(before, &now))
            take(context, true, &now);
    }
    for (size_t i = 0; before != NULL && i < before->count; i++)
        if ((sure ||
             strcmp(before->findings[i].code, check_kinds[CHECK_FOUND_NOT_FOUND_OUT].code) == 0) &&
            !is(report, &before->findings[i]))
            take(context, false, &before->findings[i]);
}
