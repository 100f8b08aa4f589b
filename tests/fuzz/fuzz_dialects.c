/* fuzz: any policy, of a rule or found, and any reason in the words of Exim and of Sendmail's maps: what
 * is sent has passed its check. The first octet says which. */
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "policy/render/exim.h"
#include "policy/render/postfix_syntax.h"
#include "policy/render/sendmail.h"

static void in_exim(const struct answer *answer)
{
    const char *why;
    struct buf out;

    buf_init(&out, EXIM_LINE_MAX);
    exim_write(&out, answer);
    CHECK(!out.failed && exim_syntax_ok(buf_text(&out), out.length, &why));
    buf_fini(&out);
}

static void in_sendmail(const struct answer *answer)
{
    struct buf out;

    buf_init(&out, RENDER_SOCKETMAP_MAX);
    if (sendmail_sts(&out, answer) == ANSWER_OK)
        CHECK(sendmail_sts_ok(buf_text(&out), out.length));
    buf_clear(&out);
    if (sendmail_requirement(&out, answer) == ANSWER_OK)
        CHECK(sendmail_requirement_ok(buf_text(&out), out.length));
    CHECK(!out.failed);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    struct answer answer;
    const char *why;

    if (length == 0 || length > RENDER_SOCKETMAP_MAX)
        return 0;
    answer = (struct answer){(enum answer_status)(data[0] % 3), (const char *)data + 1, length - 1,
                             data[0] >= 128};
    in_exim(&answer);
    in_sendmail(&answer);
    exim_syntax_ok(answer.text, answer.length, &why);
    sendmail_sts_ok(answer.text, answer.length);
    sendmail_requirement_ok(answer.text, answer.length);
    return 0;
}
