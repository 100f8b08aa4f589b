/* submit_uv: see submit.h. */
#include "probe/submit/submit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/net/hostname.h"
#include "policy/evidence.h"
#include "probe/dns/dns_uv.h"
#include "probe/https/https_uv.h"
#include "probe/prober_uv.h"

#define ARENA_MAX ((size_t)1024 * 1024) /* of one lookup */
/* a prime: no number of domains has it as a factor */
#define STRIDE 1000003
#define MEDIA  "application/tlsrpt+gzip"

struct submit {
    struct prober_options options;
    uv_loop_t loop;
    struct prober *prober;
};

struct submit *submit_open(const struct prober_options *options, const char **why)
{
    struct submit *submit = calloc(1, sizeof *submit);
    int error;

    *why = "no memory";
    if (submit == NULL)
        return NULL;
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    submit->options = *options;
    submit->options.mta_sts = true; /* its client of HTTPS is used */
    submit->options.probe = false;
    CHECK(uv_loop_init(&submit->loop) == 0);
    *why = NULL;
    error = prober_new(&submit->prober, &submit->loop, &submit->options, why);
    if (error == 0)
        return submit;
    if (*why == NULL)
        *why = uv_strerror(error);
    submit_close(submit);
    return NULL;
}

void submit_close(struct submit *submit)
{
    if (submit == NULL)
        return;
    if (submit->prober != NULL)
        prober_close(submit->prober);
    uv_run(&submit->loop, UV_RUN_DEFAULT);
    prober_free(submit->prober);
    CHECK(uv_loop_close(&submit->loop) == 0);
    free(submit);
}

/* ---- records ---- */

struct records;

struct record_lookup {
    struct records *records;
    struct dns_query *query; /* NULL: none is under way */
    struct arena *arena;     /* owned */
    size_t index;
};

struct records {
    struct submit *submit;
    const char *const *domains;
    size_t count, next, under_way;
    submit_taker *take;
    void *context;
    bool failed; /* no memory */
    struct record_lookup lookups[SUBMIT_LOOKUPS_MAX];
};

static void on_record(void *context, const struct dns_answer *answer)
{
    struct record_lookup *lookup = context;
    struct records *records = lookup->records;
    struct tlsrpt record;

    lookup->query = NULL;
    records->under_way--;
    tlsrpt_read(&record, lookup->arena, answer);
    if (record.state == TLSRPT_VALID && record.rua == NULL)
        records->failed = true;
    else
        records->take(records->context, lookup->index, &record);
    arena_reset(lookup->arena);
}

/* Domains of one name server, which may be slow, stand together in a log. */
static size_t scattered(size_t index, size_t count)
{
    return (size_t)((uint64_t)index * STRIDE % count);
}

static void ask_next(struct records *records, struct record_lookup *lookup)
{
    char name[sizeof "_smtp._tls." + HOSTNAME_MAX];
    const struct domain_tools *tools = prober_tools(records->submit->prober);

    lookup->records = records;
    lookup->index = scattered(records->next++, records->count);
    if (lookup->arena == NULL)
        lookup->arena = arena_new(ARENA_MAX);
    snprintf(name, sizeof name, "_smtp._tls.%s", records->domains[lookup->index]);
    if (lookup->arena == NULL || dns_start(&lookup->query, tools->dns, lookup->arena, name, DNS_TXT,
                                           on_record, lookup) != 0) {
        lookup->query = NULL;
        records->failed = true;
        return;
    }
    records->under_way++;
}

bool submit_records(struct submit *submit, const char *const *domains, size_t count,
                    int64_t budget_ms, submit_taker *take, void *context)
{
    const struct tlsrpt unasked = {.state = TLSRPT_ERROR};
    int64_t end = clock_monotonic_ms() + budget_ms;
    struct records records = {
        .submit = submit, .domains = domains, .count = count, .take = take, .context = context};

    CHECK(count < STRIDE);
    while (!records.failed && (records.next < count || records.under_way > 0)) {
        if (clock_monotonic_ms() >= end)
            while (records.next < count)
                take(context, scattered(records.next++, count), &unasked);
        for (size_t i = 0; i < SUBMIT_LOOKUPS_MAX && records.next < count && !records.failed; i++)
            if (records.lookups[i].query == NULL)
                ask_next(&records, &records.lookups[i]);
        if (records.under_way > 0)
            uv_run(&submit->loop, UV_RUN_ONCE);
    }
    for (size_t i = 0; i < SUBMIT_LOOKUPS_MAX; i++) {
        if (records.lookups[i].query != NULL)
            dns_cancel(records.lookups[i].query);
        arena_free(records.lookups[i].arena);
    }
    return !records.failed;
}

/* ---- posting ---- */

/* One report on its way: the addresses of its host, one lookup after the other, then the POST. */
struct posting {
    struct submit *submit;
    const struct submit_post *post;
    struct arena *arena; /* owned */
    struct dns_query *query;
    struct https_fetch *fetch;
    struct ip addresses[2 * EVIDENCE_ADDRESSES_MAX];
    size_t address_count;
    unsigned asked; /* lookups */
    bool done, posted, answered;
    char *why;
};

static void on_posted(void *context, const struct https_result *result)
{
    struct posting *posting = context;

    posting->fetch = NULL;
    posting->done = true;
    /* a body that is too long or cut off after that takes nothing back */
    posting->posted = result->ok || result->status == 200 || result->status == 201;
    posting->answered = result->status != 0;
    if (!posting->posted)
        snprintf(posting->why, SUBMIT_WHY_MAX, "%s", result->why);
}

static void give_up(struct posting *posting, const char *why)
{
    posting->done = true;
    snprintf(posting->why, SUBMIT_WHY_MAX, "%s", why);
}

static void start_post(struct posting *posting)
{
    const struct https_request request = {
        .host = posting->post->host,
        .path = posting->post->path,
        .addresses = posting->addresses,
        .address_count = posting->address_count,
        .any_type = true,
        .post = posting->post->data,
        .post_length = posting->post->length,
        .post_type = MEDIA,
    };

    if (posting->address_count == 0)
        give_up(posting, "its host has no address, or the lookup failed");
    else if (https_start(&posting->fetch, prober_https(posting->submit->prober), &request,
                         on_posted, posting) != 0)
        give_up(posting, "no memory");
}

static void ask_address(struct posting *posting);

static void on_addresses(void *context, const struct dns_answer *answer)
{
    struct posting *posting = context;
    size_t end = posting->address_count + EVIDENCE_ADDRESSES_MAX;

    for (size_t i = 0; answer->outcome == DNS_RECORDS && i < answer->count; i++)
        if (posting->address_count < end)
            posting->address_count +=
                ip_from_octets(&posting->addresses[posting->address_count], answer->records[i].data,
                               answer->records[i].length);
    ask_address(posting);
}

/* The next lookup or, after the last one, the POST. */
static void ask_address(struct posting *posting)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    struct dns *dns = prober_tools(posting->submit->prober)->dns;

    if (posting->asked == sizeof types / sizeof types[0])
        start_post(posting);
    else if (dns_start(&posting->query, dns, posting->arena, posting->post->host,
                       types[posting->asked++], on_addresses, posting) != 0)
        give_up(posting, "no memory");
}

bool submit_post(struct submit *submit, const struct submit_post *post, char why[SUBMIT_WHY_MAX],
                 bool *silent)
{
    struct posting posting = {
        .submit = submit, .post = post, .arena = arena_new(ARENA_MAX), .why = why};

    if (posting.arena == NULL)
        give_up(&posting, "no memory");
    else
        ask_address(&posting);
    while (!posting.done)
        uv_run(&submit->loop, UV_RUN_ONCE);
    arena_free(posting.arena);
    *silent = !posting.answered;
    return posting.posted;
}
