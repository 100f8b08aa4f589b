/*
 * host_uv: see host_uv.h. What RFC 7672 §2.2 asks of the DNS about one MX host, as smtp(8) does it.
 *
 * A and AAAA are asked together. TLSA is asked only where an address is secure, at the name the
 * CNAMEs lead to and then at the name itself, never in between; or, when the host is an alias with
 * an insecure end, at its own name if the alias is proven secure by a CNAME lookup (§2.2.2). A
 * lookup that fails is never taken for an absence: the host's state is then ERROR.
 *
 * Addresses and TLSA records are sorted, so that a resolver that rotates its answers changes
 * nothing. No memory and no query budget show as failed lookups.
 */
#include "probe/host_uv.h"

#include <stdlib.h>
#include <string.h>

#include "base/sequence.h"
#include "probe/dns/dns_question_uv.h"
#include "probe/tls/tlsa.h"

/* A lookup ends by itself long before; this is for a resolver object that does not. */
#define LOOKUP_MS 90000

/*
 *   ADDRESSES  A and AAAA are awaited
 *   ALIAS      the CNAME is awaited that shows whether an alias is secure
 *   TLSA       the records at a candidate for the TLSA base domain are awaited
 *   FINISH     all is known; a turn of the loop, because host_start may be on the stack
 */
#define STATES(X)                                                                                  \
    X(ADDRESSES, addresses, LOOKUP_MS)                                                             \
    X(ALIAS, alias, LOOKUP_MS)                                                                     \
    X(TLSA, tlsa, LOOKUP_MS)                                                                       \
    X(FINISH, finish, 0)

enum host_state { STATES(SEQUENCE_ENUM) };

struct host_lookup {
    struct host_request request;
    struct mx_host *host; /* the caller's */
    host_done done;
    void *context;

    struct sequence sequence;
    uv_timer_t timer; /* of the state; the lookup is freed when it is closed */

    struct dns_asker asker;
    struct dns_question a, aaaa, other; /* other: CNAME, then TLSA */
    const char *candidates[2];          /* for the TLSA base domain, in the order of §2.2.2 */
    size_t candidate_count, candidate;
    const char *owner; /* of the TLSA lookup under way */
};

static void run(void *owner);

static void lower_ttl(struct mx_host *host, const struct dns_answer *answer)
{
    if (answer->outcome != DNS_FAILED && answer->ttl < host->ttl)
        host->ttl = answer->ttl;
}

static enum sequence_step go(struct host_lookup *lookup, enum host_state next)
{
    return sequence_go(&lookup->sequence, next);
}

/* `why` is needed for ERROR, DEAD and LOST only; NULL is then the lack of memory. */
static enum sequence_step conclude(struct host_lookup *lookup, enum host_dane dane, const char *why)
{
    bool failed = dane == HOST_DANE_ERROR || dane == HOST_DANE_DEAD || dane == HOST_DANE_LOST;

    lookup->host->dane = dane;
    lookup->host->why = why;
    if (failed && why == NULL) {
        lookup->host->why = "no memory";
        lookup->host->failure = dns_failure_name(DNS_FAILURE_LOCAL);
    }
    return go(lookup, STATE_FINISH);
}

static void note_failure(struct host_lookup *lookup, const struct dns_answer *answer)
{
    lookup->host->failure = dns_failure_name(answer->failure);
}

/* "TLSA lookup _25._tcp.mx.example: SERVFAIL (EDE 6: DNSSEC Bogus)" */
static const char *failure(struct host_lookup *lookup, const char *what, const char *name,
                           const struct dns_answer *answer)
{
    note_failure(lookup, answer);
    return arena_printf(lookup->request.arena, "%s lookup %s: %s", what, name, answer->why);
}

/* ---- addresses ---- */

static int compare_records(const void *left, const void *right)
{
    const struct dns_record *a = left, *b = right;

    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    return a->length == 0 ? 0 : memcmp(a->data, b->data, a->length);
}

static void sort_records(const struct dns_answer *answer)
{
    if (answer->count > 1)
        qsort(answer->records, answer->count, sizeof *answer->records, compare_records);
}

static bool is_repeated(const struct dns_answer *answer, size_t i)
{
    return i > 0 && compare_records(&answer->records[i - 1], &answer->records[i]) == 0;
}

static void add_addresses(struct mx_host *host, const struct dns_answer *answer)
{
    size_t room = EVIDENCE_ADDRESSES_MAX;

    if (answer->outcome != DNS_RECORDS)
        return;
    lower_ttl(host, answer);
    sort_records(answer);
    for (size_t i = 0; i < answer->count; i++) {
        struct mx_address *address = &host->addresses[host->address_count];

        if (is_repeated(answer, i))
            continue;
        if (room == 0) {
            host->hidden = "it has more addresses than are looked at";
            return;
        }
        if (!ip_from_octets(&address->ip, answer->records[i].data, answer->records[i].length))
            continue;
        address->secure = answer->secure;
        host->address_count++;
        room--;
    }
}

/* A lookup of one family that failed may have kept an address from us. */
static void note_hidden(struct host_lookup *lookup)
{
    const struct dns_answer *a = lookup->a.answer, *aaaa = lookup->aaaa.answer;
    const struct dns_answer *failed = a->outcome == DNS_FAILED ? a : aaaa;

    if (failed->outcome == DNS_FAILED)
        lookup->host->hidden =
            arena_printf(lookup->request.arena, "%s lookup %s: %s", failed == a ? "A" : "AAAA",
                         lookup->request.name, failed->why);
}

/* Neither family has an address: the host is dead if that is known, else lost. */
static enum sequence_step conclude_absent(struct host_lookup *lookup)
{
    const struct dns_answer *a = lookup->a.answer, *aaaa = lookup->aaaa.answer;
    const char *name = lookup->request.name, *why;
    bool gone = a->outcome == DNS_NXDOMAIN || aaaa->outcome == DNS_NXDOMAIN;

    if (gone || (a->outcome == DNS_NODATA && aaaa->outcome == DNS_NODATA)) {
        lower_ttl(lookup->host, a);
        lower_ttl(lookup->host, aaaa);
        why = arena_printf(lookup->request.arena, gone ? "%s does not exist" : "%s has no address",
                           name);
        return conclude(lookup, HOST_DANE_DEAD, why);
    }
    note_failure(lookup, a->outcome == DNS_FAILED ? a : aaaa);
    if (a->outcome != DNS_FAILED)
        why = failure(lookup, "AAAA", name, aaaa);
    else if (aaaa->outcome != DNS_FAILED)
        why = failure(lookup, "A", name, a);
    else if (strcmp(a->why, aaaa->why) == 0)
        why = failure(lookup, "address", name, a);
    else
        why = arena_printf(lookup->request.arena, "address lookup %s: A %s, AAAA %s", name, a->why,
                           aaaa->why);
    return conclude(lookup, HOST_DANE_LOST, why);
}

/* The answer that says where the host is: a secure one if there is one, else one by an alias. */
static const struct dns_answer *leading_answer(const struct host_lookup *lookup)
{
    const struct dns_answer *answers[] = {lookup->a.answer, lookup->aaaa.answer};
    const struct dns_answer *leading = NULL;

    for (size_t i = 0; i < 2; i++) {
        if (answers[i]->outcome != DNS_RECORDS)
            continue;
        if (answers[i]->secure)
            return answers[i];
        if (leading == NULL || (leading->aliases == 0 && answers[i]->aliases > 0))
            leading = answers[i];
    }
    return leading;
}

static enum sequence_step choose_candidates(struct host_lookup *lookup,
                                            const struct dns_answer *leading)
{
    if (!lookup->request.dane)
        return conclude(lookup, HOST_DANE_NONE, NULL);
    if (leading->secure) {
        lookup->host->address_secure = true;
        if (leading->aliases > 0)
            lookup->candidates[lookup->candidate_count++] = leading->owner;
        lookup->candidates[lookup->candidate_count++] = lookup->request.name;
        return go(lookup, STATE_TLSA);
    }
    return leading->aliases == 0 ? conclude(lookup, HOST_DANE_NONE, NULL) : go(lookup, STATE_ALIAS);
}

static enum sequence_step step_addresses(struct host_lookup *lookup)
{
    struct mx_host *host = lookup->host;
    const struct dns_answer *leading;
    bool waiting;

    if (lookup->sequence.fresh) {
        dns_question_ask(&lookup->a, &lookup->asker, lookup->request.name, DNS_A);
        dns_question_ask(&lookup->aaaa, &lookup->asker, lookup->request.name, DNS_AAAA);
    }
    waiting = dns_question_awaited(&lookup->a, lookup->sequence.expired);
    if (dns_question_awaited(&lookup->aaaa, lookup->sequence.expired) || waiting)
        return SEQUENCE_WAIT;
    host->addresses = arena_array(lookup->request.arena, (size_t)2 * EVIDENCE_ADDRESSES_MAX,
                                  sizeof *host->addresses);
    host->addresses_known = true;
    if (host->addresses == NULL)
        return conclude(lookup, HOST_DANE_LOST, NULL);
    add_addresses(host, lookup->a.answer);
    add_addresses(host, lookup->aaaa.answer);
    note_hidden(lookup);
    leading = leading_answer(lookup);
    if (leading == NULL)
        return conclude_absent(lookup);
    if (leading->aliases > 0)
        host->expanded = leading->owner;
    return choose_candidates(lookup, leading);
}

/* ---- an alias with an insecure end ---- */

static enum sequence_step step_alias(struct host_lookup *lookup)
{
    const struct dns_answer *answer;

    if (lookup->sequence.fresh)
        dns_question_ask(&lookup->other, &lookup->asker, lookup->request.name, DNS_CNAME);
    if (dns_question_awaited(&lookup->other, lookup->sequence.expired))
        return SEQUENCE_WAIT;
    answer = lookup->other.answer;
    lower_ttl(lookup->host, answer);
    if (answer->outcome == DNS_FAILED)
        return conclude(lookup, HOST_DANE_ERROR,
                        failure(lookup, "CNAME", lookup->request.name, answer));
    if (answer->outcome != DNS_RECORDS || !answer->secure)
        return conclude(lookup, HOST_DANE_NONE, NULL);
    lookup->host->address_secure = true;
    lookup->candidates[lookup->candidate_count++] = lookup->request.name;
    return go(lookup, STATE_TLSA);
}

/* ---- TLSA ---- */

static enum sequence_step take_tlsa(struct host_lookup *lookup, const struct dns_answer *answer)
{
    struct mx_host *host = lookup->host;
    bool usable = false;

    host->tlsa_base = lookup->candidates[lookup->candidate];
    host->tlsa_truncated = answer->cut;
    host->tlsa = arena_array(lookup->request.arena, EVIDENCE_TLSA_MAX, sizeof *host->tlsa);
    if (host->tlsa == NULL)
        return conclude(lookup, HOST_DANE_ERROR, NULL);
    sort_records(answer);
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        struct tlsa tlsa;

        if (is_repeated(answer, i) || record->length < 3)
            continue;
        host->tlsa_short |= record->length == 3;
        if (host->tlsa_count == EVIDENCE_TLSA_MAX) {
            host->tlsa_truncated = true;
            continue;
        }
        if (!tlsa_parse(&tlsa, record->data, record->length))
            continue;
        usable |= tlsa.usable;
        host->tlsa[host->tlsa_count++] = tlsa;
    }
    return conclude(lookup, usable ? HOST_DANE_USABLE : HOST_DANE_UNUSABLE, NULL);
}

static void ask_tlsa(struct host_lookup *lookup)
{
    lookup->owner = arena_printf(lookup->request.arena, "_%u._tcp.%s", lookup->request.port,
                                 lookup->candidates[lookup->candidate]);
    dns_question_ask(&lookup->other, &lookup->asker, lookup->owner, DNS_TLSA);
}

static enum sequence_step step_tlsa(struct host_lookup *lookup)
{
    const struct dns_answer *answer;

    if (lookup->sequence.fresh)
        ask_tlsa(lookup);
    if (dns_question_awaited(&lookup->other, lookup->sequence.expired))
        return SEQUENCE_WAIT;
    answer = lookup->other.answer;
    lower_ttl(lookup->host, answer);
    if (answer->outcome == DNS_FAILED)
        return conclude(
            lookup, HOST_DANE_ERROR,
            failure(lookup, "TLSA", lookup->owner != NULL ? lookup->owner : "", answer));
    if (answer->outcome == DNS_RECORDS && answer->secure)
        return take_tlsa(lookup, answer);
    return ++lookup->candidate < lookup->candidate_count ? go(lookup, STATE_TLSA)
                                                         : conclude(lookup, HOST_DANE_NONE, NULL);
}

static enum sequence_step step_finish(struct host_lookup *lookup)
{
    return lookup->sequence.expired ? SEQUENCE_DONE : SEQUENCE_WAIT;
}

/* ---- the machine ---- */

static enum sequence_step run_step(void *owner, unsigned state)
{
    static enum sequence_step (*const steps[])(struct host_lookup *) = {STATES(SEQUENCE_STEP)};

    return steps[state](owner);
}

static void on_timer(uv_timer_t *timer)
{
    struct host_lookup *lookup = timer->data;

    lookup->sequence.expired = true;
    run(lookup);
}

static void enter(void *owner, unsigned state)
{
    static const struct sequence_state states[] = {STATES(SEQUENCE_STATE)};
    struct host_lookup *lookup = owner;

    uv_timer_start(&lookup->timer, on_timer, states[state].deadline, 0);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void release(struct host_lookup *lookup)
{
    dns_question_stop(&lookup->a);
    dns_question_stop(&lookup->aaaa);
    dns_question_stop(&lookup->other);
    uv_close((uv_handle_t *)&lookup->timer, on_timer_closed);
}

static void run(void *owner)
{
    struct host_lookup *lookup = owner;

    if (!sequence_run(&lookup->sequence))
        return;
    release(lookup);
    lookup->done(lookup->context);
}

int host_start(struct host_lookup **out, const struct host_request *request, struct mx_host *host,
               host_done done, void *context)
{
    static const struct sequence_machine machine = {run_step, enter};
    struct host_lookup *lookup = calloc(1, sizeof *lookup);
    uint16_t preference = host->preference;

    if (lookup == NULL)
        return UV_ENOMEM;
    lookup->request = *request;
    lookup->asker =
        (struct dns_asker){request->dns, request->arena, request->query_budget, run, lookup};
    lookup->host = host;
    lookup->done = done;
    lookup->context = context;
    *host = (struct mx_host){.name = request->name, .preference = preference, .ttl = UINT32_MAX};
    uv_timer_init(dns_loop(request->dns), &lookup->timer);
    lookup->timer.data = lookup;
    sequence_init(&lookup->sequence, &machine, lookup);
    *out = lookup;
    run(lookup);
    return 0;
}

void host_cancel(struct host_lookup *lookup)
{
    if (!uv_is_closing((uv_handle_t *)&lookup->timer))
        release(lookup);
}
