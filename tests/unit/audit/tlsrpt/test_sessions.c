/* sessions: which result Postfix's words prove, what is kept of a stranger's text, and the bounds. */
#include "tests/unit/support/rows.h"

#include <stdio.h>

#include "audit/tlsrpt/sessions.h"

#define SPAN(text) ((struct span){text, strlen(text)})
#define R          "mx.example[192.0.2.1]:25: "

static const struct {
    const char *name;
    enum tally_cause cause;
    const char *reason, *text;
    enum tlsrpt_result want;
} result_rows[] = {
    {"not offered", TALLY_NOT_OFFERED, "TLS is required, but was not offered by host x", "",
     TLSRPT_STARTTLS_NOT_SUPPORTED},
    {"refused", TALLY_REFUSED, "TLS is required, but host x refused", "",
     TLSRPT_VALIDATION_FAILURE},
    {"handshake", TALLY_HANDSHAKE, "Cannot start TLS: handshake failure", "lost connection",
     TLSRPT_VALIDATION_FAILURE},
    {"expired", TALLY_CERTIFICATE, "", R "certificate has expired", TLSRPT_EXPIRED},
    {"self-signed", TALLY_CERTIFICATE, "", R "self-signed certificate", TLSRPT_NOT_TRUSTED},
    {"an unknown issuer", TALLY_CERTIFICATE, "", R "untrusted issuer /CN=x", TLSRPT_NOT_TRUSTED},
    {"an issuer that says otherwise", TALLY_CERTIFICATE, "",
     R "untrusted issuer /CN=x: certificate has expired", TLSRPT_NOT_TRUSTED},
    {"another name", TALLY_CERTIFICATE, "", R "num=62:hostname mismatch", TLSRPT_HOST_MISMATCH},
    {"a number alone is no proof", TALLY_CERTIFICATE, "", R "num=62:certificate has expired",
     TLSRPT_VALIDATION_FAILURE},
    {"no DANE match", TALLY_CERTIFICATE, "", R "num=65:no matching DANE TLSA records",
     TLSRPT_VALIDATION_FAILURE},
    {"nothing was said", TALLY_CERTIFICATE, "Server certificate not verified", "",
     TLSRPT_VALIDATION_FAILURE},
    {"DANE required", TALLY_NO_DANE, "no TLSA records found", "", TLSRPT_DANE_REQUIRED},
    {"unusable TLSA", TALLY_NO_DANE, "TLSA records unusable", "", TLSRPT_TLSA_INVALID},
    {"TLSA lookup", TALLY_TLSA_LOOKUP, "TLSA lookup error for x:25", "", TLSRPT_VALIDATION_FAILURE},
};

static void test_result(void **state)
{
    const __typeof__(result_rows[0]) *row = *state;

    assert_string_equal(
        tlsrpt_result_name(tlsrpt_result_of(row->cause, SPAN(row->reason), SPAN(row->text))),
        tlsrpt_result_name(row->want));
}

static void take(struct sessions *sessions, const char *domain, const char *relay, const char *text)
{
    sessions_take(sessions, &(struct track_connection){.domain = SPAN(domain),
                                                       .relay = SPAN(relay),
                                                       .level = TALLY_NONE,
                                                       .cause = TALLY_HANDSHAKE,
                                                       .reason = SPAN("Cannot start TLS"),
                                                       .text = SPAN(text)});
}

static const struct session_domain *only(const struct sessions *sessions)
{
    size_t count;
    const struct session_domain *domains = sessions_domains(sessions, &count);

    assert_int_equal(count, 1);
    return domains;
}

static void test_same_kind(void **state)
{
    struct sessions *sessions = sessions_new(NULL);
    const struct session_row *row;

    (void)state;
    take(sessions, "Example.org", "MX.example[192.0.2.1]:25", R "a\x1b[31m\"<b>\xff");
    take(sessions, "example.ORG", "mx.example[192.0.2.1]:25", R "a\x1b[31m\"<b>\xff");
    row = only(sessions)->rows;
    assert_string_equal(only(sessions)->name, "example.org");
    assert_int_equal(row->count, 2);
    assert_null(row->next);
    assert_string_equal(row->host, "mx.example");
    assert_string_equal(row->address, "192.0.2.1");
    assert_string_equal(row->text, "a\\x1b[31m\"<b>\\xff");
    sessions_free(sessions);
}

static void test_nonsense(void **state)
{
    struct sessions *sessions = sessions_new(NULL);
    size_t count;

    (void)state;
    take(sessions, "[192.0.2.1]", "x[192.0.2.1]:25", "");
    take(sessions, "[relay.example]:587", "x[192.0.2.1]:25", "");
    take(sessions, "", "", "");
    take(sessions, "a b.example", "", "");
    sessions_domains(sessions, &count);
    assert_int_equal(count, 0);
    take(sessions, "example.org", "a b[not an address]:25", "");
    assert_null(only(sessions)->rows->host);
    assert_null(only(sessions)->rows->address);
    assert_string_equal(only(sessions)->rows->text, "Cannot start TLS");
    sessions_free(sessions);
}

static const struct {
    const char *name, *relay;
    bool counted;
} relay_rows[] = {
    {"a mail host", "mx.example[9.9.9.9]:25", true},
    {"of IPv6", "mx.example[2620:fe::9]:25", true},
    {"where STARTTLS is missing", "mx.example[9.9.9.9]", true},
    {"not known", "", true},
    {"what allow-address names", "mx.example[10.1.2.3]:25", true},
    {"a content filter", "127.0.0.1[127.0.0.1]:10025", false},
    {"on the port of mail", "127.0.0.1[127.0.0.1]:25", false},
    {"of IPv6, inward", "localhost[::1]:25", false},
    {"mapped", "x.example[::ffff:10.0.0.1]:25", false},
    {"a relay inside", "relay.example[10.0.0.1]:25", false},
    {"another port", "mx.example[9.9.9.9]:587", false},
    {"a port that ends like it", "mx.example[9.9.9.9]:125", false},
};

static void test_relay(void **state)
{
    static const struct ip_prefix inside = {{4, {10, 1}}, 16};
    static const struct address_filter filter = {.allowed = &inside, .allowed_count = 1};
    const __typeof__(relay_rows[0]) *row = *state;
    struct sessions *sessions = sessions_new(&filter);
    size_t count;

    take(sessions, "example.org", row->relay, "");
    sessions_domains(sessions, &count);
    assert_int_equal(count, row->counted);
    sessions_free(sessions);
}

/* 200 octets and 64 are looked at: beyond the cut no local part can begin before it. */
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
static const struct {
    const char *name, *text, *want;
} address_rows[] = {
    {"none", "454 no TLS here", "454 no TLS here"},
    {"an address", "454 no TLS for <jane.doe@example.org>, sorry",
     "454 no TLS for <********@example.org>, sorry"},
    {"two", "a@b.example,cc@d.example", "*@b.example,**@d.example"},
    {"a quoted one", "to \"jane doe\"@example.org", "to **********@example.org"},
    {"of a certificate", "untrusted issuer /CN=x/emailAddress=root@x.example",
     "untrusted issuer /CN=x/emailAddress=****@x.example"},
    {"a sign alone", "@ x@", "@ *@"},
    {"one that is cut off", X50 X50 X50 " jane" X50 "@example.org",
     X50 X50 X50 " **********************************************..."},
};

static void test_addresses(void **state)
{
    const __typeof__(address_rows[0]) *row = *state;
    struct sessions *sessions = sessions_new(NULL);

    take(sessions, "example.org", "", row->text);
    assert_string_equal(only(sessions)->rows->text, row->want);
    sessions_free(sessions);
}

/* A text of SESSIONS_TEXT_MAX octets fits, a longer one is cut. */
static void test_text_bound(void **state)
{
    char text[SESSIONS_TEXT_MAX + 2];

    (void)state;
    for (size_t length = SESSIONS_TEXT_MAX - 1; length <= SESSIONS_TEXT_MAX + 1; length++) {
        struct sessions *sessions = sessions_new(NULL);
        size_t got;

        memset(text, 'x', length);
        text[length] = '\0';
        take(sessions, "example.org", "", text);
        got = strlen(only(sessions)->rows->text);
        assert_true(length <= SESSIONS_TEXT_MAX ? got == length : got == SESSIONS_TEXT_MAX);
        sessions_free(sessions);
    }
}

/* A server with another text each time takes a bounded number of rows; the sum stays. */
static void test_row_bound(void **state)
{
    struct sessions *sessions = sessions_new(NULL);
    uint64_t sum = 0;
    char text[40];

    (void)state;
    for (int i = 0; i < SESSIONS_ROWS_MAX; i++) {
        snprintf(text, sizeof text, "text %d", i);
        take(sessions, "example.org", "", text);
    }
    assert_int_equal(only(sessions)->row_count, SESSIONS_ROWS_MAX);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "text %d", i);
        take(sessions, "example.org", "", text);
    }
    assert_int_equal(only(sessions)->row_count, SESSIONS_ROWS_MAX + 1);
    for (const struct session_row *row = only(sessions)->rows; row != NULL; row = row->next)
        sum += row->count;
    assert_int_equal(sum, SESSIONS_ROWS_MAX + 1000);
    assert_int_equal(sessions_lost(sessions), 0);
    sessions_free(sessions);
}

static void test_domain_bound(void **state)
{
    struct sessions *sessions = sessions_new(NULL);
    char name[40];
    size_t count;

    (void)state;
    for (int i = 0; i <= SESSIONS_DOMAINS_MAX; i++) {
        snprintf(name, sizeof name, "d%d.example", i);
        take(sessions, name, "", "");
    }
    take(sessions, "d0.example", "", "");
    sessions_domains(sessions, &count);
    assert_int_equal(count, SESSIONS_DOMAINS_MAX);
    assert_int_equal(sessions_lost(sessions), 1);
    sessions_free(sessions);
}

int main(void)
{
    ROWS_ADD(result_rows, test_result);
    ROWS_ADD(relay_rows, test_relay);
    ROWS_ADD(address_rows, test_addresses);
    ROWS_ADD_TEST(test_same_kind);
    ROWS_ADD_TEST(test_nonsense);
    ROWS_ADD_TEST(test_text_bound);
    ROWS_ADD_TEST(test_row_bound);
    ROWS_ADD_TEST(test_domain_bound);
    return rows_run("sessions");
}
