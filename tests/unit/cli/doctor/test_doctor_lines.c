/* doctor_lines: what `mxcrypt postfix-config` prints for which Postfix. */
#include <stdlib.h>

#include "cli/doctor/doctor.h"
#include "tests/unit/support/doctor_world.h"
#include "tests/unit/support/rows.h"

static const struct row {
    const char *name, *config, *version, *map, *present, *level, *insecure_mx, *ca_file;
    bool chrooted;
    const char *want;    /* the lines that are no comments */
    const char *comment; /* that must be there; NULL: none */
    bool differs;        /* from mxcryptd.conf, in one thing */
} rows[] = {
    {"3.7", "", "3.7.11", "socketmap:unix:m/p:policy", "", "", "may", "/ca", true,
     "smtp_tls_policy_maps = socketmap:unix:m/p:policy\nsmtp_tls_security_level = may\n"
     "smtp_dns_support_level = dnssec\nsmtp_host_lookup = dns\n"
     "smtp_tls_dane_insecure_mx_policy = dane\nsmtp_tls_CAfile = /ca\nsmtp_tls_loglevel = 1\n",
     "\"policy\" is the one for Postfix before 3.10", false},
    {"3.10", "", "3.10.0", "socketmap:unix:m/p:tlsrpt", "", "may", "dane", "/ca", false,
     "smtp_tls_policy_maps = socketmap:unix:m/p:tlsrpt\nsmtp_tls_security_level = may\n"
     "smtp_dns_support_level = dnssec\nsmtp_host_lookup = dns\n"
     "smtp_tls_dane_insecure_mx_policy = dane\nsmtp_tls_CAfile = /ca\nsmtp_tls_loglevel = 1\n",
     "\"tlsrpt\" is the one for Postfix 3.10 and later", false},
    {"no insecure_mx_policy, no CA file", "", "3.7.11", "socketmap:unix:m/p:policy", "", "", NULL,
     NULL, false,
     "smtp_tls_policy_maps = socketmap:unix:m/p:policy\nsmtp_tls_security_level = may\n"
     "smtp_dns_support_level = dnssec\nsmtp_host_lookup = dns\nsmtp_tls_loglevel = 1\n",
     "install the package ca-certificates", false},
    {"no DANE", "dane = no\n", "3.7.11", "socketmap:unix:m/p:policy", "", "", "may", "/ca", false,
     "smtp_tls_policy_maps = socketmap:unix:m/p:policy\nsmtp_tls_security_level = may\n"
     "smtp_tls_CAfile = /ca\nsmtp_tls_loglevel = 1\n",
     "nothing is needed for DANE", false},
    {"a stronger level stays", "dane = no\n", "3.7.11", "tcp:127.0.0.1:1", "", "encrypt", "may",
     "/ca", false,
     "smtp_tls_policy_maps = tcp:127.0.0.1:1\nsmtp_tls_security_level = encrypt\n"
     "smtp_tls_CAfile = /ca\nsmtp_tls_loglevel = 1\n",
     ", as you have it.", false},
    {"none does not stay", "dane = no\n", "3.7.11", "tcp:127.0.0.1:1", "", "none", "may", "/ca",
     false,
     "smtp_tls_policy_maps = tcp:127.0.0.1:1\nsmtp_tls_security_level = may\n"
     "smtp_tls_CAfile = /ca\nsmtp_tls_loglevel = 1\n",
     NULL, false},
    {"other maps are there", "dane = no\n", "3.7.11", "tcp:127.0.0.1:1", "hash:/x", "", "may",
     "/ca", false,
     "smtp_tls_policy_maps = tcp:127.0.0.1:1\nsmtp_tls_security_level = may\n"
     "smtp_tls_CAfile = /ca\nsmtp_tls_loglevel = 1\n",
     "# Now there is: hash:/x", false},
    {"a socket outside the chroot", "dane = no\n", "3.7.11", "socketmap:unix:/run/p:policy", "", "",
     "may", "/ca", true,
     "smtp_tls_policy_maps = socketmap:unix:/run/p:policy\nsmtp_tls_security_level = may\n"
     "smtp_tls_CAfile = /ca\nsmtp_tls_loglevel = 1\n",
     "smtp(8) is chrooted and will not find this socket", false},
    {"no listen", "dane = no\n", "3.7.11", NULL, "", "", "may", "/ca", true,
     "smtp_tls_security_level = may\nsmtp_tls_CAfile = /ca\nsmtp_tls_loglevel = 1\n",
     "mxcryptd listens nowhere", false},
    {"another setting for the probes", "dane = no\n", "3.7.11", NULL, "", "", "may", "/ca", true,
     "smtp_tls_security_level = may\nsmtp_tls_CAfile = /ca\nsmtp_tls_loglevel = 1\n",
     "# master.cf service x: no.\n#     a = b\n", true},
    {"the same settings for the probes", "dane = no\n", "3.7.11", NULL, "", "", "may", "/ca", true,
     "smtp_tls_security_level = may\nsmtp_tls_CAfile = /ca\nsmtp_tls_loglevel = 1\n",
     "# mxcryptd's probes demand of TLS what Postfix does", false},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct postfix *postfix = calloc(1, sizeof *postfix);
    struct doctor_client client = {.main = true, .chrooted = row->chrooted, .ours = -1};
    struct doctor_facts facts = {.postfix = postfix,
                                 .clients = &client,
                                 .client_count = 1,
                                 .map_suggestion = row->map,
                                 .ca_suggestion = row->ca_file};
    char error[CONFIG_ERROR_MAX];
    struct doctor_report *compared = calloc(1, sizeof *compared);
    struct config config;
    struct buf out, got;

    assert_int_equal(
        config_parse(&config, "test", row->config, strlen(row->config), NULL, 0, error), 0);
    facts.config = &config;
    postfix->values[POSTFIX_POLICY_MAPS] = row->present;
    postfix->values[POSTFIX_MAIL_VERSION] = row->version;
    postfix->values[POSTFIX_SECURITY_LEVEL] = row->level;
    postfix->values[POSTFIX_INSECURE_MX] = row->insecure_mx;
    assert_true(postfix_version_parse(&facts.postfix_version, row->version));
    buf_init(&out, 65536);
    buf_init(&got, 65536);
    if (row->differs) {
        compared->findings[0] = (struct doctor_finding){"tls-protocols", DOCTOR_ERROR,
                                                        "master.cf service x", "no", "a = b"};
        compared->finding_count = 1;
    }
    doctor_lines(&out, &facts, compared);
    drop_comments(&got, buf_text(&out));
    assert_string_equal(buf_text(&got), row->want);
    if (row->comment != NULL)
        assert_non_null(strstr(buf_text(&out), row->comment));
    buf_fini(&out);
    buf_fini(&got);
    config_fini(&config);
    free(compared);
    free(postfix);
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    return rows_run("doctor_lines");
}
