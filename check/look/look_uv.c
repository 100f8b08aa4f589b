/* look_uv: see look_uv.h. This file: the look as a whole, and what it comes to. */
#include "check/look/look_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probe/mx.h"

#define QUERIES_MAX 1200 /* DNS lookups of one domain: 50 hosts, 16 addresses each with two */

static look_part *const parts[] = {look_mx, look_hosts, look_policy, look_reports, look_servers};
static look_stop *const stops[] = {look_hosts_stop, look_policy_stop, look_reports_stop,
                                   look_servers_stop};

/* ---- questions ---- */

bool look_ask(struct check_look *look, struct dns_question *question, const char *name,
              enum dns_type type)
{
    return dns_question_once(question, &look->asker, name, type);
}

static bool is_ours(const struct check_look *look, const struct dns_question *question)
{
    const struct dns_answer *answer = question->answer;

    return answer->outcome == DNS_FAILED &&
           (look->request.resolver_fails || question->unasked ||
            answer->failure == DNS_FAILURE_LOCAL || answer->failure == DNS_FAILURE_QUEUE);
}

void look_rrset(const struct check_look *look, struct check_rrset *out,
                const struct dns_question *question, const char *name, enum dns_type type)
{
    *out = (struct check_rrset){.name = name,
                                .type = type,
                                .failed_here = is_ours(look, question),
                                .answer = question->answer};
}

size_t look_addresses(struct ip *out, size_t count, size_t max, const struct dns_answer *answer)
{
    if (answer == NULL || answer->outcome != DNS_RECORDS)
        return count;
    for (size_t i = 0; i < answer->count && count < max; i++)
        count += ip_from_octets(&out[count], answer->records[i].data, answer->records[i].length);
    return count;
}

/* ---- the MX records ---- */

static void note_names(struct check_facts *facts, struct arena *arena,
                       const struct dns_answer *answer)
{
    const char **bad = arena_array(arena, answer->count, sizeof *bad);
    size_t roots = 0;

    for (size_t i = 0; i < answer->count && bad != NULL; i++) {
        const char *name = answer->records[i].name;

        if (strcmp(name, ".") == 0)
            roots++;
        else if (!hostname_valid(name, strlen(name), HOSTNAME_LDH))
            bad[facts->bad_name_count++] = name;
    }
    facts->bad_names = bad;
    facts->null_mx_among = roots > 0 && roots < answer->count;
}

bool look_mx(struct check_look *look)
{
    struct check_facts *facts = &look->facts;

    if (look_ask(look, &look->mx, look->request.domain, DNS_MX))
        return true;
    if (look->evidence.mx != MX_UNKNOWN)
        return false;
    look_rrset(look, &facts->mx, &look->mx, look->request.domain, DNS_MX);
    mx_read(&look->evidence, look->request.arena, look->mx.answer);
    if (look->mx.answer->outcome == DNS_RECORDS)
        note_names(facts, look->request.arena, look->mx.answer);
    return false;
}

/* ---- the end ---- */

static void decide(struct check_look *look)
{
#define X(word, name, dane_, sts_) [CHECK_SENDER_##word] = {(dane_), (sts_)},
    static const struct {
        bool dane, mta_sts;
    } senders[] = {CHECK_SENDERS(X)};
#undef X

    for (int i = 0; i < CHECK_SENDER_COUNT; i++) {
        struct verdict_options options = *look->request.verdict;
        struct evidence seen = look->evidence;

        options.dane = senders[i].dane;
        if (!senders[i].mta_sts)
            seen.sts = (struct sts_evidence){.state = STS_NOT_ASKED, .ttl = UINT32_MAX};
        verdict_decide(&look->facts.verdicts[i], &seen, NULL, &options, clock_monotonic_ms());
    }
}

static void on_finish(uv_timer_t *timer)
{
    struct check_look *look = timer->data;

    look->evidence.complete = true;
    look_published(look);
    decide(look);
    look->done(look->context, &look->facts);
}

void look_advance(struct check_look *look)
{
    bool waits = false;

    if (look->advancing || look->over)
        return;
    look->advancing = true;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        waits |= parts[i](look);
    look->advancing = false;
    look->over = !waits;
    if (look->over)
        uv_timer_start(&look->finish, on_finish, 0, 0);
}

/* ---- the whole ---- */

static void on_answered(void *owner)
{
    look_advance(owner);
}

static void init_facts(struct check_look *look)
{
    const struct check_request *request = &look->request;

    look->facts = (struct check_facts){
        .domain = request->domain,
        .now_s = clock_wall_s(),
        .validating = request->validating,
        .probed = request->options->probe,
        .enforced = request->enforced,
        .evidence = &look->evidence,
    };
    if (request->before != NULL)
        look->facts.before = *request->before;
    look->evidence = (struct evidence){.domain = request->domain,
                                       .port = request->options->smtp_port,
                                       .mx_ttl = UINT32_MAX,
                                       .sts = {.state = STS_NOT_ASKED, .ttl = UINT32_MAX}};
}

int check_look_start(struct check_look **out, uv_loop_t *loop, const struct check_request *request,
                     check_look_done *done, void *context)
{
    struct check_look *look = calloc(1, sizeof *look);

    if (look == NULL)
        return UV_ENOMEM;
    look->loop = loop;
    look->request = *request;
    look->tools = prober_tools(request->prober);
    look->done = done;
    look->context = context;
    look->budget = QUERIES_MAX;
    look->asker = (struct dns_asker){.dns = look->tools->dns,
                                     .arena = request->arena,
                                     .budget = &look->budget,
                                     .answered = on_answered,
                                     .owner = look};
    uv_timer_init(loop, &look->finish);
    look->finish.data = look;
    init_facts(look);
    *out = look;
    look_advance(look);
    return 0;
}

static void free_chains(struct check_facts *facts)
{
    for (size_t i = 0; i < facts->host_count; i++)
        for (size_t j = 0; j < facts->hosts[i].address_count; j++)
            for (int k = 0; k < CHECK_OFFER_COUNT; k++)
                tls_chain_free(facts->hosts[i].addresses[j].attempts[k].chain);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void check_look_free(struct check_look *look)
{
    if (look == NULL || look->closing)
        return;
    look->closing = look->over = true;
    dns_question_stop(&look->mx);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++)
        stops[i](look);
    free_chains(&look->facts);
    uv_close((uv_handle_t *)&look->finish, on_closed);
}
