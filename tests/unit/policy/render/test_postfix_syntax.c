/* What Postfix would defer mail for, or read otherwise than it is meant: docs/postfix.md. */
#include "tests/unit/support/rows.h"

#include "policy/render/postfix_syntax.h"

struct row {
    const char *name; /* the policy itself */
    bool old, recent; /* fit for Postfix 3.4 and later; for 3.10 and later */
    const char *text; /* the policy when its octets are no fit name */
};

#define GOOD   true, true, NULL
#define RECENT false, true, NULL
#define BAD    false, false, NULL
#define STS    "secure match=mx.example.com servername=hostname policy_type=sts"

static const struct row rows[] = {
    /* levels */
    {"none", GOOD},
    {"may", GOOD},
    {"encrypt", GOOD},
    {"dane", GOOD},
    {"dane-only", GOOD},
    {"verify", GOOD},
    {"verify servername=hostname", GOOD},
    {"secure match=mx.example.com", GOOD},
    {"half-dane", BAD},
    {"Encrypt", BAD},
    {"encrypted", BAD},
    {"enc", BAD},
    {"nothing", false, false, ""},
    {"a blank", false, false, " "},
    {" encrypt", BAD},
    {"=encrypt", BAD},
    {"{encrypt}", BAD},
    {"match=mx.example.com secure", BAD},
    {"encrypt verify", BAD},
    {"encrypt ", GOOD},
    {"encrypt,servername=hostname", GOOD},
    {"tab", true, true, "encrypt\tservername=hostname"},
    {"encrypt , ,servername=hostname ,", GOOD},
    {"line feed", false, false, "encrypt\nservername=hostname"},
    {"carriage return", false, false, "encrypt\r"},
    {"control character", false, false, "encrypt\x01"},
    {"delete", false, false, "encrypt\x7f"},
    {"non-ASCII", false, false, "encrypt \xc3\xbc=x"},

    /* match= */
    {"secure match=mx.example.com:.example.net servername=hostname", GOOD},
    {"secure match=mx.example.com match=.example.net", GOOD},
    {"secure match=a-1.example", GOOD},
    {"secure", BAD},
    {"secure servername=hostname", BAD},
    {"secure match=", BAD},
    {"secure match", BAD},
    {"secure match=:", BAD},
    {"secure match=mx.example.com:", BAD},
    {"secure match=:mx.example.com", BAD},
    {"secure match=mx.example.com::.example.net", BAD},
    {"secure match=hostname", BAD},
    {"secure match=nexthop", BAD},
    {"secure match=dot-nexthop", BAD},
    {"secure match=mx.example.com:nexthop", BAD},
    {"secure match=*.example.com", BAD},
    {"secure match=.", BAD},
    {"secure match=..example.com", BAD},
    {"secure match=.com", BAD},
    {"secure match=com", BAD},
    {"secure match=mx.example.com.", BAD},
    {"secure match=192.0.2.1", BAD},
    {"secure match=2001:db8::1", BAD},
    {"secure match=mx_1.example.com", BAD},
    {"secure match=mx.example.com|a.example", BAD},
    {"secure match = mx.example.com", BAD},
    {"secure match=-mx.example.com", BAD},
    {"verify match=mx.example.com", GOOD},
    {"may match=mx.example.com", BAD},
    {"encrypt match=mx.example.com", BAD},
    {"dane match=mx.example.com", BAD},
    {"dane-only match=mx.example.com", BAD},
    {"fingerprint", BAD},
    {"fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:EE:FF", GOOD},
    {"fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:EE", BAD},
    {"fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:EE:FG", BAD},
    {"fingerprint match=mx.example.com", BAD},

    /* the other attributes */
    {"encrypt servername=mx.example.com", GOOD},
    {"dane-only servername=hostname", GOOD},
    {"none servername=hostname", BAD},
    {"encrypt servername=Hostname", BAD},
    {"encrypt servername=nexthop", BAD},
    {"encrypt servername=", BAD},
    {"encrypt servername=hostname servername=hostname", BAD},
    {"encrypt protocols=>=TLSv1.2", GOOD},
    {"encrypt protocols=!SSLv2:!SSLv3 ciphers=high exclude=aNULL:MD5", GOOD},
    {"encrypt protocols=TLSv1 protocols=TLSv1", BAD},
    {"encrypt ciphers=high ciphers=high", BAD},
    {"encrypt ciphers=a/b", BAD},
    {"encrypt exclude=", BAD},
    {"secure match=a.example tafile=/etc/ca.pem", GOOD},
    {"secure match=a.example tafile=ca.pem", BAD},
    {"encrypt tafile=/etc/ca.pem", BAD},
    {"encrypt connection_reuse=yes", GOOD},
    {"encrypt connection_reuse=maybe", BAD},
    {"none connection_reuse=no", BAD},
    {"encrypt enable_rpk=no", RECENT},
    {"encrypt policy_ttl=60", BAD},
    {"secure match=a.example policy_failure=x", BAD},
    {"encrypt Servername=hostname", BAD},
    {"encrypt unknown=x", BAD},
    {"encrypt =x", BAD},
    {"encrypt =", BAD},
    {"encrypt x", BAD},

    /* D: the attributes of Postfix 3.10 */
    {STS, RECENT},
    {STS " policy_domain=example.com", RECENT},
    {STS " policy_domain=_x.example.com", RECENT},
    {STS " policy_domain=example.com policy_domain=example.com", BAD},
    {STS " policy_domain=example..com", BAD},
    {STS " policy_domain=", BAD},
    {STS " policy_type=sts", BAD},
    {"secure match=a.example policy_type=tlsa", BAD},
    {"secure match=a.example policy_type=no-policy-found", RECENT},
    {"encrypt policy_type=sts", BAD},
    {"may policy_type=sts", BAD},
    {"dane policy_type=sts", BAD},
    {"secure match=a.example policy_domain=example.com policy_type=sts", BAD},
    {"secure match=a.example mx_host_pattern=a.example", BAD},
    {"secure match=a.example { policy_string = x }", BAD},
    {"secure policy_type=sts", BAD},
    {STS " mx_host_pattern=mx.example.com mx_host_pattern=*.example.net", RECENT},
    {STS " mx_host_pattern=.example.net", BAD},
    {STS " mx_host_pattern=*.net", BAD},
    {STS " mx_host_pattern=*", BAD},
    {STS " mx_host_pattern=", BAD},
    {STS " { policy_string = version: STSv1 } { policy_string = mode: enforce }", RECENT},
    {STS " {policy_string=version: STSv1}", RECENT},
    {STS " { policy_string = a=b, c }", RECENT},
    {STS " { policy_string = }", BAD},
    {STS " { policy_string }", BAD},
    {STS " { }", BAD},
    {STS " {}", BAD},
    {STS " { policy_string = x", BAD},
    {STS " policy_string = x }", BAD},
    {STS " { policy_string = { x } }", BAD},
    {STS " { policy_string = x }}", BAD},
    {STS " { policy_string = x }{ policy_string = y }", BAD},
    {STS " x{ policy_string = x }", BAD},
    {"line feed in a policy_string", false, false, STS " { policy_string = x\n }"},
    {STS " { other = x }", BAD},
    {"encrypt {servername=hostname}", RECENT},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    const char *text = row->text == NULL ? row->name : row->text;
    const char *why = "unset";

    assert_int_equal(postfix_syntax_ok(text, strlen(text), POSTFIX_3_4, &why), row->old);
    assert_int_equal(why == NULL, row->old);
    assert_int_equal(postfix_syntax_ok(text, strlen(text), POSTFIX_3_10, &why), row->recent);
    assert_int_equal(why == NULL, row->recent);
}

static void test_nul(void **state)
{
    const char *why;

    (void)state;
    assert_false(postfix_syntax_ok("encrypt\0", 8, POSTFIX_3_4, &why));
    assert_false(postfix_syntax_ok("encrypt x\0=y", 12, POSTFIX_3_4, &why));
}

static void test_every_prefix_ends(void **state)
{
    static const char text[] = STS " policy_domain=example.com mx_host_pattern=*.example.net"
                                   " { policy_string = mode: enforce }";
    const char *why;

    (void)state;
    for (size_t length = 0; length < sizeof text; length++)
        postfix_syntax_ok(text, length, POSTFIX_3_10, &why);
    assert_true(postfix_syntax_ok(text, sizeof text - 1, POSTFIX_3_10, &why));
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD_TEST(test_nul);
    ROWS_ADD_TEST(test_every_prefix_ends);
    return rows_run("postfix_syntax");
}
