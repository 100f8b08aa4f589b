/* doctor_lines_inbound: what `mxcrypt postfix-config --inbound` prints for which Postfix. */
#include <stdlib.h>

#include "cli/doctor/doctor.h"
#include "tests/unit/support/doctor_world.h"
#include "tests/unit/support/rows.h"

#define LIVE "/etc/letsencrypt/live/"
#define PAIR(host)                                                                                 \
    "smtpd_tls_chain_files =\n    " LIVE host "/privkey.pem,\n    " LIVE host "/fullchain.pem\n"
#define REST                                                                                       \
    "smtpd_tls_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\n"                 \
    "smtpd_tls_auth_only = yes\nsmtpd_tls_received_header = yes\nsmtpd_tls_loglevel = 1\n"
#define MAY "smtpd_tls_security_level = may\n"

static const struct row {
    const char *name, *version;
    struct {
        enum postfix_parameter parameter;
        const char *value;
    } set[5];
    const char *hosts[3];
    bool enforce;
    const char *want;    /* the lines that are no comments */
    const char *comment; /* that must be there; NULL: none */
} rows[] = {
    {.name = "nothing is set",
     .version = "3.7.11",
     .set = {{POSTFIX_MYHOSTNAME, "mx.example"}},
     .want = PAIR("mx.example") MAY REST,
     .comment = "in place of lines with the same names"},
    {.name = "enforced",
     .version = "3.10.1",
     .set = {{POSTFIX_MYHOSTNAME, "mx.example"}},
     .enforce = true,
     .want = PAIR("mx.example") "smtpd_tls_security_level = encrypt\n" REST,
     .comment = "RFC 3207 section 4 forbids it"},
    {.name = "chain files stay",
     .version = "3.7.11",
     .set = {{POSTFIX_SMTPD_CHAIN_FILES, "/a.pem, /b.pem"}, {POSTFIX_SMTPD_CERT_FILE, "/c.pem"}},
     .want = "smtpd_tls_chain_files =\n    /a.pem, /b.pem\n" MAY REST},
    {.name = "cert and key become chain files",
     .version = "3.7.11",
     .set = {{POSTFIX_SMTPD_CERT_FILE, "/c.pem"},
             {POSTFIX_SMTPD_KEY_FILE, "/k.pem"},
             {POSTFIX_SMTPD_ECCERT_FILE, "/ec.pem"},
             {POSTFIX_SMTPD_ECKEY_FILE, "/ek.pem"},
             {POSTFIX_SMTPD_AUTH_ONLY, "yes"}},
     .want = "smtpd_tls_chain_files =\n    /k.pem,\n    /c.pem,\n    /ek.pem,\n    /ec.pem\n" MAY
             "smtpd_tls_protocols = >=TLSv1.2\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\n"
             "smtpd_tls_received_header = yes\nsmtpd_tls_loglevel = 1\n",
     .comment = "drop smtpd_tls_cert_file"},
    {.name = "a certificate file with its key in it",
     .version = "3.7.11",
     .set = {{POSTFIX_SMTPD_CERT_FILE, "/c.pem"}, {POSTFIX_SMTPD_KEY_FILE, ""}},
     .want = "smtpd_tls_chain_files =\n    /c.pem,\n    /c.pem\n" MAY REST},
    {.name = "none is no file",
     .version = "3.7.11",
     .set = {{POSTFIX_MYHOSTNAME, "m.example"}, {POSTFIX_SMTPD_CERT_FILE, "none"}},
     .want = PAIR("m.example") MAY REST},
    {.name = "before chain files",
     .version = "3.3.0",
     .set = {{POSTFIX_MYHOSTNAME, "m.example"}},
     .hosts = {"m.example", "n.example"},
     .want = "smtpd_tls_cert_file = " LIVE "m.example/fullchain.pem\n"
             "smtpd_tls_key_file = " LIVE "m.example/privkey.pem\n" MAY
             "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1\n"
             "smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1\n"
             "smtpd_tls_auth_only = yes\nsmtpd_tls_received_header = yes\nsmtpd_tls_loglevel = 1\n",
     .comment = "tls_server_sni_maps needs Postfix 3.4"},
    {.name = "several names",
     .version = "3.7.11",
     .set = {{POSTFIX_MYHOSTNAME, "m.example"}, {POSTFIX_SERVER_SNI_MAPS, "cdb:/x"}},
     .hosts = {"a.example", "b.example"},
     .want = PAIR("a.example") "tls_server_sni_maps = hash:/etc/postfix/sni\n" MAY REST,
     .comment = "#     b.example " LIVE "b.example/privkey.pem"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct postfix *postfix = calloc(1, sizeof *postfix);
    struct doctor_facts facts = {.postfix = postfix, .mail_hosts = row->hosts};
    struct buf out, got;

    while (facts.mail_host_count < 3 && row->hosts[facts.mail_host_count] != NULL)
        facts.mail_host_count++;
    postfix->values[POSTFIX_CONFIG_DIRECTORY] = "/etc/postfix";
    postfix->values[POSTFIX_MAIL_VERSION] = row->version;
    for (size_t i = 0; i < 5 && row->set[i].value != NULL; i++)
        postfix->values[row->set[i].parameter] = row->set[i].value;
    assert_true(postfix_version_parse(&facts.postfix_version, row->version));
    buf_init(&out, 65536);
    buf_init(&got, 65536);
    doctor_lines_inbound(&out, &facts, row->enforce);
    drop_comments(&got, buf_text(&out));
    assert_string_equal(buf_text(&got), row->want);
    if (row->comment != NULL)
        assert_non_null(strstr(buf_text(&out), row->comment));
    buf_fini(&out);
    buf_fini(&got);
    free(postfix);
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    return rows_run("doctor_lines_inbound");
}
