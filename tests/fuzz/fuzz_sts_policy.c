/* Any octets as a policy file: whatever is taken is safe in a reply to Postfix (hostile 7). */
#include <string.h>

#include "base/check.h"
#include "base/net/hostname.h"
#include "probe/sts/sts_cache.h"
#include "probe/sts/sts_parse.h"

#define ARENA_OCTETS (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_policy(const struct sts_policy *policy)
{
    CHECK(policy->mode <= STS_MODE_ENFORCE && policy->max_age <= STS_MAX_AGE_MAX);
    CHECK(policy->mx_count <= STS_MX_MAX);
    CHECK(policy->mx_count > 0 || policy->mode == STS_MODE_NONE);
    for (size_t i = 0; i < policy->mx_count; i++) {
        const char *name = policy->mx[i];

        if (strncmp(name, "*.", 2) == 0)
            name += 2;
        CHECK(hostname_is_domain(name, strlen(name)));
    }
    for (size_t i = 0; i < policy->line_count; i++)
        for (const char *c = policy->lines[i]; *c != '\0'; c++)
            CHECK(*c >= ' ' && *c < 0x7f && *c != '{' && *c != '}');
}

/* A memory keeps the lines as text: they must parse to the same policy again. */
static void check_remembered(struct arena *arena, const struct sts_policy *policy)
{
    const struct sts_cache_options options = {10, SIZE_MAX, 1000, 1000};
    struct sts_cache *cache = sts_cache_new(&options);
    struct sts_evidence out = {0};

    sts_cache_store(cache, "d.test", "1", policy, 1);
    CHECK(sts_cache_policy(cache, arena, "d.test", 1, &out) == (policy->max_age > 0));
    if (policy->max_age > 0) {
        CHECK(out.policy->mode == policy->mode && out.policy->max_age == policy->max_age);
        CHECK(out.policy->mx_count == policy->mx_count);
        CHECK(out.policy->line_count == policy->line_count);
        for (size_t i = 0; i < policy->mx_count; i++)
            CHECK(strcmp(out.policy->mx[i], policy->mx[i]) == 0);
        for (size_t i = 0; i < policy->line_count; i++)
            CHECK(strcmp(out.policy->lines[i], policy->lines[i]) == 0);
    }
    sts_cache_free(cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(ARENA_OCTETS);
    const char *why = NULL;
    const struct sts_policy *policy = sts_parse_policy(arena, (const char *)data, size, &why);

    CHECK((policy != NULL) == (why == NULL));
    if (policy != NULL) {
        check_policy(policy);
        check_remembered(arena, policy);
    }
    arena_free(arena);
    return 0;
}
