/* tls_settings: versions and ciphers in Postfix's words, and what one list has beyond another. */
#include "probe/tls/tls_settings.h"

#include <string.h>

#include "tests/unit/support/rows.h"

#define ALL      TLS_VERSIONS_ALL
#define FROM_1_2 (TLS_VERSION_1_2 | TLS_VERSION_1_3)

static const struct version_row {
    const char *name, *text;
    unsigned want; /* 0: an error */
    const char *words;
} version_rows[] = {
    {"G-18 the default", ">=TLSv1", ALL, "TLSv1, TLSv1.1, TLSv1.2, TLSv1.3"},
    {"G-18 nothing", "", ALL, "TLSv1, TLSv1.1, TLSv1.2, TLSv1.3"},
    {"G-18 from 1.2 on", ">=TLSv1.2", FROM_1_2, "TLSv1.2, TLSv1.3"},
    {"G-18 in any case", ">=tlsV1.2", FROM_1_2, "TLSv1.2, TLSv1.3"},
    {"G-18 as hexadecimal", ">=0303", FROM_1_2, "TLSv1.2, TLSv1.3"},
    {"G-18 as mailcow has it", "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", FROM_1_2, "TLSv1.2, TLSv1.3"},
    {"G-18 with colons", "!SSLv2:!SSLv3:!TLSv1", ALL & ~TLS_VERSION_1_0,
     "TLSv1.1, TLSv1.2, TLSv1.3"},
    {"G-18 included", "TLSv1.2 TLSv1.3", FROM_1_2, "TLSv1.2, TLSv1.3"},
    {"G-18 included and excluded", "TLSv1.2 TLSv1.3 !TLSv1.3", TLS_VERSION_1_2, "TLSv1.2"},
    {"G-18 between", ">=TLSv1.1, <=TLSv1.2", TLS_VERSION_1_1 | TLS_VERSION_1_2, "TLSv1.1, TLSv1.2"},
    {"G-18 a bound and a hole", ">=TLSv1 !TLSv1.1", ALL & ~TLS_VERSION_1_1,
     "TLSv1, TLSv1.2, TLSv1.3"},
    {"G-18 no bound", ">=None", ALL, "TLSv1, TLSv1.1, TLSv1.2, TLSv1.3"},
    {"G-18 none left", "SSLv3", 0, "leaves no version of TLS"},
    {"G-18 excluded all", ">=TLSv1.2 !TLSv1.2 !TLSv1.3", 0, "leaves no version of TLS"},
    {"G-18 none there yet", ">=0305", 0, "leaves no version of TLS"},
    {"G-18 another word", "TLSv2", 0, "not a version of TLS"},
    {"G-18 a bound alone", ">=", 0, "not a version of TLS"},
    {"G-18 a sign of a number", ">=-1", 0, "not a version of TLS"},
    {"G-18 31 octets", "!TLSv1.1xxxxxxxxxxxxxxxxxxxxxxx", 0, "not a version of TLS"},
    {"G-18 32 octets", "!TLSv1.1xxxxxxxxxxxxxxxxxxxxxxxx", 0, "not a version of TLS"},
};

static void test_versions(void **state)
{
    const struct version_row *row = *state;
    char text[TLS_VERSIONS_TEXT_MAX];
    unsigned got = 0;
    const char *why = tls_versions_parse(&got, row->text);

    if (row->want == 0) {
        assert_string_equal(why, row->words);
        return;
    }
    assert_null(why);
    assert_int_equal(got, row->want);
    assert_string_equal(tls_versions_text(text, got), row->words);
}

static const struct cipher_row {
    const char *name, *text;
    const char *want; /* a list; NULL: an error */
    const char *why;
} cipher_rows[] = {
    {"G-18 medium", "medium", TLS_CIPHERS_MEDIUM TLS_CIPHERS_LAST, NULL},
    {"G-18 HIGH, in any case", "High", TLS_CIPHERS_HIGH TLS_CIPHERS_LAST, NULL},
    {"G-18 low is medium", "low", TLS_CIPHERS_MEDIUM TLS_CIPHERS_LAST, NULL},
    {"G-18 export is medium", "export", TLS_CIPHERS_MEDIUM TLS_CIPHERS_LAST, NULL},
    {"G-18 exclusions", "high, !aNULL !kRSA+AES",
     TLS_CIPHERS_HIGH TLS_CIPHERS_LAST ":!aNULL:!kRSA+AES", NULL},
    {"G-18 a list", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
     "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:+aNULL:!eNULL", NULL},
    {"G-18 nothing", "", NULL, "not high, medium or a list of ciphers"},
    {"G-18 an exclusion without its mark", "high aNULL", NULL,
     "what follows the grade is !NAME, to exclude ciphers"},
    {"G-18 nothing excluded", "high !", NULL,
     "what follows the grade is !NAME, to exclude ciphers"},
    {"G-18 no cipher of that name", "null", NULL, "OpenSSL finds no cipher in it"},
    {"G-18 only without encryption", "eNULL", NULL, "OpenSSL finds no cipher in it"},
    {"G-18 all excluded", "medium !ALL", NULL, "OpenSSL finds no cipher in it"},
    {"G-18 a quote", "hi\"gh", NULL, "not high, medium or a list of ciphers"},
};

static void test_ciphers(void **state)
{
    const struct cipher_row *row = *state;
    char list[TLS_CIPHERS_MAX];
    const char *why = tls_ciphers_parse(list, row->text);

    if (row->want == NULL) {
        assert_string_equal(why, row->why);
        return;
    }
    assert_null(why);
    assert_string_equal(list, row->want);
}

/* "HIGH:x:x..." that makes a list of `length` octets. */
static const char *parse_long(size_t length)
{
    static const char last[] = TLS_CIPHERS_LAST;
    static char text[2 * TLS_CIPHERS_MAX], list[TLS_CIPHERS_MAX];

    memset(text, 'x', sizeof text);
    memcpy(text, "HIGH:", 5);
    text[length - strlen(last)] = '\0';
    return tls_ciphers_parse(list, text);
}

static void G_18_longest_list(void **state)
{
    (void)state;
    assert_null(parse_long(TLS_CIPHERS_MAX - 2));
    assert_null(parse_long(TLS_CIPHERS_MAX - 1));
    assert_string_equal(parse_long(TLS_CIPHERS_MAX), "more than 2047 octets of ciphers");
}

static void G_18_beyond(void **state)
{
    const char *example = NULL;

    (void)state;
    assert_int_equal(tls_ciphers_beyond("HIGH", "HIGH:MEDIUM", &example), 0);
    assert_int_equal(tls_ciphers_beyond("HIGH:!AES128-SHA", "HIGH", &example), 0);
    assert_int_equal(tls_ciphers_beyond("HIGH", "HIGH:!AES128-SHA", &example), 1);
    assert_string_equal(example, "AES128-SHA");
    assert_true(tls_ciphers_beyond("HIGH", "HIGH:!kRSA", &example) > 1);
    assert_int_equal(tls_ciphers_beyond("nothing", "HIGH", &example), -1);
    /* an order is no difference */
    assert_int_equal(tls_ciphers_beyond("HIGH:+aNULL", "HIGH:@STRENGTH", &example), 0);
}

int main(void)
{
    ROWS_ADD(version_rows, test_versions);
    ROWS_ADD(cipher_rows, test_ciphers);
    ROWS_ADD_TEST(G_18_longest_list);
    ROWS_ADD_TEST(G_18_beyond);
    return rows_run("tls_settings");
}
