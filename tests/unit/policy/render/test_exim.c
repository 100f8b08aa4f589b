/* exim: what Exim reads: one line for each answer, and what may not stand in one (mxcrypt-exim(5)). */
#include "tests/unit/support/rows.h"

#include <stdio.h>

#include "policy/render/exim.h"

static void must_be(const char *name, const char *text, const char *wanted)
{
    if (strcmp(text, wanted) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", name, text, wanted);
}

static struct answer found(const char *text)
{
    return (struct answer){ANSWER_OK, text, strlen(text), false};
}

static void must_write(const char *name, const struct answer *answer, const char *line)
{
    const char *why;
    struct buf out;

    buf_init(&out, EXIM_LINE_MAX);
    buf_adds(&out, "before ");
    exim_write(&out, answer);
    must_be(name, buf_text(&out) + 7, line);
    assert_true(exim_syntax_ok(line, strlen(line), &why));
    buf_fini(&out);
}

static void each_policy_is_a_line(void **state)
{
    static const struct {
        const char *policy, *line, *by_rule; /* by_rule: NULL: the same */
    } table[] = {
        {"dane-only", "level=dane-only dane=require require_tls=yes verify=no", NULL},
        {"dane", "level=dane dane=try require_tls=no verify=no", NULL},
        {"encrypt", "level=encrypt dane=no require_tls=yes verify=no", NULL},
        {"encrypt protocols=>=TLSv1.2 ciphers=high",
         "level=encrypt dane=no require_tls=yes verify=no", NULL},
        {"verify servername=hostname", "level=verify dane=no require_tls=yes verify=yes", NULL},
        {"secure match=mx.a.example:.b.example servername=hostname",
         "level=secure dane=no require_tls=yes verify=yes match=mx.a.example:*.b.example",
         "level=secure dane=no require_tls=yes verify=yes match=mx.a.example:.b.example"},
        {"secure match=MX.a.example, match=b.example",
         "level=secure dane=no require_tls=yes verify=yes match=mx.a.example:b.example", NULL},
        {"verify match=mx.a.example servername=SNI.a.example",
         "level=verify dane=no require_tls=yes verify=yes match=mx.a.example sni=sni.a.example",
         NULL},
        {"may", "level=may dane=no require_tls=no verify=no", NULL},
        {"none", "level=none dane=no require_tls=no verify=no", NULL},
        {"fingerprint match=00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
         "level=temp reason=\"what a rule asks for, Exim cannot do\"", NULL},
        {"secure match=a.example tafile=/etc/ca",
         "level=temp reason=\"what a rule asks for, Exim cannot do\"", NULL},
        {"secure", "level=temp reason=\"what a rule asks for, Exim cannot do\"", NULL},
        {"", "level=temp reason=\"what a rule asks for, Exim cannot do\"", NULL},
        {"dane-onl", "level=temp reason=\"what a rule asks for, Exim cannot do\"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct answer answer = found(table[i].policy);

        must_write(table[i].policy, &answer, table[i].line);
        answer.by_rule = true;
        must_write(table[i].policy, &answer,
                   table[i].by_rule == NULL ? table[i].line : table[i].by_rule);
    }
}

static void without_a_policy(void **state)
{
    const struct answer notfound = {ANSWER_NOTFOUND, "", 0, false};
    static const char reason[] = "MX of \"a\" {failed}: $x \\ y\n\x80";
    struct answer temp = {ANSWER_TEMP, reason, sizeof reason - 1, false};
    char many[300], line[300];

    (void)state;
    must_write("notfound", &notfound, "level=notfound");
    must_write("temp", &temp, "level=temp reason=\"MX of 'a' 'failed': 'x ' y''\"");
    temp.length = 0;
    must_write("no reason", &temp, "level=temp reason=\"\"");
    memset(many, 'x', sizeof many);
    temp = (struct answer){ANSWER_TEMP, many, sizeof many, false};
    snprintf(line, sizeof line, "level=temp reason=\"%.*s\"", RENDER_REASON_MAX, many);
    must_write("a long reason", &temp, line);
}

/* Every name comes through, as long as the answer to Postfix may be. */
static void the_longest_is_whole(void **state)
{
    struct buf policy, line;
    struct answer answer;
    const char *why;
    size_t names = 0;

    (void)state;
    buf_init(&policy, RENDER_SOCKETMAP_MAX - 30);
    buf_init(&line, EXIM_LINE_MAX);
    buf_adds(&policy, "secure match=a.example");
    while (policy.length < RENDER_SOCKETMAP_MAX - 60) {
        buf_adds(&policy, ":.d.ex");
        names++;
    }
    answer = (struct answer){ANSWER_OK, buf_text(&policy), policy.length, false};
    exim_write(&line, &answer);
    assert_false(line.failed);
    assert_true(exim_syntax_ok(buf_text(&line), line.length, &why));
    for (const char *next = buf_text(&line); (next = strstr(next, ":*.d.ex")) != NULL; next++)
        names--;
    assert_int_equal(names, 0);
    buf_fini(&line);
    buf_fini(&policy);
}

static void what_may_not_be_sent(void **state)
{
    static const char *const lines[] = {
        "",
        "level=",
        "level=notfound ",
        " level=notfound",
        "level=notfound\n",
        "level=secure",
        "level=secure dane=no require_tls=yes verify=yes",
        "level=secure dane=no require_tls=yes verify=yes match=",
        "level=secure dane=no require_tls=yes verify=yes match=a.example:",
        "level=secure dane=no require_tls=yes verify=yes match=:a.example",
        "level=secure dane=no require_tls=yes verify=yes match=A.example",
        "level=secure dane=no require_tls=yes verify=yes match=*",
        "level=secure dane=no require_tls=yes verify=yes match=*.example",
        "level=secure dane=no require_tls=yes verify=yes match=example",
        "level=secure dane=no require_tls=yes verify=yes match=*.*.a.example",
        "level=secure dane=no require_tls=yes verify=yes match=a.example b",
        "level=secure dane=no require_tls=yes verify=yes match=192.0.2.1",
        "level=secure dane=no require_tls=no verify=yes match=a.example",
        "level=secure dane=no require_tls=yes verify=no match=a.example",
        "level=secure dane=no verify=yes require_tls=yes match=a.example",
        "level=secure dane=no require_tls=yes verify=yes match=a.example match=b.example",
        "level=secure dane=no require_tls=yes verify=yes match=a.example sni=",
        "level=secure dane=no require_tls=yes verify=yes match=a.example sni=a.example ",
        "level=encrypt dane=no require_tls=yes verify=no match=a.example",
        "level=encrypt dane=no require_tls=yes verify=nomatch=a.example",
        "level=dane-only dane=no require_tls=yes verify=no",
        "level=temp",
        "level=temp reason=x",
        "level=temp reason=\"",
        "level=temp reason=\"x\"y\"",
        "level=temp reason=\"x\" match=a",
        "level=temp reason=\"${run{/bin/sh}}\"",
    };
    const char *why;

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++)
        if (exim_syntax_ok(lines[i], strlen(lines[i]), &why) || why == NULL)
            fail_msg("passes: %s", lines[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_policy_is_a_line),
        cmocka_unit_test(without_a_policy),
        cmocka_unit_test(the_longest_is_whole),
        cmocka_unit_test(what_may_not_be_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
