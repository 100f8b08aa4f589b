/*
 * fuzz_policy_list: any octets as a policy list. What is taken is JSON for jansson too and says the
 * same there; it is safe in a reply to Postfix; and what is written of it is read as the same.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/net/hostname.h"
#include "policy/list/policy_list_judge.h"
#include "policy/list/policy_list_write.h"
#include "policy/sts_match.h"

#define TEXT_MAX (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- beside jansson ---- */

static bool has_pattern(const struct policy_list_entry *entry, const char *host)
{
    const char *each = entry->mx;

    for (size_t i = 0; i < entry->mx_count; i++, each += strlen(each) + 1)
        if (host[0] == '.' ? each[0] == '*' && hostname_equal(each + 1, host)
                           : hostname_equal(each, host))
            return true;
    return false;
}

static void check_policy(const struct policy_list_entry *entry, const json_t *policy)
{
    json_t *mxs = json_object_get(policy, "mxs"), *host;
    size_t i;

    CHECK(json_object_size(policy) == 2);
    CHECK(strcmp(json_string_value(json_object_get(policy, "mode")),
                 entry->mode == LIST_ENFORCE ? "enforce" : "testing") == 0);
    CHECK(json_array_size(mxs) == entry->mx_count);
    json_array_foreach(mxs, i, host) CHECK(has_pattern(entry, json_string_value(host)));
}

static void check_domains(const struct policy_list *list, json_t *root)
{
    json_t *aliases = json_object_get(root, "policy-aliases"), *policy;
    struct policy_list_entry entry;
    const char *domain;

    json_object_foreach(json_object_get(root, "policies"), domain, policy)
    {
        const char *alias = json_string_value(json_object_get(policy, "policy-alias"));
        char folded[HOSTNAME_MAX + 1];

        CHECK(strlen(domain) <= HOSTNAME_MAX);
        strcpy(folded, domain);
        hostname_fold(folded, strlen(folded));
        CHECK(policy_list_find(&entry, list, folded));
        CHECK((alias == NULL) == (entry.alias == NULL));
        if (alias != NULL) {
            CHECK(strcmp(alias, entry.alias) == 0 && json_object_size(policy) == 1);
            policy = json_object_get(aliases, alias);
        }
        check_policy(&entry, policy);
    }
}

static void check_time(const json_t *json, int64_t time_s)
{
    int64_t parsed;

    if (json_is_integer(json))
        CHECK(json_integer_value(json) == time_s);
    else
        CHECK(policy_list_time_parse(&parsed, json_string_value(json)) && parsed == time_s);
    CHECK(time_s >= 0 && time_s <= POLICY_LIST_TIME_MAX);
}

static void check_same(const struct policy_list *list, const uint8_t *data, size_t size)
{
    const struct policy_list_header *header = policy_list_header(list);
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL), *author;

    CHECK(root != NULL);
    author = json_object_get(root, "author");
    CHECK(json_object_size(root) == 5 + (author != NULL));
    CHECK(strcmp(json_string_value(json_object_get(root, "version")), "0.1") == 0);
    CHECK((author == NULL) == (header->author == NULL));
    CHECK(author == NULL || strcmp(json_string_value(author), header->author) == 0);
    check_time(json_object_get(root, "timestamp"), header->timestamp_s);
    check_time(json_object_get(root, "expires"), header->expires_s);
    CHECK(json_object_size(json_object_get(root, "policies")) == header->domains);
    CHECK(json_object_size(json_object_get(root, "policy-aliases")) == header->aliases);
    check_domains(list, root);
    json_decref(root);
}

/* ---- what it says ---- */

static void check_entry(const struct policy_list_entry *entry)
{
    const char *host = entry->mx, *before = "";

    CHECK(hostname_canonical(entry->domain) && sts_match_fits_postfix(entry->domain));
    CHECK(entry->mode == LIST_TESTING || entry->mode == LIST_ENFORCE);
    CHECK(entry->mx_count > 0 && entry->mx_count <= POLICY_LIST_MXS_MAX);
    for (size_t i = 0; i < entry->mx_count; i++, before = host, host += strlen(host) + 1) {
        CHECK(strcmp(before, host) < 0);
        CHECK(sts_match_fits_postfix(host));
        for (const char *c = host; *c != '\0'; c++)
            CHECK(*c < 'A' || *c > 'Z');
    }
}

static void no_change(void *context, enum policy_list_change change,
                      const struct policy_list_entry *was, const struct policy_list_entry *now)
{
    (void)context;
    (void)change;
    CHECK(was == NULL && now == NULL);
}

static void check_written(const struct policy_list *list, const struct policy_list_entry *entries)
{
    char error[POLICY_LIST_ERROR_MAX];
    struct policy_list *again;
    struct buf text;

    buf_init(&text, TEXT_MAX);
    policy_list_write(&text, policy_list_header(list), entries, policy_list_header(list)->domains);
    CHECK(!text.failed);
    CHECK(policy_list_read(&again, buf_text(&text), text.length, error) == 0);
    CHECK(policy_list_header(again)->domains == policy_list_header(list)->domains);
    CHECK(policy_list_diff(list, again, no_change, NULL));
    policy_list_free(again);
    buf_fini(&text);
}

static void check_list(const struct policy_list *list, size_t size)
{
    const struct policy_list_header *header = policy_list_header(list);
    struct policy_list_entry *entries = calloc(header->domains + 1, sizeof *entries);
    char why[POLICY_LIST_ERROR_MAX];
    size_t at = 0, count = 0;

    CHECK(entries != NULL);
    for (; policy_list_next(&entries[count], list, &at); count++)
        check_entry(&entries[count]);
    CHECK(count == header->domains);
    CHECK(policy_list_octets(list) <=
          size + 1024 + POLICY_LIST_OCTETS_EACH * (count + header->aliases));
    CHECK((policy_list_judge(header, 0, 0, header->timestamp_s, why) == POLICY_LIST_IN_FORCE) ==
          (why[0] == '\0'));
    check_written(list, entries);
    free(entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[POLICY_LIST_ERROR_MAX] = "";
    struct policy_list *list;

    if (policy_list_read(&list, (const char *)data, size, error) != 0) {
        CHECK(list == NULL && error[0] != '\0');
        for (const char *c = error; *c != '\0'; c++)
            CHECK(*c >= ' ' && *c <= '~');
        return 0;
    }
    check_same(list, data, size);
    check_list(list, size);
    policy_list_free(list);
    return 0;
}
