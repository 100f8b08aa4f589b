/*
 * look_domain_uv: MX, MTA-STS and TLSRPT of a domain, as probe/domain_uv.c has the first two in its
 * evidence. The other two are asked for when the MX answer is there, because of a domain that takes
 * no mail, or whose MX lookup failed, they are not asked for at all.
 */
#include "survey/look/look_uv.h"

#include <string.h>

#include "probe/mx.h"

static bool is_awaited(struct look *look)
{
    return look->at.domain.mx.query != NULL || look->at.domain.tlsrpt.query != NULL ||
           look->at.domain.sts != NULL;
}

/* A policy that is there and wrong is not asked for again. */
static void note_sts_failure(struct look *look, const struct sts_evidence *sts)
{
    static const enum fetch_failure passing[] = {FETCH_FAILURE_DNS, FETCH_FAILURE_CONNECT,
                                                 FETCH_FAILURE_TIMEOUT, FETCH_FAILURE_LOCAL};

    if (sts->state == STS_DNS_ERROR)
        look_note_failure(look, sts->failure);
    if (sts->state != STS_FETCH_FAILED || sts->failure == NULL)
        return;
    look->result->failed_here |= look_failed_here(sts->failure);
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        look->result->try_again |= strcmp(sts->failure, fetch_failure_name(passing[i])) == 0;
}

static void finish_domain(struct look *look)
{
    struct unit_result *result = look->result;
    struct domain_seen *seen = result->domain;
    const struct dns_answer *tlsrpt = look->at.domain.tlsrpt.answer;

    if (tlsrpt != NULL) {
        tlsrpt_read(&seen->tlsrpt, result->arena, tlsrpt);
        if (tlsrpt->outcome == DNS_FAILED)
            look_note_failure(look, dns_failure_name(tlsrpt->failure));
    }
    look_note_failure(look, seen->mx_failure);
    note_sts_failure(look, &seen->evidence.sts);
    seen->evidence.complete = true;
    if (look->tools->sts != NULL) /* it is not asked for again, or then from the beginning */
        sts_cache_forget(sts_cache_of(look->tools->sts), seen->evidence.domain);
    look_finish(look);
}

static void on_sts(void *context)
{
    struct look *look = context;

    look->at.domain.sts = NULL;
    if (!is_awaited(look))
        finish_domain(look);
}

static void ask_the_others(struct look *look)
{
    struct unit_result *result = look->result;
    struct evidence *evidence = &result->domain->evidence;

    if (look->tools->sts != NULL) {
        evidence->sts.state = STS_UNKNOWN;
        if (sts_start(&look->at.domain.sts, look->tools->sts, result->arena, evidence->domain,
                      &look->query_budget, &evidence->sts, on_sts, look) != 0)
            result->failed_here = true;
    }
    dns_question_ask(&look->at.domain.tlsrpt, &look->asker,
                     arena_printf(result->arena, "_smtp._tls.%s", evidence->domain), DNS_TXT);
}

static void take_mx(struct look *look, const struct dns_answer *answer)
{
    struct domain_seen *seen = look->result->domain;
    enum mx_state mx;

    mx_read(&seen->evidence, look->result->arena, answer);
    if (answer->outcome == DNS_FAILED)
        seen->mx_failure = dns_failure_name(answer->failure);
    mx = seen->evidence.mx;
    if (mx != MX_NULL && mx != MX_NXDOMAIN && mx != MX_ERROR)
        ask_the_others(look);
}

static void on_domain_answer(void *owner)
{
    struct look *look = owner;

    if (look->result->domain->evidence.mx == MX_UNKNOWN)
        take_mx(look, look->at.domain.mx.answer);
    if (!is_awaited(look))
        finish_domain(look);
}

static bool start_domain(struct look *look)
{
    struct unit_result *result = look->result;
    struct domain_seen *seen = arena_alloc(result->arena, sizeof *seen);

    if (seen == NULL)
        return false;
    result->domain = seen;
    seen->evidence.domain = result->unit.name;
    seen->evidence.port = look->tools->smtp_port;
    seen->evidence.mx_ttl = UINT32_MAX;
    seen->evidence.sts = (struct sts_evidence){.state = STS_NOT_ASKED, .ttl = UINT32_MAX};
    look->asker.answered = on_domain_answer;
    dns_question_ask(&look->at.domain.mx, &look->asker, seen->evidence.domain, DNS_MX);
    return dns_question_awaited(&look->at.domain.mx, false);
}

static void cancel_domain(struct look *look)
{
    dns_question_stop(&look->at.domain.mx);
    dns_question_stop(&look->at.domain.tlsrpt);
    if (look->at.domain.sts != NULL)
        sts_cancel(look->at.domain.sts);
    look->at.domain.sts = NULL;
}

const struct look_kind look_domain = {start_domain, cancel_domain};
