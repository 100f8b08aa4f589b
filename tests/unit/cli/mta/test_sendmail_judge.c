/* sendmail_judge: a sound sendmail.cf, spoilt in one way each, and what comes of it. */
#include <stdio.h>
#include <string.h>

#include "cli/mta/sendmail.h"
#include "tests/unit/support/rows.h"

#define PROGRAM                                                                                    \
    "Version 8.17.1.9\n Compiled with: MAP_REGEX SOCKETMAP STARTTLS\n"                             \
    "   FFR Defines: _FFR_MTA_STS _FFR_TLS_ALTNAMES\n"
#define MAPS                                                                                       \
    "Ksts socket -d10 -T<TMPF> inet:8461@127.0.0.1\n"                                              \
    "Ksendmail socket -d10 -T<TMPF> inet:8461@127.0.0.1\nKstsxsni regex -a: -s3 (.*)\n"
#define OPTIONS                                                                                    \
    "O StrictTransportSecurity=true\nO SetCertAltnames=true\nO ConnectionCacheSize=0\n"            \
    "O Timeout.hoststatus=0s\n#O HostStatusDirectory=.hoststat\nO CACertPath=/c\n"                 \
    "O CACertFile=/c/f\n" MODIFIERS
#define MODIFIERS      "O DirectSubmissionModifiers=u\n"
#define NOT_CANONIFIED "SCanonify2\nR$* $| $* < @ $+.$+ > $*\t$: $2 < @ $3.$4 . > $5\n"
#define RULES                                                                                      \
    "SLocal_tls_server\nR$*\t\t\t$@ $>Mxcrypt $&{rcpt_addr}\nSLocal_tls_rcpt\n"                    \
    "R$*\t\t\t$@ $>Mxcrypt $&{rcpt_addr}\nSMxcrypt\nR$*\tx\nSMxcrypt_done\nR$*\tx\n"               \
    "SMxcrypt_encrypted\nR$*\tx\nSMxcrypt_verified\nR$*\tx\nSMxcrypt_match\nR$*"                   \
    "\tx\n" NOT_CANONIFIED
#define MAILERS                                                                                    \
    "Mlocal, P=/usr/sbin/sensible-mda, F=l,\n\tT=DNS/RFC822/X-Unix,\n\tA=sensible-mda $u\n"        \
    "Mesmtp, P=[IPC], F=mDFMuXa, E=\\r\\n, L=990,\n\tr=1, T=DNS/RFC822/SMTP,\n\tA=TCP $h\n"
#define LISTEN "listen = socketmap:inet:127.0.0.1:8461\n"

static const struct row {
    const char *name, *from, *to; /* NULL: nothing is spoilt */
    const char *want;             /* "LEVEL CHECK: beginning of what", NULL: nothing */
    const char *listen;           /* NULL: where the maps ask */
    const char *program;          /* NULL: as it should be */
} rows[] = {
    {"sound", NULL, NULL, NULL, NULL, NULL},
    {"too old", NULL, NULL, "error program: Sendmail 8.16.1 knows no MTA-STS", NULL,
     "Version 8.16.1\n Compiled with: MAP_REGEX SOCKETMAP STARTTLS MTA_STS TLS_ALTNAMES\n"},
    {"9.0", NULL, NULL, NULL, NULL,
     "Version 9.0\n Compiled with: MAP_REGEX SOCKETMAP STARTTLS MTA_STS TLS_ALTNAMES\n"},
    {"without socket maps", NULL, NULL, "error program: Sendmail was compiled without SOCKETMAP",
     NULL, "Version 8.17.1\n Compiled with: MAP_REGEX STARTTLS MTA_STS TLS_ALTNAMES\n"},
    {"Postfix's", NULL, NULL, "error program: the program is not Sendmail", NULL,
     "sendmail: fatal: -C option\n"},
    {"nothing printed", NULL, NULL, "error program: the program is not Sendmail", NULL, ""},
    {"no map sts", "Ksts ", "#Ksts ", "error maps: there is no socket map \"sts\"", NULL, NULL},
    {"no map sendmail", "Ksendmail ", "Ksendmails ",
     "error maps: there is no socket map \"sendmail\"", NULL, NULL},
    {"another class", "Ksendmail socket", "Ksendmail hash",
     "error maps: there is no socket map \"sendmail\"", NULL, NULL},
    {"no address", "-T<TMPF> inet:8461@127.0.0.1\nKsendmail", "-T<TMPF>\nKsendmail",
     "error maps: there is no socket map \"sts\"", NULL, NULL},
    {"no -T", "Ksendmail socket -d10 -T<TMPF>", "Ksendmail socket -d10",
     "error maps: map \"sendmail\" has no -T<TMPF>", NULL, NULL},
    {"another -T", "Ksendmail socket -d10 -T<TMPF>", "Ksendmail socket -d10 -T<TEMP>",
     "error maps: map \"sendmail\" has no -T<TMPF>", NULL, NULL},
    {"no -d", "Ksts socket -d10", "Ksts socket", "error maps: map \"sts\" has no -d", NULL, NULL},
    {"-d that is no number", "Ksts socket -d10", "Ksts socket -dx",
     "error maps: map \"sts\" has no -d", NULL, NULL},
    {"-d as answer-deadline", "Ksts socket -d10", "Ksts socket -d5",
     "warning maps: map \"sts\" has -d5", NULL, NULL},
    {"-d above answer-deadline", "Ksts socket -d10", "Ksts socket -d6", NULL, NULL, NULL},
    {"a later K line counts", "Kstsxsni", "Ksts hash /x\nKstsxsni",
     "error maps: there is no socket map \"sts\"", NULL, NULL},
    {"another port", "Ksts socket -d10 -T<TMPF> inet:8461", "Ksts socket -d10 -T<TMPF> inet:846",
     "warning maps: map \"sts\" asks inet:846@127.0.0.1", NULL, NULL},
    {"any address", NULL, NULL, NULL, "listen = socketmap:inet:0.0.0.0:8461\n", NULL},
    {"Exim's listener", NULL, NULL, "warning maps: map \"sts\" asks",
     "listen = exim:inet:127.0.0.1:8461\n", NULL},
    {"a Unix socket", "inet:8461@127.0.0.1\nKsendmail", "local:/s\nKsendmail", NULL,
     LISTEN "listen = socketmap:unix:/s\n", NULL},
    {"no rules", "SMxcrypt\n", "SOther\n", "error rules: there is no ruleset Mxcrypt", NULL, NULL},
    {"a ruleset without rules", "SMxcrypt_match\nR$*\tx\n", "SMxcrypt_match\n",
     "error rules: there is no ruleset Mxcrypt_match", NULL, NULL},
    {"not asked before MAIL", "SLocal_tls_server\n", "SLocal_tls_client\n",
     "error rules: ruleset Local_tls_server does not ask mxcryptd first", NULL, NULL},
    {"not asked first", "SLocal_tls_rcpt\n", "SLocal_tls_rcpt\nR$*\t$@ ok\n",
     "error rules: ruleset Local_tls_rcpt does not ask mxcryptd first", NULL, NULL},
    {"no {rcpt_addr}", "O StrictTransportSecurity=true", "O StrictTransportSecurity=False",
     "error options: option StrictTransportSecurity is False", NULL, NULL},
    {"no names", "O SetCertAltnames=true\n", "", "error options: option SetCertAltnames is not set",
     NULL, NULL},
    {"TRUE", "O SetCertAltnames=true", "O  setcertaltnames = TRUE ", NULL, NULL, NULL},
    {"connections are cached", "O ConnectionCacheSize=0", "O ConnectionCacheSize=2",
     "error options: option ConnectionCacheSize is 2", NULL, NULL},
    {"the last line counts", "O ConnectionCacheSize=0",
     "O ConnectionCacheSize=0\nO ConnectionCacheSize=4",
     "error options: option ConnectionCacheSize is 4", NULL, NULL},
    {"hosts are remembered", "O Timeout.hoststatus=0s\n", "",
     "warning options: option Timeout.hoststatus is not set", NULL, NULL},
    {"in a folder", "#O HostStatusDirectory", "O HostStatusDirectory",
     "warning options: option HostStatusDirectory is .hoststat", NULL, NULL},
    {"several recipients", "r=1,", "r=100,", "warning recipients: mailers send several", NULL,
     NULL},
    {"as many as it likes", "r=1, ", "", "warning recipients: mailers send several", NULL, NULL},
    {"no CA folder", "O CACertPath=/c\n", "", "error trust-anchors: option CACertPath is not set",
     NULL, NULL},
    {"domains are canonified", "R$* $| $* < @ $+.$+ > $*",
     "R$* CC $* $| $* < @ $+.$+ > $*\t$: $3 < @ $4.$5 . > $6\nR$* $| $* < @ $* > $*",
     "error aliases: sendmail.cf replaces", NULL, NULL},
    {"domains are canonified where mail is submitted", MODIFIERS, "",
     "error aliases: sendmail.cf replaces", NULL, NULL},
    {"no CA file", "O CACertFile=/c/f\n", "#O CACertFile\n",
     "error trust-anchors: option CACertFile is not set", NULL, NULL},
};

/* The text with `from` in it replaced; `from` must be there. */
static void spoil(struct buf *out, const char *text, const char *from, const char *to)
{
    const char *at = from == NULL ? NULL : strstr(text, from);

    assert_true(from == NULL || at != NULL);
    buf_add(out, text, at == NULL ? strlen(text) : (size_t)(at - text));
    if (at != NULL) {
        buf_adds(out, to);
        buf_adds(out, at + strlen(from));
    }
}

static void check_findings(const struct doctor_report *report, const char *want)
{
    static const char *const levels[] = {"warning", "error"};
    char text[1024];

    for (size_t i = 0; i < report->finding_count; i++) {
        const struct doctor_finding *finding = &report->findings[i];

        snprintf(text, sizeof text, "%s %s: %s", levels[finding->level], finding->check,
                 finding->what);
        assert_true(*finding->fix != '\0');
        if (want == NULL || strncmp(text, want, strlen(want)) != 0)
            fail_msg("got %s", text);
        if (strstr(want, "asks") != NULL) /* of both maps */
            return;
    }
    assert_int_equal(report->finding_count, want == NULL ? 0 : 1);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    const char *settings = row->listen == NULL ? LISTEN : row->listen;
    struct config config;
    struct sendmail_facts facts = {.arena = arena_new(1 << 20), .config = &config, .cf = "/cf"};
    struct doctor_report report;
    char error[CONFIG_ERROR_MAX];
    struct buf cf;

    buf_init(&cf, SENDMAIL_CF_MAX);
    assert_int_equal(config_parse(&config, "test", settings, strlen(settings), NULL, 0, error), 0);
    spoil(&cf, MAPS OPTIONS RULES MAILERS, row->from, row->to);
    sendmail_read_program(&facts, row->program == NULL ? PROGRAM : row->program);
    sendmail_read_cf(&facts, buf_text(&cf));
    facts.answers[SENDMAIL_MAP_STS].state = facts.answers[SENDMAIL_MAP_REQUIREMENT].state =
        DOCTOR_GOOD;
    sendmail_judge(&report, &facts);
    assert_false(arena_failed(facts.arena));
    check_findings(&report, row->want);
    buf_fini(&cf);
    arena_free(facts.arena);
    config_fini(&config);
}

/* submit.cf is judged where there is one. */
static void test_submit(void **state)
{
    static const struct {
        const char *text, *want;
    } submits[] = {
        {NULL, NULL},
        {MODIFIERS NOT_CANONIFIED, NULL},
        {"#\n" NOT_CANONIFIED, "error aliases: submit.cf replaces"},
        {"O DirectSubmissionModifiers=\n" NOT_CANONIFIED, "error aliases: submit.cf replaces"},
        {"O DirectSubmissionModifiers=uc\n" NOT_CANONIFIED, "error aliases: submit.cf replaces"},
        {"", "error aliases: submit.cf replaces"},
        {"#\nR$* $| $* < @ $* > $*\t$: $2 < @ $[ $3 $] > $4\n",
         "error aliases: submit.cf replaces"},
    };
    char error[CONFIG_ERROR_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof submits / sizeof submits[0]; i++) {
        struct config config;
        struct sendmail_facts facts = {
            .arena = arena_new(1 << 20), .config = &config, .cf = "/cf", .submit = submits[i].text};
        struct doctor_report report;

        assert_int_equal(config_parse(&config, "test", LISTEN, strlen(LISTEN), NULL, 0, error), 0);
        sendmail_read_program(&facts, PROGRAM);
        sendmail_read_cf(&facts, MAPS OPTIONS RULES MAILERS);
        sendmail_judge(&report, &facts);
        check_findings(&report, submits[i].want);
        arena_free(facts.arena);
        config_fini(&config);
    }
}

/* What could not be had is said, and is no fault. */
static void test_nothing_known(void **state)
{
    struct config config;
    struct sendmail_facts facts = {
        .arena = arena_new(1 << 20), .config = &config, .cf = "/cf", .cf_forbidden = true};
    struct doctor_report report;
    char error[CONFIG_ERROR_MAX];
    size_t made = 0;

    (void)state;
    assert_int_equal(config_parse(&config, "test", "", 0, NULL, 0, error), 0);
    facts.program_error = "sendmail is not found";
    sendmail_judge(&report, &facts);
    for (size_t i = 0; i < report.check_count; i++)
        made += report.checks[i].why == NULL;
    assert_int_equal(made, 0);
    assert_int_equal(report.finding_count, 0);
    arena_free(facts.arena);
    config_fini(&config);
}

/* The address that suits best, and the lines that name it. */
static void test_lines(void **state)
{
    static const struct {
        const char *config, *want;
    } listeners[] = {
        {"listen = socketmap:unix:/a\n" LISTEN, "inet:8461@127.0.0.1"},
        {"listen = socketmap:unix:/a\n", "unix:/a"},
        {"listen = socketmap:inet:[::]:25\n", "inet6:25@::1"},
        {"listen = exim:unix:/a\nlisten = tcp:127.0.0.1:1\n", NULL},
        {LISTEN "answer-deadline = 40s\njob-deadline = 60s\n", "inet:8461@127.0.0.1"},
        {"", NULL}, /* by default it is Postfix's */
    };
    char error[CONFIG_ERROR_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof listeners / sizeof listeners[0]; i++) {
        const char *text = listeners[i].config, *address;
        struct arena *arena = arena_new(1 << 16);
        struct config config;
        struct buf out;

        buf_init(&out, 1 << 16);
        assert_int_equal(config_parse(&config, "test", text, strlen(text), NULL, 0, error), 0);
        address = sendmail_address(arena, &config);
        assert_int_equal(address == NULL, listeners[i].want == NULL);
        if (address != NULL)
            assert_string_equal(address, listeners[i].want);
        sendmail_lines(&out, address, NULL, sendmail_timeout(&config));
        assert_int_equal(strstr(buf_text(&out), "does not listen for Sendmail") == NULL,
                         address != NULL);
        assert_non_null(strstr(buf_text(&out), "install the package ca-certificates"));
        assert_non_null(strstr(buf_text(&out), address == NULL ? "inet:8461@127.0.0.1" : address));
        assert_non_null(strstr(buf_text(&out), strstr(text, "= 40s") != NULL
                                                   ? "`45')dnl\nFEATURE(`sts', `socket -d45 -T"
                                                   : "`10')dnl\nFEATURE(`sts', `socket -d10 -T"));
        buf_fini(&out);
        arena_free(arena);
        config_fini(&config);
    }
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_submit);
    ROWS_ADD_TEST(test_nothing_known);
    ROWS_ADD_TEST(test_lines);
    return rows_run("sendmail_judge");
}
