/* dialect: see dialect.h. */
#include "daemon/lookup/dialect.h"

#include <string.h>

#include "policy/render/exim.h"
#include "policy/render/sendmail.h"

#define NO_MEMORY "no memory for the answer"

struct dialect {
    enum answer_form form;
    /* Appends the answer in other words; NULL: it is sent as it is */
    enum answer_status (*write)(struct buf *out, const struct answer *answer);
};

static enum answer_status write_exim(struct buf *out, const struct answer *answer)
{
    exim_write(out, answer);
    return answer->status;
}

const struct dialect dialect_postfix = {FORM_PLAIN, NULL};
const struct dialect dialect_tcp_table = {FORM_TCP_TABLE, NULL};
const struct dialect dialect_exim = {FORM_PLAIN, write_exim};
static const struct dialect tlsrpt = {FORM_TLSRPT, NULL};
static const struct dialect sts = {FORM_SENDMAIL, sendmail_sts};
static const struct dialect requirement = {FORM_SENDMAIL, sendmail_requirement};

/* Names of maps; QUERYwithTLSRPT is postfix-tlspol's: docs/postfix.md, TLSRPT. */
static const struct {
    const char *name;
    const struct dialect *dialect;
} maps[] = {
    {"tlsrpt", &tlsrpt},
    {"QUERYwithTLSRPT", &tlsrpt},
    {"sts", &sts},
    {"sendmail", &requirement},
};

const struct dialect *dialect_of_map(struct span name)
{
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        if (span_is(name, maps[i].name))
            return maps[i].dialect;
    return &dialect_postfix;
}

const struct dialect *dialect_of_name(const char *name)
{
    const struct dialect *dialect = dialect_of_map((struct span){name, strlen(name)});

    if (strcmp(name, "exim") == 0)
        return &dialect_exim;
    return dialect != &dialect_postfix || strcmp(name, "postfix") == 0 ? dialect : NULL;
}

enum waiter_wants dialect_wants(const struct dialect *dialect)
{
    return dialect->form == FORM_SENDMAIL ? WANTS_WITHOUT_DANE : WANTS_ANSWER;
}

struct answer dialect_answer(const struct dialect *dialect, const struct reply *reply,
                             struct buf *room)
{
    struct answer answer = reply_answer(reply, dialect->form);
    enum answer_status status;

    if (dialect->write == NULL)
        return answer;
    buf_clear(room);
    status = dialect->write(room, &answer);
    if (room->failed)
        return (struct answer){ANSWER_TEMP, NO_MEMORY, sizeof NO_MEMORY - 1, false};
    return (struct answer){status, buf_text(room), room->length, false};
}
