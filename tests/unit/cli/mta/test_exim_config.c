/* exim: what is taken from exim(8)'s output, what is made of it, and that nothing else is. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/mta/exim.h"
#include "tests/unit/support/rows.h"

#define MEMORY ((size_t)16 * 1024 * 1024)

static struct exim_facts new_facts(const struct config *config)
{
    return (struct exim_facts){
        .arena = arena_new(MEMORY), .config = config, .program = "exim4", .user = "exim"};
}

/* ---- options ---- */

static const struct option_row {
    const char *name, *lines, *option, *want; /* NULL: not there */
} option_rows[] = {
    {"a value", "port = smtp\nhosts = a b\n", "hosts", "a b"},
    {"empty", "hosts =\n", "hosts", ""},
    {"empty, with a blank", "hosts = \nport = smtp\n", "hosts", ""},
    {"empty, at the end of the text", "hosts =", "hosts", ""},
    {"an equals sign in it", "set = r_x = 1\n", "set", "r_x = 1"},
    {"true", "unseen\n", "unseen", "yes"},
    {"false", "no_unseen\n", "unseen", "no"},
    {"a longer name", "hosts_try_dane = *\n", "hosts", NULL},
    {"a longer name that is true", "unseen_by\n", "unseen", NULL},
    {"a shorter name", "host = *\n", "hosts", NULL},
    {"not at the beginning", "x hosts = *\n", "hosts", NULL},
    {"no blank before =", "hosts=*\n", "hosts", NULL},
    {"nothing", "", "hosts", NULL},
    {"no lines", NULL, "hosts", NULL},
    {"the first counts", "hosts = a\nhosts = b\n", "hosts", "a"},
    {"no newline at the end", "hosts = a", "hosts", "a"},
};

static void test_option(void **state)
{
    const struct option_row *row = *state;
    struct arena *arena = arena_new(MEMORY);
    const char *got = exim_option(arena, row->lines, row->option);

    if (row->want == NULL)
        assert_null(got);
    else
        assert_string_equal(got, row->want);
    arena_free(arena);
}

/* ---- versions ---- */

#define SUPPORT "\nSupport for: crypteq IPv6 "

static const struct version_row {
    const char *name, *text, *want;
    bool tls, dane;
    const char *finding; /* a part; NULL: none of the check "exim" */
} version_rows[] = {
    {"Debian 12", "Exim version 4.96 #2 built" SUPPORT "GnuTLS DANE DKIM\n", "4.96", true, true,
     NULL},
    {"Debian 13", "Exim version 4.98.2 #2 built" SUPPORT "GnuTLS DANE\n", "4.98", true, true, NULL},
    {"the first", "Exim version 4.94 #2" SUPPORT "OpenSSL DANE\n", "4.94", true, true, NULL},
    {"the last before", "Exim version 4.93 #2" SUPPORT "OpenSSL DANE\n", "4.93", true, true,
     "is Exim 4.93"},
    {"another major", "Exim version 5.0 #1" SUPPORT "OpenSSL DANE\n", "5.0", true, true, NULL},
    {"no DANE", "Exim version 4.96 #2" SUPPORT "GnuTLS NODANE DANES\n", "4.96", true, false,
     "without DANE"},
    {"no TLS", "Exim version 4.96 #2" SUPPORT "DANE\n", "4.96", false, true, "without TLS"},
    {"nonsense", "Exim version x\n", NULL, false, false, "without TLS"},
    {"nothing", "", NULL, false, false, "without TLS"},
};

static const struct doctor_finding *finding_of(const struct doctor_report *report,
                                               const char *check)
{
    for (size_t i = 0; i < report->finding_count; i++)
        if (strcmp(report->findings[i].check, check) == 0)
            return &report->findings[i];
    return NULL;
}

static void test_version(void **state)
{
    const struct version_row *row = *state;
    struct config config = {0};
    struct exim_facts facts = new_facts(&config);
    struct doctor_report *report = malloc(sizeof *report);
    const struct doctor_finding *finding;

    exim_read_version(&facts, row->text);
    assert_int_equal(facts.tls, row->tls);
    assert_int_equal(facts.dane, row->dane);
    if (row->want == NULL)
        assert_null(facts.version);
    else
        assert_string_equal(facts.version, row->want);
    exim_judge(report, &facts);
    finding = finding_of(report, "exim");
    if (row->finding == NULL)
        assert_null(finding);
    else
        assert_non_null(strstr(finding->what, row->finding));
    free(report);
    arena_free(facts.arena);
}

/* ---- order ---- */

static const struct order_row {
    const char *name, *text;
    size_t before;
    bool in_order;
} order_rows[] = {
    {"good", "a\nmxcrypt_ask\nmxcrypt_send\nmxcrypt_unmatched\nb\n", 1, true},
    {"first", "mxcrypt_ask\nmxcrypt_send\nmxcrypt_unmatched\n", 0, true},
    {"one between", "mxcrypt_ask\nb\nmxcrypt_send\nmxcrypt_unmatched\n", 0, false},
    {"one between the last", "mxcrypt_ask\nmxcrypt_send\nb\nmxcrypt_unmatched\n", 0, false},
    {"turned round", "mxcrypt_send\nmxcrypt_ask\nmxcrypt_unmatched\n", 1, false},
    {"one is missing", "mxcrypt_ask\nmxcrypt_send\n", 0, false},
    {"a longer name", "mxcrypt_ask2\nmxcrypt_send\nmxcrypt_unmatched\n", 3, false},
    {"nothing", "", 0, false},
};

static void test_order(void **state)
{
    const struct order_row *row = *state;
    struct config config = {0};
    struct exim_facts facts = new_facts(&config);

    exim_read_order(&facts, row->text);
    assert_int_equal(facts.before_count, row->before);
    assert_int_equal(facts.in_order, row->in_order);
    arena_free(facts.arena);
}

/* Routers beyond the limit are left out, and no memory is written behind it. */
static void test_many_routers(void **state)
{
    struct config config = {0};
    struct exim_facts facts = new_facts(&config);
    struct buf text;

    (void)state;
    buf_init(&text, MEMORY);
    for (int i = 0; i <= EXIM_ROUTERS_MAX; i++)
        buf_addf(&text, "r%d\n", i);
    exim_read_order(&facts, buf_text(&text));
    assert_int_equal(facts.before_count, EXIM_ROUTERS_MAX);
    buf_fini(&text);
    arena_free(facts.arena);
}

/* ---- Debian's file, and the lines ---- */

static const struct debian_row {
    const char *name, *text, *want, *not ; /* parts of the lines */
} debian_rows[] = {
    {"split", "dc_use_split_config='true'\n", "main/05_mxcrypt", "SMARTHOST"},
    {"unsplit", "dc_use_split_config='false'\n", "exim4.conf.template", "conf.d"},
    {"a smarthost",
     "dc_use_split_config='true'\ndc_eximconfig_configtype='smarthost'\n"
     "dc_smarthost='smart.example::587'\n",
     "MXCRYPT_SMARTHOST = smart.example\nMXCRYPT_PORT = 587\n", NULL},
    {"a satellite without a port",
     "dc_eximconfig_configtype='satellite'\ndc_smarthost='smart.example'\n",
     "MXCRYPT_SMARTHOST = smart.example\nMXCRYPT_PORT = 25\n", NULL},
    {"two smarthosts, the second with a port",
     "dc_eximconfig_configtype='smarthost'\ndc_smarthost='a.example;b.example::587'\n",
     "MXCRYPT_SMARTHOST = a.example\nMXCRYPT_PORT = 25\n", NULL},
    {"a smarthost of an internet site",
     "dc_eximconfig_configtype='internet'\ndc_smarthost='smart.example'\n", "MXCRYPT_SOCKET",
     "SMARTHOST"},
    {"a smarthost that is none", "dc_eximconfig_configtype='smarthost'\ndc_smarthost='${run{x}}'\n",
     "set MXCRYPT_SMARTHOST", "${"},
    {"a quote that does not end", "dc_use_split_config='true\n", "exim4.conf.template", NULL},
};

static void test_debian(void **state)
{
    const struct debian_row *row = *state;
    struct config config = {.answer_deadline_ms = 5000};
    struct exim_facts facts = new_facts(&config);
    struct buf out;

    buf_init(&out, MEMORY);
    exim_read_debian(&facts, row->text);
    exim_lines(&out, &facts);
    assert_non_null(strstr(buf_text(&out), row->want));
    if (row->not != NULL)
        assert_null(strstr(buf_text(&out), row->not ));
    assert_non_null(strstr(buf_text(&out), "MXCRYPT_TIMEOUT = 10s\n"));
    buf_fini(&out);
    arena_free(facts.arena);
}

/* ---- where mxcryptd listens ---- */

static const struct socket_row {
    const char *name, *listen, *want; /* NULL: nowhere */
} socket_rows[] = {
    {"a path", "exim:unix:/run/x.sock", "/run/x.sock"},
    {"IPv4", "exim:inet:127.0.0.1:8463", "inet:127.0.0.1:8463"},
    {"IPv6", "exim:inet:[::1]:8463", "inet:[::1]:8463"},
    {"another protocol", "socketmap:unix:/run/x.sock", NULL},
};

static void test_socket(void **state)
{
    const struct socket_row *row = *state;
    struct arena *arena = arena_new(MEMORY);
    struct config config;
    char text[200], error[CONFIG_ERROR_MAX];
    const char *got;

    snprintf(text, sizeof text, "listen = %s\n", row->listen);
    assert_int_equal(config_parse(&config, "test", text, strlen(text), NULL, 0, error), 0);
    got = exim_socket(arena, &config);
    if (row->want == NULL)
        assert_null(got);
    else
        assert_string_equal(got, row->want);
    config_fini(&config);
    arena_free(arena);
}

/* Nothing is known of an Exim that answers nothing: each check says so, or finds a fault. */
static void test_silent(void **state)
{
    struct config config = {0};
    struct exim_facts facts = new_facts(&config);
    struct doctor_report *report = malloc(sizeof *report);

    (void)state;
    exim_judge(report, &facts);
    assert_int_equal(report->check_count, 8);
    for (size_t i = 0; i < report->check_count; i++)
        if (strcmp(report->checks[i].check, "router-order") != 0) /* of what is missing anyway */
            assert_true(report->checks[i].why != NULL ||
                        finding_of(report, report->checks[i].check) != NULL);
    free(report);
    arena_free(facts.arena);
}

int main(void)
{
    ROWS_ADD(option_rows, test_option);
    ROWS_ADD(version_rows, test_version);
    ROWS_ADD(order_rows, test_order);
    ROWS_ADD_TEST(test_many_routers);
    ROWS_ADD(debian_rows, test_debian);
    ROWS_ADD(socket_rows, test_socket);
    ROWS_ADD_TEST(test_silent);
    return rows_run("exim");
}
