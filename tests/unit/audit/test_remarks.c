/* remarks: each is said when its number is not 0, and only then. */
#include "tests/unit/support/unit.h"

#include <string.h>

#include "audit/remarks.h"

struct said {
    struct arena *arena;
    struct tally *tally;
    struct remarks_reading reading;
    const char *remarks[REMARKS_MAX];
};

static void begin(struct said *said)
{
    *said = (struct said){.arena = arena_new(65536), .tally = tally_new(&TALLY_LIMITS_DEFAULT)};
    assert_non_null(said->arena);
    assert_non_null(said->tally);
}

static void end(struct said *said)
{
    tally_free(said->tally);
    arena_free(said->arena);
}

static size_t say(struct said *said)
{
    size_t count = 0;

    remarks_of(said->remarks, said->arena, said->tally, &said->reading);
    while (said->remarks[count] != NULL)
        count++;
    return count;
}

static void nothing_lacks_and_nothing_is_said(void **state)
{
    struct said said;

    (void)state;
    begin(&said);
    assert_int_equal(say(&said), 0);
    end(&said);
}

static void the_remedy_is_said_where_it_is_one(void **state)
{
    struct said said;

    (void)state;
    begin(&said);
    said.tally->unlogged = 7;
    said.tally->total.levels[TALLY_UNKNOWN] = 9;
    assert_int_equal(say(&said), 2);
    assert_non_null(strstr(said.remarks[0], ": 7."));
    assert_non_null(strstr(said.remarks[0], "smtp_tls_loglevel = 1"));
    assert_non_null(strstr(said.remarks[1], ": 2."));
    said.reading.tls_is_logged = true;
    assert_int_equal(say(&said), 2);
    assert_null(strstr(said.remarks[0], "smtp_tls_loglevel"));
    end(&said);
}

static void all_of_them_find_room(void **state)
{
    struct said said;

    (void)state;
    begin(&said);
    said.tally->unlogged = said.tally->domains_folded = said.tally->hosts_folded = 1;
    said.tally->troubles_folded = said.tally->days_folded = said.tally->messages_forgotten = 1;
    said.tally->suppressed = said.tally->lines_unread = 1;
    said.tally->total.levels[TALLY_UNKNOWN] = 2;
    said.tally->no_memory = true;
    said.reading = (struct remarks_reading){.unread_places = 1, .cut_lines = 1};
    assert_int_equal(say(&said), 12);
    assert_non_null(strstr(said.remarks[11], "Memory"));
    end(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_lacks_and_nothing_is_said),
        cmocka_unit_test(the_remedy_is_said_where_it_is_one),
        cmocka_unit_test(all_of_them_find_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
