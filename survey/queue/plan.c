/* plan: see plan.h. */
#include "survey/queue/plan.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/ascii.h"
#include "survey/names.h"
#include "survey/queue/chunk_name.h"
#include "survey/queue/job.h"

#define HEAD "mxcrypt-survey 1\n"
#define LIST "list "

#define COUNT_MAX (CHUNK_NUMBER_MAX * JOB_NAMES_MIN)

static const struct member {
    const char *word;
    size_t place;
    int64_t least, most;
} members[] = {
    {"seed", offsetof(struct plan, seed), 0, INT32_MAX},
    {"sample", offsetof(struct plan, sample), 0, COUNT_MAX},
    {"names", offsetof(struct plan, names), 0, COUNT_MAX},
    {"lines-bad", offsetof(struct plan, lines_bad), 0, COUNT_MAX},
    {"domains", offsetof(struct plan, domains), 0, COUNT_MAX},
    {"size", offsetof(struct plan, size), JOB_NAMES_MIN, JOB_NAMES_MAX},
    {"parts", offsetof(struct plan, parts), 2, CHUNK_PARTS_MAX},
    {"dnssec", offsetof(struct plan, dnssec), 0, 1},
    {"dane", offsetof(struct plan, dane), 0, 1},
    {"probe", offsetof(struct plan, probe), 0, 1},
    {"rate", offsetof(struct plan, rate), 0, PLAN_RATE_MAX},
    {"digest", offsetof(struct plan, digest), 0, INT64_MAX},
};
#define MEMBERS (sizeof members / sizeof *members)

static int64_t *number_in(struct plan *plan, const struct member *member)
{
    return (int64_t *)(void *)((char *)plan + member->place);
}

bool plan_equal(const struct plan *a, const struct plan *b)
{
    struct plan one = *a, other = *b;

    for (size_t i = 0; i < MEMBERS; i++)
        if (*number_in(&one, &members[i]) != *number_in(&other, &members[i]))
            return false;
    return strcmp(one.list, other.list) == 0;
}

void plan_write(struct buf *out, const struct plan *plan)
{
    struct plan copy = *plan;

    buf_adds(out, HEAD);
    for (size_t i = 0; i < MEMBERS; i++)
        buf_addf(out, "%s %" PRId64 "\n", members[i].word, *number_in(&copy, &members[i]));
    buf_addf(out, LIST "%s\n", plan->list);
}

/* "WORD NUMBER\n" at *at. */
static bool read_member(struct plan *plan, const struct member *member, const char **at,
                        const char *end)
{
    size_t word = strlen(member->word);
    int64_t number = 0;
    const char *text = *at, *digits;

    if ((size_t)(end - text) < word + 3 || memcmp(text, member->word, word) != 0 ||
        text[word] != ' ')
        return false;
    digits = text += word + 1;
    for (; text < end && *text >= '0' && *text <= '9'; text++) {
        if (number > (INT64_MAX - (*text - '0')) / 10)
            return false;
        number = number * 10 + (*text - '0');
    }
    if (text == digits || (text - digits > 1 && *digits == '0') || text == end || *text != '\n' ||
        number < member->least || number > member->most)
        return false;
    *number_in(plan, member) = number;
    *at = text + 1;
    return true;
}

bool plan_read(struct plan *out, const char *text, size_t length)
{
    const char *at = text, *end = text + length;
    size_t list;

    *out = (struct plan){0};
    if (length > PLAN_TEXT_MAX || length < strlen(HEAD) || memcmp(at, HEAD, strlen(HEAD)) != 0)
        return false;
    at += strlen(HEAD);
    for (size_t i = 0; i < MEMBERS; i++)
        if (!read_member(out, &members[i], &at, end))
            return false;
    if ((size_t)(end - at) < strlen(LIST) + 1 || memcmp(at, LIST, strlen(LIST)) != 0 ||
        end[-1] != '\n')
        return false;
    at += strlen(LIST);
    list = (size_t)(end - at) - 1;
    if (list > PLAN_LIST_MAX || memchr(at, '\0', list) != NULL)
        return false;
    memcpy(out->list, at, list);
    return ascii_is_printable(out->list);
}

int64_t plan_chunks(const struct plan *plan)
{
    return (plan->domains + plan->size - 1) / plan->size;
}

int64_t plan_chunk_domains(const struct plan *plan, int64_t number)
{
    int64_t chunks = plan_chunks(plan);

    if (number < 1 || number > chunks)
        return 0;
    return number < chunks ? plan->size : plan->domains - (chunks - 1) * plan->size;
}

bool plan_name_ok(const char *name)
{
    static const char *const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789._-";
    size_t length = strlen(name);

    return length > 0 && length <= PLAN_NAME_MAX && strspn(name, allowed) == length &&
           name[0] != '.' && name[0] != '-';
}
