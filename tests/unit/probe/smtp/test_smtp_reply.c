/* SMTP replies, whole, octet by octet, and at every limit. */
#include "probe/smtp/smtp_reply.h"

#include <stdio.h>

#include "tests/unit/support/rows.h"

struct reply_case {
    const char *name;
    const char *octets;
    enum smtp_reply_status want;
    int code;
    bool starttls;
    size_t left;      /* octets that belong to no reply yet */
    const char *text; /* or why; NULL: not looked at */
};

#define MORE SMTP_REPLY_MORE
#define DONE SMTP_REPLY_DONE
#define BAD  SMTP_REPLY_BAD

static const struct reply_case cases[] = {
    {"one line", "220 mx.example ESMTP\r\n", DONE, 220, false, 0, "mx.example ESMTP"},
    {"G-12 several lines", "220-a\r\n220-b\r\n220 c\r\n", DONE, 220, false, 0, "a"},
    {"code alone", "250\r\n", DONE, 250, false, 0, ""},
    {"code and blank", "250 \r\n", DONE, 250, false, 0, ""},
    {"bare LF", "250-a\n250 STARTTLS\n", DONE, 250, true, 0, "a"},
    {"not complete", "220-a\r\n220 b\r", MORE, 0, false, 0, NULL},
    {"nothing", "", MORE, 0, false, 0, NULL},
    {"G-6 keyword", "250-a\r\n250-STARTTLS\r\n250 HELP\r\n", DONE, 250, true, 0, NULL},
    {"G-6 keyword last", "250-a\r\n250 STARTTLS\r\n", DONE, 250, true, 0, NULL},
    {"G-6 letter case", "250-a\r\n250 sTartTls\r\n", DONE, 250, true, 0, NULL},
    {"G-6 trailing blank", "250-a\r\n250-STARTTLS \r\n250 x\r\n", DONE, 250, true, 0, NULL},
    {"G-6 longer word", "250-a\r\n250 STARTTLSX\r\n", DONE, 250, false, 0, NULL},
    {"G-6 shorter word", "250-a\r\n250 STARTTL\r\n", DONE, 250, false, 0, NULL},
    {"G-6 inside a line", "250-a\r\n250 X STARTTLS\r\n", DONE, 250, false, 0, NULL},
    {"G-2 not there", "250-a\r\n250-PIPELINING\r\n250 HELP\r\n", DONE, 250, false, 0, NULL},
    {"hostile-13 keyword in the first line", "250 STARTTLS\r\n", DONE, 250, false, 0, NULL},
    {"G-7 codes differ", "250-a\r\n220 b\r\n", BAD, 0, false, 0,
     "reply codes differ between lines"},
    {"hostile-13 replies ahead", "220 a\r\n250 b\r\n", DONE, 220, false, 7, "a"},
    {"G-8 octets behind", "220 go\r\nEHLO", DONE, 220, false, 4, "go"},
    {"letters", "abc\r\n", BAD, 0, false, 0, "not an SMTP reply"},
    {"empty line", "\r\n", BAD, 0, false, 0, "not an SMTP reply"},
    {"two digits", "25\r\n", BAD, 0, false, 0, "not an SMTP reply"},
    {"four digits", "2500\r\n", BAD, 0, false, 0, "not an SMTP reply"},
    {"code runs on", "250x\r\n", BAD, 0, false, 0, "not an SMTP reply"},
    {"code 199", "199 a\r\n", BAD, 0, false, 0, "not an SMTP reply"},
    {"code 600", "600 a\r\n", BAD, 0, false, 0, "not an SMTP reply"},
    {"blank first", " 250 a\r\n", BAD, 0, false, 0, "not an SMTP reply"},
    {"HTTP", "HTTP/1.1 400 Bad Request\r\n", BAD, 0, false, 0, "not an SMTP reply"},
    {"hostile-11 escapes", "554 \033[31m%s\\\r\n", DONE, 554, false, 0, "\\x1b[31m%s\\x5c"},
};

static void expect(const struct reply_case *row, const struct smtp_reply *reply,
                   enum smtp_reply_status status, size_t used)
{
    assert_int_equal(status, row->want);
    assert_int_equal(reply->code, row->code);
    assert_int_equal(reply->starttls, row->starttls);
    if (row->want == DONE)
        assert_int_equal(strlen(row->octets) - used, row->left);
    if (row->want == BAD)
        assert_string_equal(reply->why, row->text);
    else if (row->text != NULL)
        assert_string_equal(reply->text, row->text);
}

static void run_case(void **state)
{
    const struct reply_case *row = *state;
    struct smtp_reply reply;
    enum smtp_reply_status status = MORE;
    size_t used = 0, total = 0;

    smtp_reply_init(&reply);
    status = smtp_reply_feed(&reply, row->octets, strlen(row->octets), &used);
    expect(row, &reply, status, used);

    smtp_reply_init(&reply);
    status = MORE;
    while (status == MORE && total < strlen(row->octets)) {
        status = smtp_reply_feed(&reply, row->octets + total, 1, &used);
        assert_int_equal(used, 1);
        total++;
    }
    expect(row, &reply, status, total);
}

/* Feeds `lines` lines of `length` octets each, all but the last with a hyphen. */
static enum smtp_reply_status feed_lines(size_t lines, size_t length)
{
    static char line[SMTP_LINE_MAX + 8];
    struct smtp_reply reply;
    enum smtp_reply_status status = MORE;
    size_t used;

    smtp_reply_init(&reply);
    memset(line, 'x', sizeof line);
    memcpy(line + length - 2, "\r\n", 2);
    for (size_t i = 0; i < lines && status == MORE; i++) {
        memcpy(line, i + 1 == lines ? "250 " : "250-", 4);
        status = smtp_reply_feed(&reply, line, length, &used);
    }
    return status;
}

static void hostile_12_limits(void **state)
{
    (void)state;
    assert_int_equal(feed_lines(1, SMTP_LINE_MAX - 1), DONE);
    assert_int_equal(feed_lines(1, SMTP_LINE_MAX), DONE);
    assert_int_equal(feed_lines(1, SMTP_LINE_MAX + 1), BAD);
    assert_int_equal(feed_lines(SMTP_REPLY_LINES_MAX - 1, 10), DONE);
    assert_int_equal(feed_lines(SMTP_REPLY_LINES_MAX, 10), DONE);
    assert_int_equal(feed_lines(SMTP_REPLY_LINES_MAX + 1, 10), BAD);
    /* 16 lines of 1,024 octets are 16 KiB */
    assert_int_equal(feed_lines(16, SMTP_REPLY_OCTETS_MAX / 16 - 1), DONE);
    assert_int_equal(feed_lines(16, SMTP_REPLY_OCTETS_MAX / 16), DONE);
    assert_int_equal(feed_lines(16, SMTP_REPLY_OCTETS_MAX / 16 + 1), BAD);
}

static void hostile_12_no_line_end(void **state)
{
    struct smtp_reply reply;
    char block[1000];
    size_t used, total = 0;

    (void)state;
    memset(block, '2', sizeof block);
    smtp_reply_init(&reply);
    for (int i = 0; i < 1000; i++) {
        enum smtp_reply_status status = smtp_reply_feed(&reply, block, sizeof block, &used);

        total += used;
        if (status == BAD)
            break;
    }
    assert_in_range(total, SMTP_LINE_MAX, SMTP_LINE_MAX + 1);
    assert_int_equal(smtp_reply_feed(&reply, block, sizeof block, &used), BAD);
    assert_int_equal(used, 0);
}

static void done_stays(void **state)
{
    struct smtp_reply reply;
    size_t used;

    (void)state;
    smtp_reply_init(&reply);
    assert_int_equal(smtp_reply_feed(&reply, "250 a\r\n", 7, &used), DONE);
    assert_int_equal(smtp_reply_feed(&reply, "550 b\r\n", 7, &used), DONE);
    assert_int_equal(used, 0);
    assert_int_equal(reply.code, 250);
}

static void H_3_requiretls(void **state)
{
    static const char text[] = "250-a\r\n250-REQUIRETLS\r\n250 HELP\r\n";
    struct smtp_reply reply;
    size_t used;

    (void)state;
    smtp_reply_init(&reply);
    assert_int_equal(smtp_reply_feed(&reply, text, sizeof text - 1, &used), DONE);
    assert_true(reply.requiretls);
    assert_false(reply.starttls);
}

/* A NUL is an octet like others: it neither ends the keyword nor the line. */
static void embedded_nul(void **state)
{
    static const char text[] = "250-a\0b\r\n250 STARTTLS\0\r\n";
    struct smtp_reply reply;
    size_t used;

    (void)state;
    smtp_reply_init(&reply);
    assert_int_equal(smtp_reply_feed(&reply, text, sizeof text - 1, &used), DONE);
    assert_false(reply.starttls);
    assert_string_equal(reply.text, "a\\x00b");
}

int main(void)
{
    ROWS_ADD(cases, run_case);
    ROWS_ADD_TEST(hostile_12_limits);
    ROWS_ADD_TEST(hostile_12_no_line_end);
    ROWS_ADD_TEST(done_stays);
    ROWS_ADD_TEST(H_3_requiretls);
    ROWS_ADD_TEST(embedded_nul);
    return rows_run("smtp_reply");
}
