/* record: identities, copies, and what no daemon can have written. */
#include "tests/unit/support/record_make.h"
#include "tests/unit/support/rows.h"

static void check_identity(const struct record *record, const char *want)
{
    char identity[RECORD_IDENTITY_MAX];

    assert_true(record_identity(identity, record));
    assert_string_equal(identity, want);
}

static void identities(void **state)
{
    struct record answer = make_answer("example.com"), policy = make_saved_policy("example.org");
    struct record probe = make_probe("192.0.2.1", "mx.example.net");

    (void)state;
    check_identity(&answer, "example.com");
    check_identity(&policy, "example.org");
    check_identity(&probe, "192.0.2.1 25 mx.example.net mx.example.net 00000000000000ff");
    probe.probe.sni = NULL;
    check_identity(&probe, "192.0.2.1 25 mx.example.net  00000000000000ff");
}

static void the_longest_identity_fits(void **state)
{
    char host[HOSTNAME_MAX + 2] = "", out[RECORD_IDENTITY_MAX];
    struct record probe = make_probe("2001:db8:1111:2222:3333:4444:5555:6666", host);

    (void)state;
    memset(host, 'a', sizeof host);
    host[HOSTNAME_MAX] = '\0';
    probe.probe.port = 65535;
    assert_true(record_identity(out, &probe));
    assert_true(strlen(out) > 500);
    host[HOSTNAME_MAX] = 'a';
    host[HOSTNAME_MAX + 1] = '\0';
    probe.probe.sni = host;
    (void)record_identity(out, &probe); /* maybe false, never beyond */
}

static void a_copy_owns_its_strings(void **state)
{
    struct arena *arena = arena_new(1 << 16);
    char key[] = "example.com", octets[] = {1, 2, 3};
    struct record answer = make_answer(key), *copy;

    (void)state;
    answer.answer.evidence = octets;
    answer.answer.evidence_length = sizeof octets;
    copy = record_copy(arena, &answer);
    memset(key, 'x', sizeof key - 1);
    memset(octets, 9, sizeof octets);
    assert_string_equal(copy->answer.key, "example.com");
    assert_memory_equal(copy->answer.evidence, "\1\2\3", 3);
    arena_free(arena);
}

static void words_go_both_ways(void **state)
{
    (void)state;
    for (int vocabulary = 0; vocabulary < RECORD_VOCABULARIES; vocabulary++)
        for (unsigned i = 0; i < 100; i++) {
            const char *word = record_word((enum record_vocabulary)vocabulary, i);
            unsigned number = 0;

            if (word == NULL)
                continue;
            assert_true(record_word_number((enum record_vocabulary)vocabulary, word, &number));
            assert_int_equal(number, i);
        }
    assert_false(record_word_number(RECORD_LEVEL, "stronger", &(unsigned){0}));
    assert_false(record_word_number(RECORD_LEVEL, NULL, &(unsigned){0}));
}

/* ---- what can be ---- */

struct row {
    const char *name;
    void (*spoil)(struct record *record);
    bool good;
};

#define SPOIL(name, field, value)                                                                  \
    static void name(struct record *record)                                                        \
    {                                                                                              \
        record->field = (value);                                                                   \
    }

static void nothing(struct record *record)
{
    (void)record;
}

SPOIL(host_key, answer.key, "[mx.example.com]:587")
SPOIL(port_key, answer.key, "example.com:25")
SPOIL(low_port_key, answer.key, "example.com:1")
SPOIL(upper_key, answer.key, "Example.com")
SPOIL(dotted_key, answer.key, "example.com.")
SPOIL(parent_key, answer.key, ".example.com")
SPOIL(other_key, answer.key, "example")
SPOIL(empty_key, answer.key, "")
SPOIL(no_key, answer.key, NULL)
SPOIL(level, answer.level, (enum verdict_level)(VERDICT_TEMP + 1))
SPOIL(reason, answer.reason, REASON_COUNT)
SPOIL(line, answer.answer, "OK\nOK")
SPOIL(undecided, answer.decided_at, 0)
SPOIL(negative, answer.used_at, -1)
SPOIL(month, answer.valid_until, record->answer.decided_at + RECORD_LIFE_MAX)
SPOIL(over_month, answer.valid_until, record->answer.decided_at + RECORD_LIFE_MAX + 1)
SPOIL(dane_month, answer.dane_until, record->answer.decided_at + RECORD_LIFE_MAX + 1)
SPOIL(proven_dane, answer.remembered.observed, VERDICT_DANE)
SPOIL(downgrade_ahead, answer.remembered.verify.since, record->answer.decided_at + 1)
SPOIL(downgrade_end, answer.remembered.verify.until, 5)
SPOIL(large, answer.evidence_length, RECORD_EVIDENCE_MAX + 1)

static const struct row answers[] = {
    {"as it is", nothing, true},
    {"a host with a port", host_key, true},
    {"a port that may be the default", port_key, true},
    {"port 1", low_port_key, true},
    {"a key in upper case", upper_key, false},
    {"a key with a dot at the end", dotted_key, false},
    {"a parent", parent_key, false},
    {"one label", other_key, false},
    {"an empty key", empty_key, false},
    {"no key", no_key, false},
    {"a level beyond the last", level, false},
    {"a reason beyond the last", reason, false},
    {"an answer of two lines", line, false},
    {"never decided", undecided, false},
    {"a negative time", negative, false},
    {"it lives a month", month, true},
    {"it lives longer", over_month, false},
    {"its DANE lives longer", dane_month, false},
    {"proven by probing: dane", proven_dane, false},
    {"a loss that begins later", downgrade_ahead, false},
    {"a loss that ends without beginning", downgrade_end, false},
    {"too much evidence", large, false},
};

SPOIL(domain, policy.domain, "Example.org")
SPOIL(address_domain, policy.domain, "192.0.2.1")
SPOIL(long_id, policy.id, "123456789012345678901234567890123")
SPOIL(odd_id, policy.id, "a-b")
SPOIL(no_id, policy.last_id, NULL)
SPOIL(mode, policy.mode, (enum sts_mode)(STS_MODE_ENFORCE + 1))
SPOIL(failure, policy.failure, STS_NO_RECORD)
SPOIL(no_body, policy.body, NULL)
SPOIL(unfetched, policy.fetched_at, 0)
SPOIL(max_age, policy.valid_until, record->policy.fetched_at + INT64_C(1000) * STS_MAX_AGE_MAX + 1)
SPOIL(why, policy.why, "\033[31m")

static const struct row policies[] = {
    {"as it is", nothing, true},
    {"upper case", domain, false},
    {"an address", address_domain, false},
    {"an id of 33", long_id, false},
    {"an id with punctuation", odd_id, false},
    {"no id", no_id, false},
    {"a mode beyond the last", mode, false},
    {"a failure that is none", failure, false},
    {"times without a policy", no_body, false},
    {"never fetched", unfetched, false},
    {"beyond the longest max_age", max_age, false},
    {"a reason with an escape", why, false},
};

SPOIL(no_address, probe.ip.family, 0)
SPOIL(no_sni, probe.sni, NULL)
SPOIL(host, probe.host, "mx example")
SPOIL(sni, probe.sni, "-")
SPOIL(starttls, probe.result.state, (enum starttls)(STARTTLS_VERIFIED + 1))
SPOIL(match, probe.result.tlsa, (enum tlsa_match)(TLSA_MATCH_MISMATCH + 1))
SPOIL(code, probe.result.code, 1000)
SPOIL(subject, probe.result.subject, "a\tb")
SPOIL(probe_life, probe.result.valid_until, record->probe.result.probed_at + RECORD_LIFE_MAX + 1)

static const struct row probes[] = {
    {"as it is", nothing, true},
    {"no address", no_address, false},
    {"no server name", no_sni, true},
    {"a host with a blank", host, false},
    {"a bad server name", sni, false},
    {"a state beyond the last", starttls, false},
    {"a match beyond the last", match, false},
    {"a code of four digits", code, false},
    {"a subject with a tab", subject, false},
    {"it lives too long", probe_life, false},
};

static void check(const struct row *row, struct record record)
{
    const char *why = NULL;

    row->spoil(&record);
    assert_int_equal(record_valid(&record, &why), row->good);
    assert_true((why == NULL) == row->good);
}

static void answer_row(void **state)
{
    check(*state, make_answer("example.com"));
}

static void policy_row(void **state)
{
    check(*state, make_saved_policy("example.org"));
}

static void probe_row(void **state)
{
    check(*state, make_probe("192.0.2.1", "mx.example.net"));
}

int main(void)
{
    ROWS_ADD_TEST(identities);
    ROWS_ADD_TEST(the_longest_identity_fits);
    ROWS_ADD_TEST(a_copy_owns_its_strings);
    ROWS_ADD_TEST(words_go_both_ways);
    ROWS_ADD(answers, answer_row);
    ROWS_ADD(policies, policy_row);
    ROWS_ADD(probes, probe_row);
    return rows_run("record");
}
