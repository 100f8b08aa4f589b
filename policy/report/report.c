/*
 * report: evidence and verdict as JSON; see report.h. The words are report_why.c's and
 * report_change.c's.
 *
 * Everything the evidence holds is in the tree. Times are seconds from now. Without memory the whole
 * is NULL, never a report with holes.
 */
#include "policy/report/report.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "policy/decide/decide.h"
#include "policy/render/render.h"
#include "policy/report/report_words.h"
#include "policy/sts_match.h"

/* Octets of one TLSA record that are shown. */
#define TLSA_SHOWN 512

struct tree {
    const struct report_facts *facts; /* NULL for one host alone, as is the evidence */
    const struct evidence *evidence;
    int64_t now;
    bool failed;
};

/* ---- members; each takes the value's reference ---- */

static void put(struct tree *tree, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) != 0)
        tree->failed = true;
}

static void add(struct tree *tree, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        tree->failed = true;
}

/* Names and details are ASCII already. One that is not must not cost the report. */
static json_t *text_json(const char *text)
{
    json_t *value = text == NULL ? json_null() : json_string(text);

    return value != NULL ? value : json_string("?");
}

static void put_text(struct tree *tree, json_t *object, const char *name, const char *text)
{
    put(tree, object, name, text_json(text));
}

static void put_bool(struct tree *tree, json_t *object, const char *name, bool value)
{
    put(tree, object, name, json_boolean(value));
}

static void put_number(struct tree *tree, json_t *object, const char *name, int64_t value)
{
    put(tree, object, name, json_integer(value));
}

static void put_ttl(struct tree *tree, json_t *object, uint32_t ttl)
{
    put(tree, object, "ttl", ttl == UINT32_MAX ? json_null() : json_integer(ttl));
}

/* Seconds until `at`; null when that is not to come. */
static void put_until(struct tree *tree, json_t *object, const char *name, int64_t at)
{
    put(tree, object, name, at > tree->now ? json_integer((at - tree->now) / 1000) : json_null());
}

/* Seconds since `at`; null when that never was. */
static void put_since(struct tree *tree, json_t *object, const char *name, int64_t at)
{
    bool was = at != 0 && at <= tree->now;

    put(tree, object, name, was ? json_integer((tree->now - at) / 1000) : json_null());
}

/* ---- names ---- */

const char *report_starttls_name(enum starttls state)
{
    static const char *const names[] = {STARTTLS_STATES(ENUM_WORD)};

    return names[state];
}

const char *report_host_dane_name(enum host_dane state)
{
    static const char *const names[] = {HOST_DANE_STATES(ENUM_WORD)};

    return names[state];
}

static const char *const mx_names[] = {MX_STATES(ENUM_WORD)};
static const char *const sts_names[] = {STS_STATES(ENUM_WORD)};
static const char *const mode_names[] = {
    [STS_MODE_NONE] = "none", [STS_MODE_TESTING] = "testing", [STS_MODE_ENFORCE] = "enforce"};
static const char *const match_names[] = {
    [TLSA_MATCH_NONE] = "none", [TLSA_MATCH_OK] = "match", [TLSA_MATCH_MISMATCH] = "mismatch"};

/* ---- hosts ---- */

static json_t *tlsa_json(struct tree *tree, const struct tlsa *tlsa)
{
    size_t shown = tlsa->length < TLSA_SHOWN ? tlsa->length : TLSA_SHOWN;
    json_t *object = json_object();
    char hex[2 * TLSA_SHOWN + 1];

    escape_hex(hex, tlsa->data, shown);
    put_number(tree, object, "usage", tlsa->usage);
    put_number(tree, object, "selector", tlsa->selector);
    put_number(tree, object, "mtype", tlsa->matching_type);
    put_bool(tree, object, "usable", tlsa->usable);
    put_number(tree, object, "length", tlsa->length);
    put_text(tree, object, "data", hex);
    return object;
}

static json_t *address_json(struct tree *tree, const struct mx_address *address)
{
    const struct starttls_result *result = &address->starttls;
    bool tls = result->state == STARTTLS_TLS || result->state == STARTTLS_VERIFIED;
    json_t *object = json_object();
    char text[IP_TEXT_MAX];

    put_text(tree, object, "address", ip_text(&address->ip, text));
    put_bool(tree, object, "secure", address->secure);
    put_text(tree, object, "starttls", report_starttls_name(result->state));
    put_text(tree, object, "tls", result->protocol);
    put_text(tree, object, "cipher", result->cipher);
    put_text(tree, object, "chain", !tls ? NULL : result->chain_ok ? "ok" : "not trusted");
    put(tree, object, "name_ok", tls ? json_boolean(result->name_ok) : json_null());
    put_text(tree, object, "subject", result->subject);
    put(tree, object, "not_after",
        result->not_after != 0 ? json_integer(result->not_after) : json_null());
    put_text(tree, object, "tlsa", match_names[result->tlsa]);
    put_bool(tree, object, "requiretls", result->requiretls);
    put_bool(tree, object, "distrusted", result->distrusted);
    put_text(tree, object, "detail", result->detail);
    put_number(tree, object, "code", result->code);
    put_since(tree, object, "probed_s_ago", result->probed_at);
    put_until(tree, object, "next_probe_in_s", result->valid_until);
    return object;
}

static json_t *host_json(struct tree *tree, const struct mx_host *host)
{
    const struct sts_policy *policy = tree->evidence == NULL ? NULL : tree->evidence->sts.policy;
    json_t *object = json_object(), *tlsa = json_array(), *addresses = json_array();

    put_text(tree, object, "name", host->name);
    put_number(tree, object, "preference", host->preference);
    put_text(tree, object, "expanded", host->expanded);
    put_text(tree, object, "dane", report_host_dane_name(host->dane));
    put_bool(tree, object, "address_secure", host->address_secure);
    put_bool(tree, object, "addresses_known", host->addresses_known);
    put_text(tree, object, "tlsa_base", host->tlsa_base);
    put_bool(tree, object, "tlsa_short", host->tlsa_short);
    put_bool(tree, object, "tlsa_truncated", host->tlsa_truncated);
    put(tree, object, "mta_sts_match",
        policy == NULL ? json_null() : json_boolean(sts_match_policy(policy, host->name)));
    put_ttl(tree, object, host->ttl);
    put_text(tree, object, "why", host->why);
    for (size_t i = 0; i < host->tlsa_count; i++)
        add(tree, tlsa, tlsa_json(tree, &host->tlsa[i]));
    for (size_t i = 0; i < host->address_count; i++)
        add(tree, addresses, address_json(tree, &host->addresses[i]));
    put(tree, object, "tlsa", tlsa);
    put(tree, object, "addresses", addresses);
    return object;
}

/* ---- the rest of the evidence ---- */

/* `unfit`: only patterns that Postfix cannot be given. */
static void put_strings(struct tree *tree, json_t *object, const char *name,
                        const char *const *strings, size_t count, bool unfit)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        if (!unfit || !sts_match_fits_postfix(strings[i]))
            add(tree, array, text_json(strings[i]));
    put(tree, object, name, array);
}

static json_t *sts_json(struct tree *tree)
{
    static const struct sts_policy nothing;
    const struct sts_evidence *sts = &tree->evidence->sts;
    bool has_policy = sts->state == STS_POLICY && sts->policy != NULL;
    const struct sts_policy *policy = has_policy ? sts->policy : &nothing;
    json_t *object = json_object();

    put_text(tree, object, "state", sts_names[sts->state]);
    put_text(tree, object, "mode", has_policy ? mode_names[policy->mode] : NULL);
    put_bool(tree, object, "in_force", facts_policy_in_force(sts, tree->now));
    put_text(tree, object, "id", sts->id[0] == '\0' ? NULL : sts->id);
    put(tree, object, "max_age", has_policy ? json_integer(policy->max_age) : json_null());
    put_strings(tree, object, "mx", policy->mx, policy->mx_count, false);
    put_strings(tree, object, "mx_left_out", policy->mx, policy->mx_count, true);
    put_strings(tree, object, "lines", policy->lines, policy->line_count, false);
    put_since(tree, object, "fetched_s_ago", has_policy ? sts->fetched_at : 0);
    put_until(tree, object, "ends_in_s", has_policy ? sts->valid_until : 0);
    put_until(tree, object, "remembered_for_s",
              has_policy && sts->why != NULL ? sts->valid_until : 0);
    put_until(tree, object, "retry_in_s", sts->retry_at);
    put_ttl(tree, object, sts->ttl);
    put_text(tree, object, "why", sts->why);
    return object;
}

/* `expires`: seconds since 1970. */
static json_t *list_json(struct tree *tree, const struct verdict *verdict)
{
    static const char *const names[] = {LIST_MODES(ENUM_WORD)};
    const struct list_evidence *list = &tree->evidence->list;
    json_t *object, *mx;
    const char *pattern = list->mx;

    if (list->mode == LIST_NONE)
        return json_null();
    object = json_object();
    mx = json_array();
    for (size_t i = 0; i < list->mx_count; i++, pattern += strlen(pattern) + 1)
        add(tree, mx, text_json(pattern));
    put_text(tree, object, "list", list->list);
    put_text(tree, object, "mode", names[list->mode]);
    put(tree, object, "mx", mx);
    put_number(tree, object, "expires", list->expires_s);
    put_bool(tree, object, "decides", verdict->list_decides);
    return object;
}

static json_t *evidence_json(struct tree *tree, const struct verdict *verdict)
{
    const struct evidence *evidence = tree->evidence;
    json_t *object, *mx, *hosts;

    if (evidence == NULL)
        return json_null();
    object = json_object();
    mx = json_object();
    hosts = json_array();
    put_text(tree, object, "domain", evidence->domain);
    put_number(tree, object, "port", evidence->port);
    put_text(tree, object, "expanded", evidence->expanded);
    put_bool(tree, object, "complete", evidence->complete);
    put_text(tree, mx, "state", mx_names[evidence->mx]);
    put_bool(tree, mx, "secure", evidence->mx_secure);
    put_bool(tree, mx, "truncated", evidence->mx_truncated);
    put_ttl(tree, mx, evidence->mx_ttl);
    put_text(tree, mx, "why", evidence->mx_why);
    put(tree, object, "mx", mx);
    put_text(tree, object, "dane", dane_state_name(verdict->dane));
    put(tree, object, "mta_sts", sts_json(tree));
    put(tree, object, "list", list_json(tree, verdict));
    put_text(tree, object, "starttls", starttls_state_name(verdict->starttls));
    for (size_t i = 0; i < evidence->host_count; i++)
        add(tree, hosts, host_json(tree, &evidence->hosts[i]));
    put(tree, object, "hosts", hosts);
    return object;
}

/* ---- the answer and the words ---- */

static json_t *words_json(struct tree *tree, struct words words, void (*write)(struct words *words))
{
    words.sentences = json_array();
    if (words.sentences == NULL)
        tree->failed = true;
    else
        write(&words);
    tree->failed |= words.failed;
    return words.sentences;
}

/* NULL, and the tree given back, when any part of it failed. */
static json_t *finished(const struct tree *tree, json_t *object)
{
    if (!tree->failed)
        return object;
    json_decref(object);
    return NULL;
}

enum verdict_level report_held_level(const struct verdict *verdict)
{
    const struct remembered *memory = &verdict->remembered;

    if (verdict->level != VERDICT_TEMP)
        return verdict->level;
    return memory->observed >= VERDICT_VERIFY && verdict->held.until == memory->verify.until
               ? VERDICT_VERIFY
               : VERDICT_ENCRYPT;
}

static void put_held(struct tree *tree, json_t *object, const struct verdict *verdict)
{
    json_t *held;

    if (verdict->reason != REASON_HELD)
        return;
    held = json_object();
    put_text(tree, held, "level", verdict_level_name(report_held_level(verdict)));
    put_since(tree, held, "since_s", verdict->held.since);
    put_until(tree, held, "until_s", verdict->held.until);
    put(tree, object, "held", held);
}

/* Puts "OK encrypt", "NOTFOUND" or "TEMP reason", and why. `text` gets the policy or the reason.
 * `words`, unless NULL, say why a policy cannot be sent. */
static void put_answer(struct tree *tree, json_t *object, const struct final_answer *final,
                       struct buf *text, struct words *words)
{
    const struct verdict *verdict = tree->facts->verdict;
    enum answer_status status = report_answer(text, final, verdict, tree->evidence);

    put(tree, object, "answer",
        json_sprintf("%s%s%s", answer_status_name(status), text->length > 0 ? " " : "",
                     buf_text(text)));
    tree->failed |= text->failed;
    if (words != NULL) {
        put_text(tree, object, "status", answer_status_name(status));
        if (status == ANSWER_TEMP && final->level != VERDICT_TEMP)
            words->unsent = buf_text(text);
    }
    put_text(tree, object, "level", final_level_name(final));
    put_text(tree, object, "reason", report_reason_code(final, verdict->reason));
}

static void put_found(struct tree *tree, json_t *object)
{
    const struct final_answer found = {.kind = FINAL_FOUND, .level = tree->facts->verdict->level};
    json_t *part = json_object();
    struct buf text;

    buf_init(&text, RENDER_SOCKETMAP_MAX);
    put_answer(tree, part, &found, &text, NULL);
    buf_fini(&text);
    put(tree, object, "found", part);
}

/* What an MTA without DANE is told, where DANE decides. */
static void put_without_dane(struct tree *tree, json_t *object)
{
    static const struct render_capabilities without = {.text_max = RENDER_SENDMAIL_MAX,
                                                       .without_dane = true};
    const struct verdict *verdict = tree->facts->verdict;
    enum answer_status status;
    struct buf text;

    if (tree->facts->final->kind != FINAL_FOUND ||
        (verdict->level != VERDICT_DANE && verdict->level != VERDICT_DANE_ONLY))
        return;
    buf_init(&text, RENDER_SOCKETMAP_MAX);
    status = render_verdict(&text, verdict, tree->evidence, &without);
    put(tree, object, "without_dane",
        json_sprintf("%s%s%s", answer_status_name(status), text.length > 0 ? " " : "",
                     buf_text(&text)));
    tree->failed |= text.failed;
    buf_fini(&text);
}

json_t *report_explain(const struct report_facts *facts)
{
    const struct verdict *verdict = facts->verdict;
    struct tree tree = {.facts = facts, .evidence = facts->evidence, .now = facts->now};
    static const struct evidence nothing;
    struct words words = {.key = facts->key,
                          .verdict = verdict,
                          .override = facts->override,
                          .final = facts->final,
                          .evidence = facts->evidence != NULL ? facts->evidence : &nothing,
                          .looked_up = facts->evidence != NULL,
                          .now = facts->now};
    json_t *object = json_object();
    int64_t left = verdict->valid_until > facts->now ? verdict->valid_until - facts->now : 0;
    struct buf text;

    if (object == NULL)
        return NULL;
    buf_init(&text, RENDER_SOCKETMAP_MAX);
    put_text(&tree, object, "key", facts->key->text);
    put_answer(&tree, object, facts->final, &text, &words);
    put(&tree, object, "rule", report_rule(facts->override->rule));
    put_bool(&tree, object, "withheld", facts->final->withheld);
    put_found(&tree, object);
    put_without_dane(&tree, object);
    put_held(&tree, object, verdict);
    put(&tree, object, "why", words_json(&tree, words, report_write_why));
    put(&tree, object, "change", words_json(&tree, words, report_write_change));
    put_number(&tree, object, "valid_for_s", left / 1000);
    put(&tree, object, "evidence", evidence_json(&tree, verdict));
    buf_fini(&text);
    return finished(&tree, object);
}

json_t *report_host(const struct mx_host *host, int64_t now)
{
    struct tree tree = {.now = now};
    json_t *object = host_json(&tree, host);

    return finished(&tree, object);
}
