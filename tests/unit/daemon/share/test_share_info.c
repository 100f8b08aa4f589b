/* share_info: what servers say of themselves, and what anybody might. */
#include "tests/unit/support/unit.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/share/share_info.h"

#define MEMORY "used_memory:1000\r\nmaxmemory:2000\r\nmaxmemory_policy:volatile-ttl\r\n"
#define REST   "evicted_keys:7\r\naof_enabled:1\r\n"

static struct share_info read_good(const char *text)
{
    struct share_info info;

    assert_null(share_info_read(&info, text, strlen(text)));
    return info;
}

static void of_redis(void **state)
{
    struct share_info info =
        read_good("# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\n" MEMORY REST);

    (void)state;
    assert_false(info.valkey);
    assert_string_equal(info.version, "7.0.15");
    assert_string_equal(info.policy, "volatile-ttl");
    assert_int_equal(info.used_octets, 1000);
    assert_int_equal(info.max_octets, 2000);
    assert_int_equal(info.evicted, 7);
    assert_true(info.appends);
}

static void of_valkey(void **state)
{
    struct share_info info =
        read_good("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n" MEMORY);

    (void)state;
    assert_true(info.valkey);
    assert_string_equal(info.version, "8.1.1");
    assert_int_equal(info.evicted, 0);
    assert_false(info.appends);
}

static void without_what_is_needed(void **state)
{
    static const char *const wrong[] = {
        "",
        "\n",
        ":",
        "redis_version:7",
        MEMORY,
        "redis_version:\r\n" MEMORY,
        "redis_version:7 1\r\n" MEMORY,
        "redis_version:7\x1b[0m\r\n" MEMORY,
        "redis_version:123456789012345678901234567890123\r\n" MEMORY,
        "xredis_version:7\r\n" MEMORY,
        "redis_version:7\r\nused_memory:1\r\nmaxmemory:-1\r\nmaxmemory_policy:x\r\n",
        "redis_version:7\r\nused_memory:\r\nmaxmemory:1\r\nmaxmemory_policy:x\r\n",
        "redis_version:7\r\nused_memory:1234567890123456789\r\nmaxmemory:1\r\nmaxmemory_policy:x",
        "redis_version:7\r\nused_memory:1\r\nmaxmemory:1\r\nmaxmemory_policy:x y",
    };
    struct share_info info;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_non_null(share_info_read(&info, wrong[i], strlen(wrong[i])));
    read_good("redis_version:12345678901234567890123456789012\nused_memory:123456789012345678\n"
              "maxmemory:0\nmaxmemory_policy:x");
}

static void it_has_a_limit(void **state)
{
    static const char start[] = "redis_version:7\r\n" MEMORY;
    char *text = malloc(SHARE_INFO_MAX + 1);
    struct share_info info;

    (void)state;
    memset(text, 'x', SHARE_INFO_MAX + 1);
    memcpy(text, start, sizeof start - 1);
    assert_null(share_info_read(&info, text, SHARE_INFO_MAX - 1));
    assert_null(share_info_read(&info, text, SHARE_INFO_MAX));
    assert_non_null(share_info_read(&info, text, SHARE_INFO_MAX + 1));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_redis),
        cmocka_unit_test(of_valkey),
        cmocka_unit_test(without_what_is_needed),
        cmocka_unit_test(it_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
