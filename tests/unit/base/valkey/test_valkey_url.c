/* valkey_url: every part of a URL, its limits, and what is told of one. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/valkey/valkey_url.h"

/* What is told of a URL is what it says, with what it leaves out, and without who logs in. */
static void urls_that_are_good(void **state)
{
    static const struct {
        const char *text, *told, *user, *password;
    } rows[] = {
        {"valkey://cache.example", "valkey://cache.example:6379", "", ""},
        {"redis://192.0.2.1:7000/3", "valkey://192.0.2.1:7000/3", "", ""},
        {"valkeys://Cache.Example/", "valkeys://cache.example:6379", "", ""},
        {"rediss://[2001:db8::1]", "valkeys://[2001:db8::1]:6379", "", ""},
        {"valkey://[2001:db8::1]:1", "valkey://[2001:db8::1]:1", "", ""},
        {"valkey://:secret@a.example", "valkey://a.example:6379", "", "secret"},
        {"valkey://relay:s%40%3Ac%2f%25@a.example,b.example:65535/15",
         "valkey://a.example:6379,b.example:65535/15", "relay", "s@:c/%"},
        {"valkey://relay:@a.example", "valkey://a.example:6379", "relay", ""},
        {"valkey://single", "valkey://single:6379", "", ""},
        {"valkey+unix:///run/valkey.sock", "valkey+unix:///run/valkey.sock", "", ""},
        {"valkey+unix://u:p@/run/v%20k.sock?db=2", "valkey+unix:///run/v k.sock?db=2", "u", "p"},
        {"valkey+sentinel://s1.example,s2.example:5/mail",
         "valkey+sentinel://s1.example:26379,s2.example:5/mail", "", ""},
        {"valkeys+sentinel://u:p@s1.example/mail/4", "valkeys+sentinel://s1.example:26379/mail/4",
         "u", "p"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char told[VALKEY_URL_TEXT_MAX];
        struct valkey_url url;

        assert_null(valkey_url_parse(&url, rows[i].text));
        assert_string_equal(valkey_url_text(&url, told), rows[i].told);
        assert_string_equal(url.user, rows[i].user);
        assert_string_equal(url.password, rows[i].password);
        assert_int_equal(url.tls, strncmp(rows[i].told, "valkeys", 7) == 0);
    }
}

static void urls_that_are_none(void **state)
{
    static const char *const rows[][2] = {
        {"", "begins with"},
        {"http://a.example", "begins with"},
        {"VALKEY://a.example", "begins with"},
        {"valkey:/a.example", "begins with"},
        {"valkey://", "neither a host name"},
        {"valkey:///0", "neither a host name"},
        {"valkey://a.example,", "neither a host name"},
        {"valkey://,a.example", "neither a host name"},
        {"valkey://a b", "neither a host name"},
        {"valkey://-a.example", "neither a host name"},
        {"valkey://2001:db8::1", "neither a host name"},
        {"valkey://[192.0.2.1]", "neither a host name"},
        {"valkey://[a.example]", "neither a host name"},
        {"valkey://[2001:db8::1", "a [ without"},
        {"valkey://[2001:db8::1]7", "a [ without"},
        {"valkey://a.example:", "a port"},
        {"valkey://a.example:0", "a port"},
        {"valkey://a.example:65536", "a port"},
        {"valkey://a.example:6379x", "a port"},
        {"valkey://a.example:-1", "a port"},
        {"valkey://a.example/16", "the database"},
        {"valkey://a.example/x", "the database"},
        {"valkey://a.example/1/2", "the database"},
        {"valkey://user@a.example", "no password"},
        {"valkey://u:p%0@a.example", "the password"},
        {"valkey://u:p%zz@a.example", "the password"},
        {"valkey://u:p%00@a.example", "the password"},
        {"valkey://u%0a:p@a.example", "the user"},
        {"valkey://a,b,c,d,e,f,g,h,i", "more than 8"},
        {"valkey+unix://run/valkey.sock", "the path"},
        {"valkey+unix://", "the path"},
        {"valkey+unix:///run/valkey.sock?db=16", "the database"},
        {"valkey+unix:///run/valkey.sock?x=1", "only ?db="},
        {"valkey+unix:///run/valkey.sock?db=", "the database"},
        {"valkeys+unix:///run/valkey.sock", "begins with"},
        {"valkey+sentinel://a.example", "behind the Sentinels"},
        {"valkey+sentinel://a.example/", "the name of the primary"},
        {"valkey+sentinel://a.example/mail/16", "the database"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct valkey_url url;
        const char *why = valkey_url_parse(&url, rows[i][0]);

        assert_non_null(why);
        assert_non_null(strstr(why, rows[i][1]));
    }
}

/* SCHEME, then `count` times `letter`, then REST. */
static const char *parse_long(const char *scheme, size_t count, char letter, const char *rest)
{
    char text[VALKEY_URL_MAX + 200], many[VALKEY_URL_MAX + 2];
    struct valkey_url url;

    assert_true(count < sizeof many);
    memset(many, letter, count);
    many[count] = '\0';
    snprintf(text, sizeof text, "%s%s%s", scheme, many, rest);
    return valkey_url_parse(&url, text);
}

static void every_part_has_a_limit(void **state)
{
    static const struct {
        const char *scheme, *rest;
        size_t most;
        char letter;
    } rows[] = {
        {"valkey://", ":p@a.example", VALKEY_USER_MAX, 'u'},
        {"valkey://:", "@a.example", VALKEY_PASSWORD_MAX, 'p'},
        {"valkey://", ".example", HOSTNAME_LABEL_MAX, 'a'},
        {"valkey+unix:///", "", VALKEY_PATH_MAX - 1, 'x'},
        {"valkey+sentinel://a.example/", "", VALKEY_NAME_MAX, 'n'},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_null(parse_long(rows[i].scheme, rows[i].most, rows[i].letter, rows[i].rest));
        assert_non_null(parse_long(rows[i].scheme, rows[i].most + 1, rows[i].letter, rows[i].rest));
    }
    assert_non_null(strstr(parse_long("", VALKEY_URL_MAX + 1, 'x', ""), "2048"));
}

/* As long as a URL may be: its text has room. */
static void the_longest_text(void **state)
{
    char text[VALKEY_URL_MAX + 1] = "valkey://", told[VALKEY_URL_TEXT_MAX];
    struct valkey_url url;

    (void)state;
    for (int i = 0; i < VALKEY_SERVERS_MAX; i++) {
        size_t length = strlen(text);

        for (int labels = 0; labels < 4; labels++) {
            memset(text + length, 'a', 62);
            text[length + 62] = labels < 3 ? '.' : ',';
            length += 63;
        }
        text[length - (i == VALKEY_SERVERS_MAX - 1)] = '\0';
    }
    assert_null(valkey_url_parse(&url, text));
    valkey_url_text(&url, told);
    assert_int_equal(strlen(told), strlen(text) + VALKEY_SERVERS_MAX * strlen(":6379"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_that_are_good),
        cmocka_unit_test(urls_that_are_none),
        cmocka_unit_test(every_part_has_a_limit),
        cmocka_unit_test(the_longest_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
