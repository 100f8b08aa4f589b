/* dns_question_uv: see dns_question_uv.h. */
#include "probe/dns/dns_question_uv.h"

#define FAILED(words, kind)                                                                        \
    {                                                                                              \
        .outcome = DNS_FAILED, .owner = "", .why = words, .failure = DNS_FAILURE_##kind            \
    }
static const struct dns_answer no_budget = FAILED("too many DNS queries for one domain", LOCAL);
static const struct dns_answer no_memory = FAILED("no memory", LOCAL);
static const struct dns_answer no_room = FAILED(DNS_NO_ROOM, QUEUE);
static const struct dns_answer no_answer = FAILED("no answer from the resolver", TIMEOUT);

static void question_fail(struct dns_question *question, const struct dns_answer *answer)
{
    question->query = NULL;
    question->answer = answer;
    question->unasked = true;
}

static void on_answer(void *context, const struct dns_answer *answer)
{
    struct dns_question *question = context;

    question->query = NULL;
    question->answer = answer;
    question->asker->answered(question->asker->owner);
}

void dns_question_ask(struct dns_question *question, const struct dns_asker *asker,
                      const char *name, enum dns_type type)
{
    int error = UV_ENOMEM;

    *question = (struct dns_question){.asker = asker};
    if (*asker->budget == 0) {
        question_fail(question, &no_budget);
        return;
    }
    --*asker->budget;
    if (name != NULL)
        error =
            dns_start(&question->query, asker->dns, asker->arena, name, type, on_answer, question);
    if (error != 0)
        question_fail(question, error == UV_ENOBUFS ? &no_room : &no_memory);
}

bool dns_question_once(struct dns_question *question, const struct dns_asker *asker,
                       const char *name, enum dns_type type)
{
    if (question->query == NULL && question->answer == NULL)
        dns_question_ask(question, asker, name, type);
    return question->query != NULL;
}

bool dns_question_awaited(struct dns_question *question, bool expired)
{
    if (question->query != NULL && expired) {
        dns_question_stop(question);
        question_fail(question, &no_answer);
    }
    return question->query != NULL;
}

void dns_question_stop(struct dns_question *question)
{
    if (question->query != NULL)
        dns_cancel(question->query);
    question->query = NULL;
}
