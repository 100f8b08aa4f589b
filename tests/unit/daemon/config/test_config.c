/* config: every error names its place; every default is valid; limits at their edges. */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config/config.h"

static int parse(struct config *config, const char *text, char *error)
{
    return config_parse(config, "file", text, strlen(text), NULL, 0, error);
}

static void an_empty_file_runs(void **state)
{
    struct config config;
    char error[CONFIG_ERROR_MAX];

    (void)state;
    assert_int_equal(parse(&config, "", error), 0);
    assert_int_equal(config.listen_count, 1);
    assert_string_equal(config.listen[0].path, "/var/spool/postfix/mxcrypt/policy.sock");
    assert_int_equal(config.listen[0].mode, 0666);
    assert_true(config.listen_default && config.sandbox && !config.log_syslog);
    assert_string_equal(config.user, "mxcrypt");
    assert_int_equal(config.answer_deadline_ms, 5000);
    assert_int_equal(config.prober.smtp_port, 25);
    assert_true(config.verdict.verify && config.verdict.dane && config.verdict.probe);
    assert_null(config.prober.ca_file);
    config_fini(&config);
}

/* Sockets that systemd hands over replace the default, not what somebody wrote. */
static void a_listen_line_is_no_default(void **state)
{
    const char *override = "listen=tcp:127.0.0.1:7";
    struct config config;
    char error[CONFIG_ERROR_MAX];

    (void)state;
    assert_int_equal(parse(&config, "listen = tcp:127.0.0.1:7\n", error), 0);
    assert_false(config.listen_default);
    config_fini(&config);
    assert_int_equal(config_parse(&config, "file", "", 0, &override, 1, error), 0);
    assert_false(config.listen_default);
    config_fini(&config);
}

#define NO_PATH                                                                                    \
    "file:1: policy-list: the URL has no path, or one that is not plain (a query, a fragment, a "  \
    "blank)"

static void errors(void **state)
{
    static const struct {
        const char *text, *want;
    } table[] = {
        {"lisen = x\n", "file:1: lisen: unknown key"},
        {"\n# x\ndane = maybe\n", "file:3: dane: must be yes or no"},
        {"dane = yes\ndane = no\n", "file:2: dane: given twice"},
        {"dane yes\n", "file:1: syntax: no '=' in this line"},
        {" dane = yes\n", "file:1: syntax: a continuation line with nothing to continue"},
        {"= yes\n", "file:1: syntax: no key before '='"},
        {"answer-deadline = 5\n", "file:1: answer-deadline: a duration ends in ms, s, m, h or d"},
        {"answer-deadline = 5y\n", "file:1: answer-deadline: a duration ends in ms, s, m, h or d"},
        {"answer-deadline = s\n", "file:1: answer-deadline: not a number"},
        {"answer-deadline = 9ms\n", "file:1: answer-deadline: out of range"},
        {"answer-deadline = 61s\n", "file:1: answer-deadline: out of range"},
        {"answer-deadline = 31s\n", "configuration: answer-deadline: longer than job-deadline"},
        {"dns-timeout = 99999999999999999999s\n", "file:1: dns-timeout: the number is too large"},
        {"smtp-port = 65536\n", "file:1: smtp-port: out of range"},
        {"share-cert-file = /c\n", "configuration: share-cert-file: share-cert-key belongs to it"},
        {"share-cert-key = /c\n", "configuration: share-cert-file: share-cert-key belongs to it"},
        {"share = valkey://h\nshare-ca-file = /c\n",
         "configuration: share-ca-file, share-cert-file: share is not over TLS: write valkeys://"},
        {"share-cert-file = /c\nshare-cert-key = /k\n",
         "configuration: share-ca-file, share-cert-file: share is not over TLS: write valkeys://"},
        {"smtp-port = 0\n", "file:1: smtp-port: out of range"},
        {"cache-size = 64X\n", "file:1: cache-size: a size ends in K, M, G or a digit"},
        {"listen = unix:relative\n", "file:1: listen: the path of a Unix socket begins with /"},
        {"listen = udp:1.2.3.4:5\n",
         "file:1: listen: must be socketmap:unix:PATH, socketmap:inet:ADDRESS:PORT, "
         "tcp:ADDRESS:PORT, exim:unix:PATH or exim:inet:ADDRESS:PORT"},
        {"listen = tcp:127.0.0.1\n", "file:1: listen: must be ADDRESS:PORT"},
        {"listen = tcp:127.0.0.1:0\n", "file:1: listen: a port is 1 to 65535"},
        {"listen = tcp:127.0.0.1:7 mode=0600\n",
         "file:1: listen: owner, group and mode are for Unix sockets"},
        {"listen = unix:/a mode=0888\n", "file:1: listen: mode= is an octal number up to 0777"},
        {"listen = unix:/a mode=01000\n", "file:1: listen: mode= is an octal number up to 0777"},
        {"listen = unix:/a mode=40000000600\n",
         "file:1: listen: mode= is an octal number up to 0777"},
        {"listen = unix:/a mode=-0600\n", "file:1: listen: mode= is an octal number up to 0777"},
        {"listen = unix:/a mode=\n", "file:1: listen: mode= is an octal number up to 0777"},
        {"listen = unix:/a colour=red\n",
         "file:1: listen: unknown option: owner=, group= and mode= are known"},
        {"resolver = 127.0.0.1:x\n", "file:1: resolver: a port is 1 to 65535"},
        {"resolver = localhost\n", "file:1: resolver: not an address"},
        {"allow-address = 10.0.0.1/8\n",
         "file:1: allow-address: not ADDRESS or ADDRESS/BITS with zero host bits"},
        {"probe-exclude = a_b..c\n",
         "file:1: probe-exclude: not a host, a .domain, an address or ADDRESS/BITS"},
        {"probe-level = dane\n", "file:1: probe-level: must be verify or encrypt"},
        {"partial-dane = may\n", "file:1: partial-dane: must be dane-only, dane or empty"},
        {"log-level = loud\n", "file:1: log-level: must be error, warning, info or debug"},
        {"helo-name = -x-\n", "file:1: helo-name: not a host name"},
        {"probe-bind-address = ::1\n",
         "file:1: probe-bind-address: must be an IPv4 address of this host"},
        {"probe-bind-address = 0.0.0.0\n",
         "file:1: probe-bind-address: must be an IPv4 address of this host"},
        {"probe-bind-address6 = 192.0.2.1\n",
         "file:1: probe-bind-address6: must be an IPv6 address of this host"},
        {"probe-bind-address6 = fe80::1%eth0\n",
         "file:1: probe-bind-address6: must be an IPv6 address of this host"},
        {"tls-protocols = TLSv4\n", "file:1: tls-protocols: not a version of TLS"},
        {"tls-ciphers = lax\n", "file:1: tls-ciphers: OpenSSL finds no cipher in it"},
        {"ca-file = certs.pem\n", "file:1: ca-file: must be an absolute path"},
        {"probe-retry-min = 7h\n", "configuration: probe-retry-min: longer than probe-retry-max"},
        {"policy-list = /l\n", "file:1: policy-list: key=FILE is missing: a list counts only with "
                               "the signature of a known key"},
        {"policy-list = l key=/k\n",
         "file:1: policy-list: a source is an absolute path, or https://HOST/PATH"},
        {"policy-list = http://a.example/l key=/k\n",
         "file:1: policy-list: a source is an absolute path, or https://HOST/PATH"},
        {"policy-list = https:///l key=/k\n", "file:1: policy-list: the URL has no host name"},
        {"policy-list = https://192.0.2.1/l key=/k\n",
         "file:1: policy-list: the URL has no host name"},
        {"policy-list = https://u@a.example/l key=/k\n",
         "file:1: policy-list: the URL has no host name"},
        {"policy-list = https://a.example:0/l key=/k\n",
         "file:1: policy-list: a port is 1 to 65535"},
        {"policy-list = https://a.example:65536/l key=/k\n",
         "file:1: policy-list: a port is 1 to 65535"},
        {"policy-list = https://a.example key=/k\n", NO_PATH},
        {"policy-list = https://a.example/l?x key=/k\n", NO_PATH},
        {"policy-list = https://a.example/l#x key=/k\n", NO_PATH},
        {"policy-list = https://a.example/\303\251 key=/k\n", NO_PATH},
        {"policy-list = /l key=k\n", "file:1: policy-list: key= is an absolute path"},
        {"policy-list = /l key=/k fingerprint=0123\n",
         "file:1: policy-list: fingerprint= has 40 hexadecimal digits, or 64"},
        {"policy-list = /l key=/k as=strict\n",
         "file:1: policy-list: as= is file, testing or enforce"},
        {"policy-list = /l key=/k min-age=1\n",
         "file:1: policy-list: a duration ends in ms, s, m, h or d"},
        {"policy-list = /l key=/k min-age=31d\n",
         "file:1: policy-list: min-age= is 30 days at most"},
        {"policy-list = /l key=/k colour=red\n",
         "file:1: policy-list: unknown option: key=, fingerprint=, as= and min-age= are known"},
        {"policy-list = /l key=/k\npolicy-list = /l key=/m\n",
         "file:2: policy-list: this source is given twice"},
        {"policy-list-refresh = 31d\n", "file:1: policy-list-refresh: out of range"},
        {"policy-list-stale = 0s\n", "file:1: policy-list-stale: out of range"},
    };
    struct config config;
    char error[CONFIG_ERROR_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_int_equal(parse(&config, table[i].text, error), -1);
        assert_string_equal(error, table[i].want);
        config_fini(&config);
    }
}

/* SQLite opens no longer path, whatever the system allows. */
static void the_longest_path_of_a_store(void **state)
{
    static const struct {
        int length, want;
    } table[] = {{499, 0}, {500, 0}, {501, -1}};
    struct config config;
    char error[CONFIG_ERROR_MAX], text[600];

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        snprintf(text, sizeof text, "store = /%0*d\n", table[i].length - 1, 0);
        assert_int_equal(parse(&config, text, error), table[i].want);
        config_fini(&config);
    }
}

static void values(void **state)
{
    static const char text[] = "listen = socketmap:unix:/run/a owner=root group=root mode=0660\n"
                               "listen = socketmap:inet:[::1]:8461\n"
                               "listen = tcp:127.0.0.1:8462\n"
                               "# a comment between\n"
                               "resolver = 127.0.0.1,\n"
                               "  # a comment inside\n"
                               "  [::1]:5353 192.0.2.1:54\n"
                               "probe-exclude = mx.example .quiet.example 192.0.2.0/24\r\n"
                               "allow-address=10.0.0.0/8\n"
                               "answer-deadline = 1500ms\n"
                               "job-deadline = 2m\n"
                               "cache-size = 1G\n"
                               "testing = enforce\n"
                               "partial-dane = dane\n";
    struct config config;
    char error[CONFIG_ERROR_MAX];

    (void)state;
    assert_int_equal(parse(&config, text, error), 0);
    assert_int_equal(config.listen_count, 3);
    assert_string_equal(config.listen[0].owner, "root");
    assert_int_equal(config.listen[0].mode, 0660);
    assert_int_equal(config.listen[1].port, 8461);
    assert_int_equal(config.listen[1].ip.family, 6);
    assert_int_equal(config.listen[2].protocol, LISTEN_TCP_TABLE);
    assert_int_equal(config.prober.dns.server_count, 3);
    assert_int_equal(config.prober.dns.servers[0].port, 53);
    assert_int_equal(config.prober.dns.servers[1].port, 5353);
    assert_int_equal(config.prober.dns.servers[2].port, 54);
    assert_int_equal(config.prober.filter.excluded_count, 1);
    assert_int_equal(config.prober.filter.excluded_name_count, 2);
    assert_int_equal(config.prober.filter.allowed_count, 1);
    assert_int_equal(config.answer_deadline_ms, 1500);
    assert_int_equal(config.job_deadline_ms, 120000);
    assert_int_equal(config.cache_octets, 1 << 30);
    assert_true(config.verdict.testing_enforced);
    assert_int_equal(config.verdict.partial_dane, PARTIAL_DANE_OPPORTUNISTIC);
    config_fini(&config);
}

static void overrides_replace_the_file(void **state)
{
    static const char *const overrides[] = {"dane=no", "listen=tcp:127.0.0.1:7"};
    static const char *const wrong[] = {"dane=perhaps"};
    static const char *const none[] = {"dane"};
    static const char text[] = "listen = unix:/x\ndane = yes\n";
    struct config config;
    char error[CONFIG_ERROR_MAX];

    (void)state;
    assert_int_equal(config_parse(&config, "f", text, strlen(text), overrides, 2, error), 0);
    assert_false(config.verdict.dane);
    assert_int_equal(config.listen_count, 1);
    assert_int_equal(config.listen[0].port, 7);
    config_fini(&config);
    assert_int_equal(config_parse(&config, "f", "", 0, wrong, 1, error), -1);
    assert_string_equal(error, "-o:1: dane: must be yes or no");
    config_fini(&config);
    assert_int_equal(config_parse(&config, "f", "", 0, none, 1, error), -1);
    assert_string_equal(error, "-o: dane: no '=' in this line");
    config_fini(&config);
}

static int parse_socket_path(size_t length)
{
    char text[600], path[256], error[CONFIG_ERROR_MAX];
    struct config config;
    int result;

    memset(path, 'x', length);
    path[0] = '/';
    path[length] = '\0';
    snprintf(text, sizeof text, "control-socket = %s\nlisten = unix:%s\n", path, path);
    result = parse(&config, text, error);
    config_fini(&config);
    return result;
}

static void limits(void **state)
{
    char text[64 * 24] = "", error[CONFIG_ERROR_MAX];
    struct config config;

    (void)state;
    assert_int_equal(parse_socket_path(106), 0);
    assert_int_equal(parse_socket_path(107), 0);
    assert_int_equal(parse_socket_path(108), -1);
    for (int i = 1; i <= CONFIG_LISTEN_MAX + 1; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "listen = tcp:127.0.0.1:%d\n", i);
        assert_int_equal(parse(&config, text, error), i <= CONFIG_LISTEN_MAX ? 0 : -1);
        config_fini(&config);
    }
}

static void policy_lists(void **state)
{
    static const char text[] =
        "policy-list = /lists/a.json key=/keys/a\n"
        "policy-list = https://Lists.example:8443/b.json key=/keys/b as=testing min-age=30d "
        "fingerprint=0123456789abcdef0123456789abcdef01234567\n"
        "policy-list = https://c.example/, key=/keys/c as=enforce min-age=0s\n";
    char error[CONFIG_ERROR_MAX];
    struct config config;

    (void)state;
    assert_int_equal(parse(&config, "", error), 0);
    assert_int_equal(config.list_count, 0);
    config_fini(&config);
    assert_int_equal(parse(&config, text, error), 0);
    assert_int_equal(config.list_count, 3);
    assert_string_equal(config.lists[0].source, "/lists/a.json");
    assert_null(config.lists[0].host);
    assert_null(config.lists[0].fingerprint);
    assert_int_equal(config.lists[0].as, LIST_AS_FILE);
    assert_string_equal(config.lists[1].source, "https://Lists.example:8443/b.json");
    assert_string_equal(config.lists[1].host, "Lists.example");
    assert_int_equal(config.lists[1].port, 8443);
    assert_string_equal(config.lists[1].path, "/b.json");
    assert_string_equal(config.lists[1].key_path, "/keys/b");
    assert_string_equal(config.lists[1].fingerprint, "0123456789ABCDEF0123456789ABCDEF01234567");
    assert_int_equal(config.lists[1].as, LIST_AS_TESTING);
    assert_int_equal(config.lists[1].min_age_ms, INT64_C(30) * 86400 * 1000);
    assert_int_equal(config.lists[2].port, 443);
    assert_string_equal(config.lists[2].path, "/");
    assert_int_equal(config.lists[2].as, LIST_AS_ENFORCE);
    assert_int_equal(config.list_refresh_ms, 12 * 3600 * 1000);
    assert_int_equal(config.list_stale_ms, 48 * 3600 * 1000);
    config_fini(&config);
}

static int parse_source(size_t length)
{
    char text[1200], source[1100], error[CONFIG_ERROR_MAX];
    struct config config;
    int result;

    memset(source, 'x', length);
    memcpy(source, "https://a.example/", 18);
    source[length] = '\0';
    snprintf(text, sizeof text, "policy-list = %s key=/k\n", source);
    result = parse(&config, text, error);
    config_fini(&config);
    return result;
}

static void limits_of_policy_lists(void **state)
{
    char text[64 * 24] = "", error[CONFIG_ERROR_MAX];
    struct config config;

    (void)state;
    assert_int_equal(parse_source(899), 0);
    assert_int_equal(parse_source(900), 0);
    assert_int_equal(parse_source(901), -1);
    for (int i = 1; i <= CONFIG_LISTS_MAX + 1; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "policy-list = /l%d key=/k\n", i);
        assert_int_equal(parse(&config, text, error), i <= CONFIG_LISTS_MAX ? 0 : -1);
        config_fini(&config);
    }
}

static uint32_t lookup_hash(const char *text)
{
    char error[CONFIG_ERROR_MAX];
    struct config config;
    uint32_t hash;

    assert_int_equal(parse(&config, text, error), 0);
    hash = config_lookup_hash(&config);
    config_fini(&config);
    return hash;
}

static void settings_of_lookups_have_a_hash(void **state)
{
    static const char *const other[] = {
        "dane = no",           "mta-sts = no",   "probe = no",          "probe-exclude = .example",
        "allow-address = ::1", "ca-file = /x",   "ca-path = /x",        "tls-protocols = >=TLSv1.2",
        "tls-ciphers = high",  "smtp-port = 26", "probe-exclude = ::1", "ca-path = /y",
    };
    static const char *const same[] = {"",
                                       "dane = yes",
                                       "hold = 1h",
                                       "store =",
                                       "resolver = ::1",
                                       "probe-level = encrypt",
                                       "mode = monitor",
                                       "share-name = another"};
    uint32_t usual = lookup_hash("");

    (void)state;
    for (size_t i = 0; i < COUNT(same); i++)
        assert_int_equal(lookup_hash(same[i]), usual);
    for (size_t i = 0; i < COUNT(other); i++) {
        assert_int_not_equal(lookup_hash(other[i]), usual);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(lookup_hash(other[i]), lookup_hash(other[j]));
    }
}

static void a_missing_file(void **state)
{
    struct config config;
    char error[CONFIG_ERROR_MAX];

    (void)state;
    assert_int_equal(config_load(&config, "/nonexistent/x.conf", NULL, 0, error), -1);
    assert_string_equal(error, "/nonexistent/x.conf: No such file or directory");
    config_fini(&config);
}

/* Where it is not over TLS, nobody is to think so. */
static void a_share_over_tls(void **state)
{
    static const char url[] = "share = valkeys://u:p@share.example\n";
    struct config config;
    char error[CONFIG_ERROR_MAX], text[200];

    (void)state;
    if (valkey_tls_lacking() != NULL) {
        assert_int_equal(parse(&config, url, error), -1);
        snprintf(text, sizeof text, "file:1: share: %.100s", valkey_tls_lacking());
        assert_memory_equal(error, text, strlen(text));
        assert_non_null(strstr(error, "use a Unix socket or a tunnel"));
        config_fini(&config);
        return;
    }
    assert_int_equal(parse(&config, url, error), 0);
    assert_true(config.share->tls);
    assert_null(config.share_tls);
    assert_int_equal(config_read_share(&config, error), 0);
    assert_non_null(config.share_tls);
    config_fini(&config);
    snprintf(text, sizeof text, "%sshare-ca-file = /nonexistent\n", url);
    assert_int_equal(parse(&config, text, error), 0);
    assert_int_equal(config_read_share(&config, error), -1);
    assert_string_equal(error, "the file of trust anchors cannot be read, or has none "
                               "(share-ca-file: /nonexistent, share-cert-file: none, "
                               "share-cert-key: none)");
    config_fini(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_runs),
        cmocka_unit_test(a_listen_line_is_no_default),
        cmocka_unit_test(errors),
        cmocka_unit_test(the_longest_path_of_a_store),
        cmocka_unit_test(values),
        cmocka_unit_test(overrides_replace_the_file),
        cmocka_unit_test(limits),
        cmocka_unit_test(policy_lists),
        cmocka_unit_test(limits_of_policy_lists),
        cmocka_unit_test(settings_of_lookups_have_a_hash),
        cmocka_unit_test(a_missing_file),
        cmocka_unit_test(a_share_over_tls),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
