/* servers_compare: which answer of a zone's servers is the zone's; see servers_uv.h. Pure. */
#include <stdlib.h>
#include <string.h>

#include "check/servers/servers_uv.h"

static int by_octets(const void *a, const void *b)
{
    const struct dns_record *one = a, *other = b;
    size_t length = one->length < other->length ? one->length : other->length;
    int order = length == 0 ? 0 : memcmp(one->data, other->data, length);

    return order != 0 ? order : (int)one->length - (int)other->length;
}

static int by_target(const void *a, const void *b)
{
    const struct dns_record *one = a, *other = b;

    if (one->preference != other->preference)
        return one->preference < other->preference ? -1 : 1;
    return strcmp(one->name, other->name);
}

static bool is_said(const struct dns_answer *answer)
{
    return answer != NULL && answer->outcome != DNS_FAILED && answer->authoritative;
}

/* Whether one of two answers ends with an alias, and the other goes on: what is behind the last one
 * of a zone is another zone, which a server may have too. */
static bool ends_sooner(const struct dns_answer *a, const struct dns_answer *b)
{
    const struct dns_answer *sooner = a->count == 0 ? a : b, *other = sooner == a ? b : a;

    if (sooner->count > 0 || sooner->aliases == 0)
        return false;
    return other->aliases > sooner->aliases ||
           (other->aliases == sooner->aliases && strcmp(a->owner, b->owner) == 0);
}

/* Whether two servers say the same; records may come in any order. */
static bool is_same(const struct dns_answer *a, const struct dns_answer *b)
{
    int (*order)(const void *, const void *);

    if (ends_sooner(a, b))
        return true;
    if (a->outcome != b->outcome || a->count != b->count || a->aliases != b->aliases ||
        strcmp(a->owner, b->owner) != 0)
        return false;
    if (a->count == 0)
        return true;
    order = a->records[0].name != NULL ? by_target : by_octets;
    qsort(a->records, a->count, sizeof *a->records, order);
    qsort(b->records, b->count, sizeof *b->records, order);
    for (size_t i = 0; i < a->count; i++)
        if (order(&a->records[i], &b->records[i]) != 0)
            return false;
    return true;
}

static bool agrees(const struct servers_question *question, const struct dns_answer *answer,
                   const struct dns_answer *right)
{
    if (question->spread && answer->outcome == DNS_RECORDS && right->outcome == DNS_RECORDS)
        return true;
    return is_same(answer, right);
}

/* RFC 1982; one that is not known is older than any. */
static bool is_newer(const struct check_server *one, const struct check_server *other)
{
    if (!one->serial_known || !other->serial_known)
        return one->serial_known;
    return (int32_t)(one->serial - other->serial) > 0;
}

/* How many servers say the same as `server` of a question. */
static size_t followers(const struct check_zone *zone, const struct dns_answer *const *answers,
                        size_t count, size_t question, size_t server)
{
    size_t same = 0;

    for (size_t i = 0; i < zone->server_count; i++)
        same += is_said(answers[i * count + question]) &&
                is_same(answers[i * count + question], answers[server * count + question]);
    return same;
}

/* The server whose answer to a question is the zone's; server_count: none gave one. */
static size_t find_right(const struct check_zone *zone, const struct dns_answer *const *answers,
                         size_t count, size_t question)
{
    size_t right = zone->server_count, most = 0;

    for (size_t i = 0; i < zone->server_count; i++) {
        size_t same = is_said(answers[i * count + question])
                          ? followers(zone, answers, count, question, i)
                          : 0;

        if (same > most ||
            (same > 0 && same == most && is_newer(&zone->servers[i], &zone->servers[right]))) {
            right = i;
            most = same;
        }
    }
    return right;
}

static void note(struct check_server *server, const struct dns_answer *answer,
                 const struct dns_answer *right, const struct servers_question *question)
{
    if (!is_said(answer)) {
        server->why = answer->outcome == DNS_FAILED ? answer->why : "an answer without authority";
        server->agreement = CHECK_SILENT;
    } else if (server->agreement < CHECK_OTHER) {
        server->agreement = agrees(question, answer, right) ? CHECK_SAME : CHECK_OTHER;
        server->rrset = server->agreement == CHECK_OTHER ? question->text : NULL;
    }
}

void servers_compare(struct check_zone *zone, const struct dns_answer *const *answers,
                     const struct servers_question *questions, size_t question_count)
{
    for (size_t i = 0; i < question_count; i++) {
        size_t right = find_right(zone, answers, question_count, i);

        for (size_t j = 0; j < zone->server_count; j++) {
            const struct dns_answer *answer = answers[j * question_count + i];

            if (answer == NULL)
                continue;
            if (right < zone->server_count)
                note(&zone->servers[j], answer, answers[right * question_count + i], &questions[i]);
            else if (zone->servers[j].agreement != CHECK_OTHER)
                note(&zone->servers[j], answer, answer, &questions[i]);
        }
    }
}
