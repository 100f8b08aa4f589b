/*
 * fuzz_postfix_syntax: the strict parser on any octets; then the same octets, line by line, as the
 * mx patterns and the lines of a policy that slipped past its own parser. What is rendered from
 * them must hold our attributes and no other: no injection.
 */
#include <string.h>

#include "base/check.h"
#include "policy/render/postfix_syntax.h"
#include "policy/render/render.h"

#define LINES     40
#define INPUT_MAX 4000

static const char *const known[] = {"secure",          "match=",         "servername=hostname",
                                    "policy_type=sts", "policy_domain=", "mx_host_pattern="};

static void check_word(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(word, known[i], strlen(known[i])) == 0) {
            size_t rest = strlen(known[i]);

            CHECK(memchr(word + rest, '=', length - rest) == NULL);
            CHECK(memchr(word, ',', length) == NULL && memchr(word, '\t', length) == NULL);
            return;
        }
    CHECK(!"a word that is not ours");
}

static void check_policy(char *text)
{
    char *open, *close;

    while ((open = strchr(text, '{')) != NULL) {
        close = strchr(open, '}');
        CHECK(close != NULL && strncmp(open, "{ policy_string = ", 18) == 0);
        CHECK(memchr(open + 1, '{', (size_t)(close - open - 1)) == NULL);
        memset(open, ' ', (size_t)(close - open + 1));
    }
    CHECK(strchr(text, '}') == NULL);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        check_word(word, strlen(word));
}

static void render(const struct evidence *evidence, struct render_capabilities capabilities)
{
    struct verdict verdict = {.level = VERDICT_SECURE, .reason = REASON_STS_ENFORCE};
    struct buf out;

    buf_init(&out, RENDER_SOCKETMAP_MAX);
    if (render_verdict(&out, &verdict, evidence, &capabilities) == ANSWER_OK)
        check_policy(out.data);
    else
        CHECK(out.length > 0 && out.length <= 200);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    char text[INPUT_MAX + 1];
    const char *lines[LINES];
    struct sts_policy policy = {.mode = STS_MODE_ENFORCE, .mx = lines, .lines = lines};
    struct evidence evidence = {.domain = "example.com", .sts = {.state = STS_POLICY}};
    const char *why;

    postfix_syntax_ok((const char *)data, length, POSTFIX_3_4, &why);
    postfix_syntax_ok((const char *)data, length, POSTFIX_3_10, &why);
    if (length > INPUT_MAX)
        return 0;
    memcpy(text, data, length);
    text[length] = '\0';
    for (char *line = text; line != NULL && policy.mx_count < LINES; policy.mx_count++) {
        char *end = strchr(line, '\n');

        lines[policy.mx_count] = line;
        if (end != NULL)
            *end++ = '\0';
        line = end;
    }
    policy.line_count = policy.mx_count;
    evidence.sts.policy = &policy;
    render(&evidence, (struct render_capabilities){.tlsrpt = true, .text_max = 99997});
    render(&evidence, (struct render_capabilities){.encoded = true, .text_max = 300});
    return 0;
}
