/* tlsrpt_file, tlsrpt_mail: names, octets, and the message around them. */
#include "tests/unit/support/rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/tlsrpt/tlsrpt_mail.h"

#define LABEL  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa." /* 51 */
#define NUMBER "!1795737600!1795823999!1a.json.gz"

static const struct {
    const char *name, *file;
    bool good;
} name_rows[] = {
    {"RFC 8460's, packed", "mail.sndr.example.com!example.net!1470013207!1470186007!1.json.gz",
     true},
    {"without unique-id", "sndr.example.com!example.net!1470013207!1470186007.json.gz", false},
    {"plain JSON", "sndr.example.com!example.net!1!2!1.json", false},
    {"the temporary one", "s.example!d.example" NUMBER ".12-0.tmp", false},
    {"a path", "../s.example!d.example" NUMBER, false},
    {"a path as the domain", "s.example!../d" NUMBER, false},
    {"nothing", "", false},
    {"the extension", ".json.gz", false},
    {"a number with letters", "s.example!d.example!1a!2!1.json.gz", false},
    {"no number", "s.example!d.example!!2!1.json.gz", false},
    {"a long number", "s.example!d.example!1234567890123!2!1.json.gz", false},
    {"a sign", "s.example!d.example!-1!2!1.json.gz", false},
    {"a unique-id with a hyphen", "s.example!d.example!1!2!1-1.json.gz", false},
    {"a unique-id of 32", "s.example!d.example!1!2!12345678901234567890123456789012.json.gz", true},
    {"a unique-id of 33", "s.example!d.example!1!2!123456789012345678901234567890123.json.gz",
     false},
    {"a line end", "s.example!d.example\n" NUMBER, false},
    {"the journal", "journal", false},
};

static void test_name(void **state)
{
    const __typeof__(name_rows[0]) *row = *state;
    struct tlsrpt_name name;

    assert_int_equal(tlsrpt_name_read(&name, row->file), row->good);
}

/* What is made can be read, up to the bound. */
static void test_made_name(void **state)
{
    struct tlsrpt_day day = {
        .submitter = "s.example", .unique = "1a", .begin = 1795737600, .end = 1795824000};
    char out[TLSRPT_NAME_MAX + 1], domain[TLSRPT_NAME_MAX + 1] = LABEL LABEL LABEL;
    size_t rest = strlen("s.example!" NUMBER);
    struct tlsrpt_name name;

    (void)state;
    assert_true(tlsrpt_name_make(out, &day, "d.example"));
    assert_string_equal(out, "s.example!d.example" NUMBER);
    assert_true(tlsrpt_name_read(&name, out));
    assert_string_equal(name.domain, "d.example");
    assert_string_equal(name.submitter, "s.example");
    assert_int_equal(name.begin, day.begin);
    assert_int_equal(name.end, day.end - 1);
    for (size_t length = TLSRPT_NAME_MAX - 1; length <= TLSRPT_NAME_MAX + 1; length++) {
        size_t had = strlen(LABEL LABEL LABEL);

        memset(domain + had, 'b', length - rest - had);
        domain[length - rest] = '\0';
        assert_int_equal(tlsrpt_name_make(out, &day, domain), length <= TLSRPT_NAME_MAX);
    }
}

/* ---- octets ---- */

static void test_pack(void **state)
{
    json_t *report = json_pack("{s:s, s:[]}", "report-id", "x", "policies"), *read;
    struct buf packed, text;
    struct tlsrpt_heading heading;

    (void)state;
    buf_init(&packed, TLSRPT_GZIP_MAX);
    buf_init(&text, TLSRPT_JSON_MAX);
    assert_true(tlsrpt_pack(&packed, report));
    assert_null(tlsrpt_unpack(&text, packed.data, packed.length));
    read = json_loadb(text.data, text.length, 0, NULL);
    assert_true(json_equal(read, report));
    assert_true(tlsrpt_heading_read(&heading, read));
    assert_string_equal(heading.id, "x");
    assert_string_equal(heading.contact, "");
    for (size_t cut = 2; cut < packed.length; cut++) {
        buf_clear(&text);
        assert_non_null(tlsrpt_unpack(&text, packed.data, cut));
    }
    buf_add(&packed, "x", 1);
    buf_clear(&text);
    assert_string_equal(tlsrpt_unpack(&text, packed.data, packed.length),
                        "something stands behind its end");
    json_decref(read);
    json_decref(report);
    buf_fini(&packed);
    buf_fini(&text);
}

static json_t *report_of_length(size_t length)
{
    char *much = malloc(length);
    json_t *report;

    memset(much, 'x', length - 4); /* and brackets and quotes */
    much[length - 4] = '\0';
    report = json_pack("[s]", much);
    free(much);
    return report;
}

static void test_pack_bound(void **state)
{
    (void)state;
    for (size_t length = TLSRPT_JSON_MAX - 1; length <= TLSRPT_JSON_MAX + 1; length++) {
        json_t *report = report_of_length(length);
        struct buf packed;

        buf_init(&packed, TLSRPT_GZIP_MAX);
        assert_int_equal(tlsrpt_pack(&packed, report), length <= TLSRPT_JSON_MAX);
        buf_fini(&packed);
        json_decref(report);
    }
}

/* Little that unpacks to much. */
static void test_bomb(void **state)
{
    json_t *report = report_of_length(TLSRPT_JSON_MAX);
    struct buf packed, text;

    (void)state;
    buf_init(&packed, TLSRPT_GZIP_MAX);
    assert_true(tlsrpt_pack(&packed, report));
    buf_init(&text, TLSRPT_JSON_MAX);
    assert_null(tlsrpt_unpack(&text, packed.data, packed.length));
    assert_int_equal(text.length, TLSRPT_JSON_MAX);
    buf_fini(&text);
    buf_init(&text, TLSRPT_JSON_MAX - 1);
    assert_string_equal(tlsrpt_unpack(&text, packed.data, packed.length), "it is too long");
    buf_fini(&text);
    buf_fini(&packed);
    json_decref(report);
}

static void test_no_report(void **state)
{
    static const char *const texts[] = {"[]",
                                        "{}",
                                        "1",
                                        "{\"report-id\": \"x\"}",
                                        "{\"report-id\": 1, \"policies\": []}",
                                        "{\"report-id\": \"x\", \"policies\": {}}"};
    struct tlsrpt_heading heading;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_t *report = json_loads(texts[i], JSON_DECODE_ANY, NULL);

        assert_false(tlsrpt_heading_read(&heading, report));
        json_decref(report);
    }
}

/* ---- mail ---- */

static void write_mail(struct buf *out, size_t length, const char *id, const char *organization)
{
    struct tlsrpt_mail mail = {.name = "s.example!d.example" NUMBER,
                               .recipient = "tlsrpt@d.example",
                               .contact = "tlsrpt@s.example",
                               .organization = organization,
                               .id = id,
                               .now = 1795834000,
                               .data = "\x1f\x8b\x08\xff\xfe\xfd",
                               .length = length};

    assert_true(tlsrpt_name_read(&mail.about, mail.name));
    assert_true(tlsrpt_mail_write(out, &mail));
}

static void test_mail(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 10000);
    write_mail(&out, 6, "1.1a.d.example@s.example", "Example");
    assert_non_null(strstr(out.data,
                           "From: \"Example\" <tlsrpt@s.example>\nTo: <tlsrpt@d.example>\n"
                           "Subject: Report Domain: d.example\n Submitter: s.example\n "
                           "Report-ID: <1.1a.d.example@s.example>\n"
                           "Date: Sat, 28 Nov 2026 02:46:40 +0000\n"));
    assert_non_null(strstr(out.data,
                           "TLS-Report-Domain: d.example\nTLS-Report-Submitter: s.example\n"
                           "TLS-Required: No\nAuto-Submitted: auto-generated\n"
                           "MIME-Version: 1.0\nContent-Type: multipart/report; "
                           "report-type=\"tlsrpt\";\n"));
    assert_non_null(
        strstr(out.data, "\n filename=\"s.example!d.example" NUMBER "\"\n\nH4sI//79\n"));
    buf_fini(&out);
}

/* An end of base64 in each of its forms. */
static void test_base64(void **state)
{
    static const char *const want[] = {"\n\nHw==\n", "\n\nH4s=\n", "\n\nH4sI\n", "\n\nH4sI/w==\n"};
    struct buf out;

    (void)state;
    for (size_t length = 1; length <= COUNT(want); length++) {
        buf_init(&out, 10000);
        write_mail(&out, length, "x", "Example");
        assert_non_null(strstr(out.data, want[length - 1]));
        buf_fini(&out);
    }
}

/* What anybody may have written into the file begins no header and no part. */
static void test_hostile_mail(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 10000);
    write_mail(&out, 6, "x>\nBcc: all@example.org\n\n--=_tlsrpt\n\"\\\x1b\xff", "a\"\r\nBcc: b\\");
    assert_null(strstr(out.data, "\nBcc"));
    assert_null(strchr(out.data, '\x1b'));
    assert_null(strchr(out.data, '\xff'));
    assert_null(strchr(out.data, '\r'));
    assert_non_null(strstr(out.data, "From: \"aBcc b\" <tlsrpt@s.example>\n"));
    assert_non_null(strstr(out.data, "Report-ID: <xBcc all@example.org--=_tlsrpt>\n"));
    buf_fini(&out);
}

/* The longest report-id, of a file whose name is as long as can be: cut, it would be another one. */
static void test_long_id(void **state)
{
    char id[TLSRPT_NAME_MAX + 2], want[TLSRPT_NAME_MAX + 40];
    struct buf out;

    (void)state;
    for (size_t length = TLSRPT_NAME_MAX - 1; length <= TLSRPT_NAME_MAX + 1; length++) {
        memset(id, 'x', length);
        id[length] = '\0';
        snprintf(want, sizeof want, "Report-ID: <%.*s>\n", TLSRPT_NAME_MAX, id);
        buf_init(&out, 10000);
        write_mail(&out, 6, id, "Example");
        assert_non_null(strstr(out.data, want));
        buf_fini(&out);
    }
}

static void test_long_mail(void **state)
{
    struct tlsrpt_mail mail = {.name = "x",
                               .recipient = "a@b.example",
                               .contact = "a@b.example",
                               .organization = "x",
                               .id = "x",
                               .data = "x",
                               .length = 1};
    struct buf out;
    size_t whole;

    (void)state;
    buf_init(&out, 10000);
    assert_true(tlsrpt_mail_write(&out, &mail));
    whole = out.length;
    buf_fini(&out);
    for (size_t limit = whole - 1; limit <= whole + 1; limit++) {
        buf_init(&out, limit);
        assert_int_equal(tlsrpt_mail_write(&out, &mail), limit >= whole);
        buf_fini(&out);
    }
}

int main(void)
{
    ROWS_ADD(name_rows, test_name);
    ROWS_ADD_TEST(test_made_name);
    ROWS_ADD_TEST(test_pack);
    ROWS_ADD_TEST(test_pack_bound);
    ROWS_ADD_TEST(test_bomb);
    ROWS_ADD_TEST(test_no_report);
    ROWS_ADD_TEST(test_mail);
    ROWS_ADD_TEST(test_base64);
    ROWS_ADD_TEST(test_hostile_mail);
    ROWS_ADD_TEST(test_long_id);
    ROWS_ADD_TEST(test_long_mail);
    return rows_run("tlsrpt_file");
}
