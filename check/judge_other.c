/*
 * judge_other: TLSRPT (RFC 8460), and whether the mail hosts insist on TLS themselves.
 */
#include "check/judge_internal.h"

#include <string.h>
#include <strings.h>

#include "base/escape.h"

#define TXT_SHOWN_MAX 300

static const struct judge_at domain;

/* ---- TLSRPT ---- */

/* Reports are written of a policy only. */
static bool has_policy(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    const struct sts_policy *policy = judge_policy(facts);

    for (size_t i = 0; i < facts->host_count; i++)
        if (judge_dane_of(judging->facts, &facts->hosts[i]) >= JUDGE_DANE_UNUSABLE)
            return true;
    return policy != NULL && policy->mode != STS_MODE_NONE;
}

/* The TXT records that are there. */
static const char *tlsrpt_shown(const struct judging *judging)
{
    const struct dns_answer *answer = judging->facts->tlsrpt_record.answer;
    char room[TXT_SHOWN_MAX];
    struct judge_list list;

    judge_list_init(&list);
    for (size_t i = 0; answer != NULL && i < answer->count; i++)
        judge_list_add(&list, judge_text(judging, "\"%s\"",
                                         escape_bytes(room, sizeof room, answer->records[i].data,
                                                      answer->records[i].length)));
    return judge_list_take(judging, &list);
}

static void judge_tlsrpt_record(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;
    const char *fix = judge_text(judging,
                                 "publish one: _smtp._tls.%s. IN TXT \"v=TLSRPTv1; "
                                 "rua=mailto:tls-reports@%s\"",
                                 facts->domain, facts->domain);

    if (judge_answer(&facts->tlsrpt_record) == JUDGE_UNKNOWN)
        judge_unknown(judging, &domain, "the TLSRPT record", judge_why(&facts->tlsrpt_record));
    else if (facts->tlsrpt.state == TLSRPT_ERROR)
        judge_add(judging, &domain, CHECK_FOUND_TLSRPT_LOOKUP, judge_why(&facts->tlsrpt_record),
                  judge_text(judging,
                             "look at the name servers of the zone that _smtp._tls.%s is in",
                             facts->domain));
    else if (facts->tlsrpt.state == TLSRPT_NONE && has_policy(judging))
        judge_add(judging, &domain, CHECK_FOUND_TLSRPT_MISSING,
                  judge_text(judging, "no record at _smtp._tls.%s", facts->domain), fix);
    else if (facts->tlsrpt.state == TLSRPT_INVALID)
        judge_add(judging, &domain, CHECK_FOUND_TLSRPT_BAD, tlsrpt_shown(judging), fix);
}

/* What a destination may be, by how it begins. */
static const struct {
    const char *scheme;
    enum check_code code;
    const char *fix;
} rua_kinds[] = {
    {"mailto:", CHECK_FOUND_TLSRPT_MAIL,
     "name a mailbox in rua that exists, at a domain with a working mail host"},
    {"https:", CHECK_FOUND_TLSRPT_HTTPS,
     "name a URL in rua that can be reached by HTTPS from anywhere, with a valid certificate"},
};

static void judge_rua(const struct judging *judging, const struct check_rua *rua)
{
    const char *why = rua->why == NULL ? "it was tried" : rua->why;

    for (size_t i = 0; i < sizeof rua_kinds / sizeof rua_kinds[0]; i++) {
        if (strncasecmp(rua->uri, rua_kinds[i].scheme, strlen(rua_kinds[i].scheme)) != 0)
            continue;
        if (rua->reach == CHECK_REACH_NO)
            judge_add(judging, &domain, rua_kinds[i].code,
                      judge_text(judging, "%s: %s", rua->uri, why), rua_kinds[i].fix);
        else if (rua->reach == CHECK_REACH_UNKNOWN && rua->why != NULL)
            judge_unknown(judging, &domain,
                          judge_text(judging, "whether reports reach %s", rua->uri), rua->why);
        return;
    }
    judge_add(judging, &domain, CHECK_FOUND_TLSRPT_BAD,
              judge_text(judging, "%s: neither mailto: nor https:", rua->uri),
              "senders of reports know mailto: and https: only");
}

/* ---- enforced TLS ---- */

static void judge_enforced(const struct judging *judging, const struct judge_at *at)
{
    const struct check_address *address = at->address;

    if (!judge_is_tls(&address->attempts[CHECK_OFFER_DEFAULT]))
        return;
    if (address->enforced == CHECK_ENFORCED_NO)
        judge_add(judging, at, CHECK_FOUND_NOT_ENFORCED,
                  judge_text(judging, "MAIL FROM:<> without TLS: %d", address->enforced_code),
                  "Postfix: smtpd_tls_security_level = encrypt; senders without TLS can then reach "
                  "you no more");
    else if (address->enforced == CHECK_ENFORCED_UNKNOWN)
        judge_unknown(judging, at, "whether mail without TLS is refused", NULL);
}

/* ---- the whole ---- */

void judge_other(const struct judging *judging)
{
    const struct check_facts *facts = judging->facts;

    judge_tlsrpt_record(judging);
    for (size_t i = 0; i < facts->rua_count; i++)
        judge_rua(judging, &facts->ruas[i]);
    for (size_t i = 0; facts->enforced && i < facts->host_count; i++)
        for (size_t k = 0; k < facts->hosts[i].address_count; k++)
            judge_enforced(judging, &(struct judge_at){.host = &facts->hosts[i],
                                                       .address = &facts->hosts[i].addresses[k]});
}
