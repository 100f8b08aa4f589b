/*
 * look_reports_uv: the TLSRPT record, and whether its addresses can take a report: the domain of a
 * mailto: accepts mail, the host of an https: answers.
 */
#include <string.h>
#include <strings.h>

#include "check/look/look_internal.h"
#include "probe/mx.h"

/* ---- the addresses ---- */

/* "mailto:name@domain?..." or "https://host[:port]/path"; false for neither. */
static bool split(struct look_rua *rua, struct arena *arena, const char *uri)
{
    const char *host, *end;
    size_t length;

    if (strncasecmp(uri, "mailto:", 7) == 0) {
        end = uri + strcspn(uri, "?,!"); /* what follows may have an @ too */
        for (host = end; host > uri && host[-1] != '@';)
            host--;
    } else if (strncasecmp(uri, "https://", 8) == 0) {
        host = uri + 8;
        end = host + strcspn(host, "/?#:");
        rua->path = arena_strdup(arena, strchr(host, '/') == NULL ? "/" : strchr(host, '/'));
    } else {
        return false;
    }
    length = (size_t)(end - host);
    if (length > HOSTNAME_MAX || !hostname_valid(host, length, HOSTNAME_LDH))
        return false;
    memcpy(rua->host, host, length);
    rua->host[length] = '\0';
    hostname_fold(rua->host, length);
    return true;
}

/* "https://host:8443/": fetches are made from port 443. */
static bool has_other_port(const char *uri)
{
    const char *host = strncasecmp(uri, "https://", 8) == 0 ? uri + 8 : "";
    const char *port = host + strcspn(host, "/?#:");

    return port[0] == ':' && (strncmp(port, ":443", 4) != 0 || strchr("/?#", port[4]) == NULL);
}

static void reach(struct look_rua *rua, enum check_reach reach, const char *why)
{
    rua->over = true;
    rua->out->reach = reach;
    rua->out->why = why;
}

/* ---- by mail ---- */

static bool look_at_mail(struct look_rua *rua)
{
    struct check_look *look = rua->look;
    struct evidence evidence = {.domain = rua->host};
    bool waits = look_ask(look, &rua->mx, rua->host, DNS_MX);

    waits |= look_ask(look, &rua->a, rua->host, DNS_A);
    waits |= look_ask(look, &rua->aaaa, rua->host, DNS_AAAA);
    if (waits)
        return true;
    mx_read(&evidence, look->request.arena, rua->mx.answer);
    if (evidence.mx == MX_ERROR)
        reach(rua, CHECK_REACH_UNKNOWN, evidence.mx_why);
    else if (evidence.mx == MX_NULL)
        reach(rua, CHECK_REACH_NO, "it has a null MX record");
    else if (evidence.mx == MX_NXDOMAIN)
        reach(rua, CHECK_REACH_NO, "it does not exist");
    else if (evidence.mx == MX_UNUSABLE)
        reach(rua, CHECK_REACH_NO, "its MX records name no host");
    else if (evidence.mx == MX_IMPLICIT && rua->a.answer->outcome != DNS_RECORDS &&
             rua->aaaa.answer->outcome != DNS_RECORDS)
        reach(rua, CHECK_REACH_NO, "it has neither MX records nor an address");
    else
        reach(rua, CHECK_REACH_YES, NULL);
    return false;
}

/* ---- by HTTPS ---- */

static void on_fetched(void *context, const struct https_result *result)
{
    struct look_rua *rua = context;
    struct check_look *look = rua->look;

    rua->fetch = NULL;
    if (result->failed_here)
        reach(rua, CHECK_REACH_UNKNOWN, arena_strdup(look->request.arena, result->why));
    else if (result->status != 0) /* any: a GET is not what it waits for */
        reach(rua, CHECK_REACH_YES, NULL);
    else
        reach(rua, CHECK_REACH_NO, arena_strdup(look->request.arena, result->why));
    look_advance(look);
}

static bool look_at_https(struct look_rua *rua)
{
    struct ip addresses[2 * EVIDENCE_ADDRESSES_MAX];
    struct check_look *look = rua->look;
    struct https *https = prober_https(look->request.prober);
    struct https_request request = {
        .host = rua->host, .path = rua->path, .addresses = addresses, .any_type = true};
    bool waits = look_ask(look, &rua->a, rua->host, DNS_A);

    waits |= look_ask(look, &rua->aaaa, rua->host, DNS_AAAA);
    if (waits || rua->fetch != NULL)
        return true;
    request.address_count = look_addresses(addresses, 0, EVIDENCE_ADDRESSES_MAX, rua->a.answer);
    request.address_count = look_addresses(addresses, request.address_count,
                                           2 * EVIDENCE_ADDRESSES_MAX, rua->aaaa.answer);
    if (request.address_count == 0)
        reach(rua, CHECK_REACH_NO, "its host has no address");
    else if (https == NULL || https_start(&rua->fetch, https, &request, on_fetched, rua) != 0)
        reach(rua, CHECK_REACH_UNKNOWN, "no fetch could be made");
    return rua->fetch != NULL;
}

/* ---- the record ---- */

static void make_ruas(struct check_look *look)
{
    struct check_facts *facts = &look->facts;
    struct arena *arena = look->request.arena;
    char *text, *uri, *rest;

    look->ruas_made = true;
    tlsrpt_read(&facts->tlsrpt, arena, look->tlsrpt.answer);
    look->ruas = arena_array(arena, CHECK_RUA_MAX, sizeof *look->ruas);
    facts->ruas = arena_array(arena, CHECK_RUA_MAX, sizeof *facts->ruas);
    text = arena_strdup(arena, facts->tlsrpt.rua);
    if (look->ruas == NULL || facts->ruas == NULL || text == NULL)
        return;
    for (uri = strtok_r(text, " ", &rest); uri != NULL && facts->rua_count < CHECK_RUA_MAX;
         uri = strtok_r(NULL, " ", &rest)) {
        struct look_rua *rua = &look->ruas[facts->rua_count];

        rua->look = look;
        rua->out = &facts->ruas[facts->rua_count++];
        rua->out->uri = uri;
        if (!split(rua, arena, uri))
            reach(rua, CHECK_REACH_NO, "it is no mailto: or https: address");
        else if (has_other_port(uri))
            reach(rua, CHECK_REACH_UNKNOWN, NULL);
    }
}

bool look_reports(struct check_look *look)
{
    struct check_facts *facts = &look->facts;
    bool waits = false;

    if (look->evidence.mx == MX_UNKNOWN || look->evidence.mx == MX_ERROR)
        return false;
    if (facts->tlsrpt_record.name == NULL)
        facts->tlsrpt_record.name =
            arena_printf(look->request.arena, "_smtp._tls.%s", look->request.domain);
    if (look_ask(look, &look->tlsrpt, facts->tlsrpt_record.name, DNS_TXT))
        return true;
    look_rrset(look, &facts->tlsrpt_record, &look->tlsrpt, facts->tlsrpt_record.name, DNS_TXT);
    if (!look->ruas_made)
        make_ruas(look);
    for (size_t i = 0; i < facts->rua_count; i++) {
        struct look_rua *rua = &look->ruas[i];

        if (!rua->over)
            waits |= rua->path == NULL ? look_at_mail(rua) : look_at_https(rua);
    }
    return waits;
}

void look_reports_stop(struct check_look *look)
{
    dns_question_stop(&look->tlsrpt);
    for (size_t i = 0; i < look->facts.rua_count; i++) {
        struct look_rua *rua = &look->ruas[i];

        dns_question_stop(&rua->mx);
        dns_question_stop(&rua->a);
        dns_question_stop(&rua->aaaa);
        if (rua->fetch != NULL)
            https_cancel(rua->fetch);
    }
}
