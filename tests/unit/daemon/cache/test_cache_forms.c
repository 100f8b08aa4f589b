/* cache_entry: an entry stores a text that several forms share once. Whatever the lengths, each form is
 * what it is when rendered alone: at the limits of each protocol, with and without what is rare. */
#include "tests/unit/support/rows.h"

#include "daemon/cache/cache_entry.h"

#define NAMES_MAX 520
#define NAME_SIZE 256
#define PLAIN_OF  (sizeof "secure match= servername=hostname" - 1)
#define DOMAIN    "a.example"

static const struct render_capabilities capabilities[FORM_COUNT] = {
    [FORM_TLSRPT] = {true, false, RENDER_SOCKETMAP_MAX - 3, false},
    [FORM_PLAIN] = {false, false, RENDER_SOCKETMAP_MAX - 3, false},
    [FORM_TCP_TABLE] = {false, true, RENDER_TCP_TABLE_MAX - 4, false},
    [FORM_SENDMAIL] = {false, false, RENDER_SENDMAIL_MAX, true},
};

static char names[NAMES_MAX][NAME_SIZE];
static const char *patterns[NAMES_MAX];

/* A name of `length` octets, at least 12, that no other number has. */
static void name_of(char *out, size_t number, size_t length)
{
    for (size_t i = 0; i < length; i++)
        out[i] = i % 50 == 49 && i + 3 < length ? '.' : 'x';
    out[0] = (char)('a' + number % 26);
    out[1] = (char)('a' + number / 26 % 26);
    out[2] = (char)('a' + number / 676);
    memcpy(out + length - 5, ".test", 6);
}

/* Patterns that make a plain answer of exactly `length` octets. */
static struct sts_policy policy_of(size_t length)
{
    size_t rest = length - PLAIN_OF, step = rest > 5000 ? 200 : 30;
    struct sts_policy policy = {.mode = STS_MODE_ENFORCE, .mx = patterns};

    while (rest > 0) {
        size_t take = rest <= step + 20 ? rest : step;

        assert_true(policy.mx_count < NAMES_MAX);
        name_of(names[policy.mx_count], policy.mx_count, take);
        patterns[policy.mx_count] = names[policy.mx_count];
        policy.mx_count++;
        rest -= take < rest ? take + 1 : take;
    }
    return policy;
}

static void assert_each_form_is_its_own(const struct verdict *verdict,
                                        const struct evidence *evidence)
{
    struct cache_entry *entry;
    struct key key;

    key_parse(&key, DOMAIN, strlen(DOMAIN), 25);
    entry = cache_entry_new(&key, verdict, evidence, 0);
    assert_non_null(entry);
    for (unsigned form = 0; form < FORM_COUNT; form++) {
        struct answer answer = cache_entry_answer(entry, (enum answer_form)form);
        struct buf text;

        buf_init(&text, RENDER_SOCKETMAP_MAX);
        assert_int_equal(answer.status,
                         render_verdict(&text, verdict, evidence, &capabilities[form]));
        assert_int_equal(answer.length, text.length);
        assert_memory_equal(answer.text, buf_text(&text), text.length);
        buf_fini(&text);
    }
    assert_int_equal(cache_entry_remembered(entry).refused, verdict->remembered.refused);
    cache_entry_free(entry);
}

/* Every level and what an MTA without DANE makes of it. */
static void every_verdict(const struct evidence *evidence, bool enforced)
{
    for (int level = VERDICT_NO_OPINION; level <= VERDICT_TEMP; level++)
        for (int probed = VERDICT_NO_OPINION; probed <= VERDICT_VERIFY; probed++)
            for (int other = 0; other < 4; other++) {
                struct verdict verdict;

                verdict_without_evidence(&verdict, REASON_MX_ERROR, 1000);
                verdict.level = (enum verdict_level)level;
                if (level == VERDICT_SECURE)
                    verdict.reason = REASON_STS_ENFORCE;
                verdict.probed = (enum verdict_level)probed;
                verdict.sts_enforced = enforced;
                verdict.dane = (other & 1) != 0 ? DANE_ERROR : DANE_FULL;
                verdict.remembered.refused = (other & 2) != 0 ? 7 : 0;
                assert_each_form_is_its_own(&verdict, evidence);
            }
}

struct row {
    const char *name;
    size_t from, to;
};

static const struct row rows[] = {
    {"short", PLAIN_OF + 12, PLAIN_OF + 40},
    {"the limit of Sendmail", RENDER_SENDMAIL_MAX - 10, RENDER_SENDMAIL_MAX + 10},
    {"the limit of tcp_table", RENDER_TCP_TABLE_MAX - 10, RENDER_TCP_TABLE_MAX - 1},
    {"the limit of socketmap", RENDER_SOCKETMAP_MAX - 4, RENDER_SOCKETMAP_MAX - 2},
};

static void one_row(void **state)
{
    const struct row *row = *state;

    for (size_t length = row->from; length <= row->to; length++) {
        const struct sts_policy policy = policy_of(length);
        const struct evidence evidence = {
            .domain = DOMAIN, .mx = MX_NXDOMAIN, .sts = {.state = STS_POLICY, .policy = &policy}};

        every_verdict(&evidence, true);
    }
}

static void without_a_policy(void **state)
{
    const struct evidence evidence = {.domain = DOMAIN, .mx = MX_NXDOMAIN};

    (void)state;
    every_verdict(NULL, false);
    every_verdict(&evidence, false);
}

int main(void)
{
    ROWS_ADD(rows, one_row);
    ROWS_ADD_TEST(without_a_policy);
    return rows_run("forms of a cache entry");
}
