/*
 * What an address showed, judged for every host there; and which names are tried. The server is a
 * table: what it shows to which name.
 */
#include "tests/unit/survey/results/results_make.h"

#include "survey/judge.h"
#include "tests/unit/support/certs.h"

#define N_(text)                                                                                   \
    {                                                                                              \
        GEN_DNS, text, 0                                                                           \
    }
#define END                                                                                        \
    {                                                                                              \
        0, NULL, 0                                                                                 \
    }
#define HOSTS_MAX 8

static struct tls_context *context; /* trusts root */
static struct cert root;
static struct results_file file;

/* ---- the world ---- */

enum leaf { LEAF_NONE, LEAF_ALL, LEAF_A, LEAF_B, LEAF_C, LEAF_D, LEAF_OLD_A, LEAF_OTHER, LEAVES };
static unsigned char *octets[LEAVES];
static int lengths[LEAVES];
static uint8_t digests[LEAVES][32];

static void leaf_make(enum leaf leaf, const struct cert_name *names, bool expired)
{
    struct cert cert = cert_make(&(struct cert_spec){.cn = "leaf",
                                                     .names = names,
                                                     .issuer = &root,
                                                     .from_s = expired ? -3 * CERT_DAY : 0,
                                                     .until_s = expired ? -CERT_DAY : 0});

    lengths[leaf] = i2d_X509(cert.x509, &octets[leaf]);
    assert_true(lengths[leaf] > 0);
    SHA256(octets[leaf], (size_t)lengths[leaf], digests[leaf]);
    cert_free(&cert);
}

/* What the server does when it is asked by a name; the last row has no name: any other. */
struct manner {
    const char *sni;
    enum starttls state;
    enum leaf leaf;
    bool nameless;
    int code;
};

struct world {
    const char *hosts; /* letters: host "a.test", with usable TLSA when it is a capital */
    enum leaf tlsa;    /* which leaf those records are of */
    struct manner manners[6];
};

static int connections;
static char asked[256]; /* first letters of the names, in the order in which they were tried */

/* Verifies what is shown, as a worker does. */
static void verify_shown(struct tls_shown *shown)
{
    static char why[300];
    struct tls_chain *chain = tls_chain_new(context, shown);

    assert_non_null(chain);
    shown->finding = *tls_chain_finding(chain);
    if (shown->finding.why != NULL) {
        snprintf(why, sizeof why, "%s", shown->finding.why);
        shown->finding.why = why;
    }
    tls_chain_free(chain);
}

static struct address_seen seen_of(const struct manner *manner)
{
    struct address_seen seen = {.connections = 1, .nameless = manner->nameless};

    seen.result.state = manner->state;
    seen.result.code = manner->code;
    if (manner->nameless)
        seen.result.detail = "works only without SNI (alert)";
    if (manner->state < STARTTLS_TLS)
        return seen;
    seen.result.protocol = "TLSv1.3";
    seen.shown.strong = true;
    if (manner->leaf != LEAF_NONE) {
        seen.shown.count = 1;
        seen.shown.certificates[0] =
            (struct tls_der){octets[manner->leaf], (size_t)lengths[manner->leaf]};
    }
    verify_shown(&seen.shown);
    return seen;
}

static void put_hosts(const struct world *world, const struct ip *ip)
{
    struct tlsa tlsa = {3, 0, 1, true, 32, digests[world->tlsa]};
    struct mx_address address = {.ip = *ip};
    struct mx_host hosts[HOSTS_MAX];
    char names[HOSTS_MAX][16];
    struct evidence evidence = {
        .mx = MX_LISTED, .hosts = hosts, .host_count = strlen(world->hosts)};
    struct unit unit;

    for (size_t i = 0; i < evidence.host_count; i++) {
        snprintf(names[i], sizeof names[i], "%c.test", world->hosts[i] | 0x20);
        hosts[i] = (struct mx_host){.name = names[i], .ttl = 60};
    }
    add_domain(&file, "example.com");
    unit = unit_of(&file, UNIT_DOMAIN, "example.com");
    put_domain(&file, &unit, &evidence);
    for (size_t i = 0; i < evidence.host_count; i++) {
        bool dane = world->hosts[i] < 'a';

        hosts[i].dane = dane ? HOST_DANE_USABLE : HOST_DANE_NONE;
        hosts[i].tlsa = &tlsa;
        hosts[i].tlsa_count = dane;
        hosts[i].tlsa_base = dane ? names[i] : NULL;
        hosts[i].addresses = &address;
        hosts[i].address_count = 1;
        hosts[i].addresses_known = true;
        unit = unit_of(&file, UNIT_HOST, names[i]);
        put_host(&file, &unit, &hosts[i]);
    }
}

/* Puts what was seen and judges it by the chain that comes with it, as survey_uv does. */
static void put_and_judge(const struct unit *unit, const struct address_seen *seen)
{
    struct unit_result *result = result_new(unit);

    result->address = arena_memdup(result->arena, seen, sizeof *seen);
    if (seen->result.state >= STARTTLS_TLS)
        result->chain = tls_chain_new(context, &seen->shown);
    must(&file, results_put(file.results, result));
    must(&file, judge_address(file.results, context, unit->id, result));
    unit_result_free(result);
}

/* Connects until nothing is wanted. */
static void connect_all(const struct world *world)
{
    struct unit unit;
    int count;

    connections = 0;
    while ((count = results_next(file.results, UNIT_ADDRESS, 0, &unit, 1)) == 1) {
        const struct manner *manner = world->manners;
        struct address_seen seen;

        while (manner->sni != NULL && strcmp(manner->sni, unit.name) != 0)
            manner++;
        assert_true(unit.again == (connections > 0));
        seen = seen_of(manner);
        asked[connections++] = unit.name[0];
        put_and_judge(&unit, &seen);
        assert_true(connections < 10);
    }
    assert_int_equal(count, 0);
    asked[connections] = '\0';
}

static void run_world(const struct world *world)
{
    static const struct ip ip = {4, {192, 0, 2, 1}};

    put_hosts(world, &ip);
    connect_all(world);
}

static int set_up(void **state)
{
    struct results_run run = make_run();

    (void)state;
    file_make(&file, &run);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    file_remove(&file);
    return 0;
}

#define PAIRS                                                                                      \
    "SELECT substr(h.name, 1, 1), substr(p.sni, 1, 1), p.starttls, p.name_ok, p.expired, p.tlsa "  \
    "FROM host_address p JOIN host h ON h.id = p.host ORDER BY h.name"

#define ANY NULL

/* ---- one certificate ---- */

static void one_certificate_for_all(void **state)
{
    static const struct world world = {
        "abcd", LEAF_NONE, {{ANY, STARTTLS_VERIFIED, LEAF_ALL, 0, 220}}};
    char want[256] = "", first;

    (void)state;
    run_world(&world);
    assert_int_equal(connections, 1);
    first = asked[0];
    for (const char *host = "abcd"; *host != '\0'; host++)
        snprintf(want + strlen(want), sizeof want - strlen(want), "%c|%c|verified|1|0|none\n",
                 *host, first);
    file_has(&file, PAIRS, want);
    file_has(&file, "SELECT starttls, connections, code, strong FROM address", "tls|1|220|1\n");
    file_has(&file, "SELECT fault, why FROM chain", "none|\n");
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM certificate"), 1);
}

static void a_server_that_takes_no_notice(void **state)
{
    static const struct world world = {"abcd", LEAF_NONE, {{ANY, STARTTLS_TLS, LEAF_OTHER, 0, 0}}};

    (void)state;
    run_world(&world);
    assert_int_equal(connections, 2); /* the second shows that a third would not help */
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM host_address "
                                           "WHERE starttls = 'tls' AND name_ok = 0"),
                     4);
    file_has(&file, "SELECT connections FROM address", "2\n");
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM chain"), 1);
}

/* ---- a certificate for each name ---- */

#define EACH                                                                                       \
    {                                                                                              \
        {"a.test", STARTTLS_TLS, LEAF_A, 0, 0}, {"b.test", STARTTLS_TLS, LEAF_B, 0, 0},            \
            {"c.test", STARTTLS_TLS, LEAF_C, 0, 0}, {"d.test", STARTTLS_TLS, LEAF_D, 0, 0},        \
        {                                                                                          \
            ANY, STARTTLS_TLS, LEAF_OTHER, 0, 0                                                    \
        }                                                                                          \
    }

static void each_name_has_its_own(void **state)
{
    static const struct world world = {"abcd", LEAF_NONE, EACH};

    (void)state;
    run_world(&world);
    assert_int_equal(connections, 1 + JUDGE_NAMES_MAX);
    file_has(&file, PAIRS,
             "a|a|verified|1|0|none\nb|b|verified|1|0|none\n"
             "c|c|verified|1|0|none\nd|d|verified|1|0|none\n");
}

/* More names than are tried, each with a certificate of its own. */
static void more_names_than_are_tried(void **state)
{
    static const struct world world = {"abcdef",
                                       LEAF_NONE,
                                       {{"a.test", STARTTLS_TLS, LEAF_A, 0, 0},
                                        {"b.test", STARTTLS_TLS, LEAF_B, 0, 0},
                                        {"c.test", STARTTLS_TLS, LEAF_C, 0, 0},
                                        {"d.test", STARTTLS_TLS, LEAF_D, 0, 0},
                                        {"e.test", STARTTLS_TLS, LEAF_OLD_A, 0, 0},
                                        {ANY, STARTTLS_TLS, LEAF_OTHER, 0, 0}}};

    (void)state;
    run_world(&world);
    assert_int_equal(connections, 1 + JUDGE_NAMES_MAX);
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM sni"), JUDGE_NAMES_MAX);
    assert_int_equal(
        number_of_file(&file, "SELECT count(*) FROM host_address WHERE starttls IS NULL"), 0);
    /* two were not tried; for them the first handshake stands, unless another names them */
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM host_address p "
                                           "JOIN host h ON h.id = p.host "
                                           "JOIN address a ON a.id = p.address "
                                           "WHERE p.sni <> h.name "
                                           "AND (p.sni = a.sni OR p.name_ok = 1)"),
                     2);
}

/* The order of the list does not matter, nor that of answers: it is that of the ids. */
static void names_with_tlsa_are_tried_first(void **state)
{
    static const struct world world = {"abcdeFgH", LEAF_OTHER, EACH};

    (void)state;
    run_world(&world);
    assert_true(strchr("fh", asked[0]) != NULL);
    assert_true(strchr("fh", asked[1]) != NULL);
    assert_int_equal(connections, 2); /* which showed the same certificate */
}

static void tlsa_that_only_the_own_name_matches(void **state)
{
    static const struct world world = {"aB",
                                       LEAF_B,
                                       {{"a.test", STARTTLS_TLS, LEAF_ALL, 0, 0},
                                        {"b.test", STARTTLS_TLS, LEAF_B, 0, 0},
                                        {ANY, STARTTLS_TLS, LEAF_ALL, 0, 0}}};

    (void)state;
    run_world(&world);
    assert_int_equal(asked[0], 'b');
    file_has(&file, PAIRS, "a|a|verified|1|0|none\nb|b|verified|1|0|match\n");
    file_has(&file, "SELECT matched FROM tlsa", "1\n");
}

/* The first name covers its own host; the other has TLSA records that another certificate has. */
static void tlsa_mismatch_is_tried_again(void **state)
{
    static const struct world world = {
        "AB",
        LEAF_B,
        {{"b.test", STARTTLS_TLS, LEAF_B, 0, 0}, {ANY, STARTTLS_TLS, LEAF_ALL, 0, 0}}};

    (void)state;
    run_world(&world);
    assert_int_equal(connections, 2);
    file_has(&file, PAIRS, "a|a|tls|1|0|mismatch\nb|b|verified|1|0|match\n");
    file_has(&file,
             "SELECT substr(h.name, 1, 1), t.matched FROM tlsa t JOIN host h ON h.id = t.host "
             "ORDER BY 1",
             "a|0\nb|1\n");
}

/* ---- no TLS ---- */

struct plain_row {
    const char *name;
    enum starttls state;
    int code;
    const char *want;
    int connections;
};

static const struct plain_row plain_rows[] = {
    {"skipped", STARTTLS_SKIPPED, 0, "skipped|\n", 1},
    {"silent", STARTTLS_SILENT, 0, "silent|\n", 1},
    {"error", STARTTLS_ERROR, 421, "error|421\n", 1},
    {"clear", STARTTLS_CLEAR, 250, "clear|250\n", 1},
    {"tempfail", STARTTLS_TEMPFAIL, 454, "tempfail|454\n", 1},
    {"refused", STARTTLS_REFUSED, 554, "refused|554\n", 1},
    {"broken", STARTTLS_BROKEN, 220, "broken|220\n", 2},
};

static void no_tls(void **state)
{
    const struct plain_row *row = *state;
    struct world world = {"abc", LEAF_NONE, {{ANY, row->state, LEAF_NONE, 0, row->code}}};
    char want[128];

    set_up(NULL);
    run_world(&world);
    assert_int_equal(connections, row->connections);
    snprintf(want, sizeof want, "%s%s%s", row->want, row->want, row->want);
    file_has(&file, "SELECT starttls, code FROM host_address", want);
    assert_int_equal(number_of_file(&file, "SELECT count(*) FROM chain"), 0);
    tear_down(NULL);
}

/* A name that the server does not know breaks its handshake; the others' work. */
static void broken_for_one_name(void **state)
{
    static const struct world world = {"ab",
                                       LEAF_NONE,
                                       {{"a.test", STARTTLS_BROKEN, LEAF_NONE, 0, 220},
                                        {"b.test", STARTTLS_TLS, LEAF_B, 0, 0},
                                        {ANY}}};

    (void)state;
    run_world(&world);
    assert_int_equal(connections, 2);
    file_has(&file, PAIRS, "a|a|broken|||\nb|b|verified|1|0|none\n");
}

/* Another connection that had no answer, or was not made, says nothing of the name. */
static void another_connection_without_an_answer(void **state)
{
    static const struct world worlds[] = {
        {"ab",
         LEAF_NONE,
         {{"a.test", STARTTLS_SILENT, LEAF_NONE, 0, 0}, {ANY, STARTTLS_TLS, LEAF_OTHER, 0, 0}}},
        {"ab",
         LEAF_NONE,
         {{"b.test", STARTTLS_SILENT, LEAF_NONE, 0, 0}, {ANY, STARTTLS_TLS, LEAF_OTHER, 0, 0}}},
        {"ab",
         LEAF_NONE,
         {{"a.test", STARTTLS_SKIPPED, LEAF_NONE, 0, 0}, {ANY, STARTTLS_TLS, LEAF_OTHER, 0, 0}}},
        {"ab",
         LEAF_NONE,
         {{"b.test", STARTTLS_SKIPPED, LEAF_NONE, 0, 0}, {ANY, STARTTLS_TLS, LEAF_OTHER, 0, 0}}},
    };
    int both = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(worlds); i++) {
        run_world(&worlds[i]);
        if (connections == 2) {
            both++;
            assert_int_equal(number_of_file(&file, "SELECT count(*) FROM host_address "
                                                   "WHERE starttls = 'tls'"),
                             2);
        } else {
            assert_int_equal(connections, 1); /* it was the first */
        }
        tear_down(NULL);
        set_up(NULL);
    }
    assert_int_equal(both, 2);
}

/* ---- without a name, without a certificate ---- */

static void nameless_is_never_verified(void **state)
{
    static const struct world world = {"ab", LEAF_NONE, {{ANY, STARTTLS_TLS, LEAF_ALL, true, 0}}};

    (void)state;
    run_world(&world);
    assert_int_equal(connections, 1);
    file_has(&file, "SELECT starttls, name_ok, chain_ok, detail FROM host_address",
             "tls|1|1|works only without SNI (alert)\n"
             "tls|1|1|works only without SNI (alert)\n");
}

/* Postfix always sends a name where there are TLSA records. */
static void nameless_is_nothing_for_dane(void **state)
{
    static const struct world world = {"aB", LEAF_ALL, {{ANY, STARTTLS_TLS, LEAF_ALL, true, 0}}};

    (void)state;
    run_world(&world);
    file_has(&file,
             "SELECT substr(h.name, 1, 1), p.starttls, p.detail "
             "FROM host_address p JOIN host h ON h.id = p.host ORDER BY 1",
             "a|tls|works only without SNI (alert)\nb|broken|works only without SNI (alert)\n");
}

static void an_expired_certificate_without_a_name(void **state)
{
    static const struct world world = {"a", LEAF_NONE, {{ANY, STARTTLS_TLS, LEAF_OLD_A, true, 0}}};

    (void)state;
    run_world(&world);
    file_has(&file, "SELECT starttls, expired FROM host_address", "tls|0\n");
}

static void an_anonymous_cipher(void **state)
{
    static const struct world world = {"aB", LEAF_B, {{ANY, STARTTLS_TLS, LEAF_NONE, 0, 0}}};

    (void)state;
    run_world(&world);
    assert_int_equal(connections, 2);
    file_has(&file, "SELECT starttls, name_ok FROM host_address", "tls|0\ntls|0\n");
    file_has(&file, "SELECT fault, leaf FROM chain", "anonymous|\n");
    file_has(&file, "SELECT matched FROM tlsa", "\n");
}

static void an_expired_certificate(void **state)
{
    static const struct world world = {"a", LEAF_NONE, {{ANY, STARTTLS_TLS, LEAF_OLD_A, 0, 0}}};

    (void)state;
    run_world(&world);
    file_has(&file, "SELECT starttls, expired, chain_ok, name_ok FROM host_address", "tls|1|0|1\n");
    file_has(&file, "SELECT fault FROM chain", "expired\n");
}

/* ---- twice ---- */

static void judging_twice_changes_nothing(void **state)
{
    static const struct world world = {"aBc", LEAF_B, EACH};
    struct buf once, twice;
    int64_t id;

    (void)state;
    buf_init(&once, 1 << 16);
    buf_init(&twice, 1 << 16);
    run_world(&world);
    file_dump(&file, "SELECT * FROM host_address", &once);
    file_dump(&file, "SELECT * FROM sni", &once);
    file_dump(&file, "SELECT host, matched FROM tlsa", &once);
    id = number_of_file(&file, "SELECT id FROM address");
    must(&file, judge_address(file.results, context, id, NULL));
    file_dump(&file, "SELECT * FROM host_address", &twice);
    file_dump(&file, "SELECT * FROM sni", &twice);
    file_dump(&file, "SELECT host, matched FROM tlsa", &twice);
    assert_string_equal(buf_text(&twice), buf_text(&once));
    buf_fini(&once);
    buf_fini(&twice);
}

static void an_address_that_was_not_looked_up(void **state)
{
    static const struct world world = {"a", LEAF_NONE, EACH};
    static const struct ip ip = {4, {192, 0, 2, 1}};

    (void)state;
    put_hosts(&world, &ip);
    must(&file, judge_address(file.results, context,
                              number_of_file(&file, "SELECT id FROM address"), NULL));
    file_has(&file, "SELECT starttls FROM host_address", "\n");
    must(&file, judge_address(file.results, context, 4711, NULL));
}

int main(void)
{
    static const struct cert_name all[] = {N_("a.test"), N_("b.test"), N_("c.test"), N_("d.test"),
                                           END},
                                  a[] = {N_("a.test"), END}, b[] = {N_("b.test"), END},
                                  c[] = {N_("c.test"), END}, d[] = {N_("d.test"), END},
                                  other[] = {N_("x.example"), END};
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_certificate_for_all),
        TEST(a_server_that_takes_no_notice),
        TEST(each_name_has_its_own),
        TEST(more_names_than_are_tried),
        TEST(names_with_tlsa_are_tried_first),
        TEST(tlsa_that_only_the_own_name_matches),
        TEST(tlsa_mismatch_is_tried_again),
        TEST(broken_for_one_name),
        TEST(another_connection_without_an_answer),
        TEST(nameless_is_never_verified),
        TEST(nameless_is_nothing_for_dane),
        TEST(an_expired_certificate_without_a_name),
        TEST(an_anonymous_cipher),
        TEST(an_expired_certificate),
        TEST(judging_twice_changes_nothing),
        TEST(an_address_that_was_not_looked_up),
    };
    int failed;

    root = cert_make(&(struct cert_spec){.cn = "Root", .ca = true});
    context = cert_context(&root);
    leaf_make(LEAF_ALL, all, false);
    leaf_make(LEAF_A, a, false);
    leaf_make(LEAF_B, b, false);
    leaf_make(LEAF_C, c, false);
    leaf_make(LEAF_D, d, false);
    leaf_make(LEAF_OLD_A, a, true);
    leaf_make(LEAF_OTHER, other, false);
    ROWS_ADD(plain_rows, no_tls);
    failed = cmocka_run_group_tests_name("judge", tests, NULL, NULL) + rows_run("judge, no TLS");
    for (int i = 0; i < LEAVES; i++)
        OPENSSL_free(octets[i]);
    tls_context_free(context);
    cert_free(&root);
    return failed;
}
