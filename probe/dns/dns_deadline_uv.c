/*
 * dns_deadline_uv: the deadlines of all queries, with one timer. There are few durations, so each has
 * a list of its own, in which what comes later is due later: to set and to clear a deadline costs a
 * link. The timer is not moved when a deadline is cleared: it then finds nothing due, and is set for
 * the next. It runs only while there are queries.
 */
#include "base/check.h"
#include "probe/dns/dns_query_uv.h"

static void on_due(uv_timer_t *timer);

static void arm(struct dns *dns, uint64_t due)
{
    uint64_t now = uv_now(dns->loop);

    dns->armed_for = due;
    uv_timer_start(&dns->timer, on_due, due > now ? due - now : 0, 0);
}

static void disarm(struct dns *dns)
{
    dns->armed_for = UINT64_MAX;
    uv_timer_stop(&dns->timer);
}

/* The first of a list; NULL when it is empty. */
static struct dns_query *first_due(struct dns_duration *duration)
{
    struct list *first = duration->queries.next;

    return list_empty(&duration->queries) ? NULL : LIST_ELEMENT(first, struct dns_query, deadline);
}

static void arm_for_next(struct dns *dns)
{
    uint64_t due = UINT64_MAX;

    for (unsigned i = 0; i < dns->duration_count; i++) {
        const struct dns_query *query = first_due(&dns->durations[i]);

        if (query != NULL && query->due < due)
            due = query->due;
    }
    if (due != UINT64_MAX)
        arm(dns, due);
}

/* After a query was called there is one more turn of the loop soon: one who runs it turn by turn
 * shall see what came of that before the loop waits for something else. */
static void on_due(uv_timer_t *timer)
{
    struct dns *dns = timer->data;
    struct dns_query *query;
    bool called = false;

    dns->armed_for = UINT64_MAX;
    for (unsigned i = 0; i < dns->duration_count; i++)
        while ((query = first_due(&dns->durations[i])) != NULL && query->due <= uv_now(dns->loop)) {
            dns_deadline_clear(query);
            query->sequence.expired = true;
            called = true;
            dns_query_run(query);
        }
    if (dns->closed)
        return;
    if (called)
        arm(dns, uv_now(dns->loop) + 1);
    else
        arm_for_next(dns);
}

void dns_deadline_set(struct dns_query *query, uint64_t ms)
{
    struct dns *dns = query->dns;
    unsigned i = 0;

    dns_deadline_clear(query);
    while (i < dns->duration_count && dns->durations[i].ms != ms)
        i++;
    if (i == dns->duration_count) {
        CHECK(i < DNS_DURATIONS_MAX);
        dns->durations[i].ms = ms;
        list_init(&dns->durations[i].queries);
        dns->duration_count++;
    }
    query->due = uv_now(dns->loop) + ms;
    list_append(&dns->durations[i].queries, &query->deadline);
    dns->deadlines++;
    if (query->due < dns->armed_for)
        arm(dns, query->due);
}

void dns_deadline_clear(struct dns_query *query)
{
    if (list_empty(&query->deadline))
        return;
    list_remove(&query->deadline);
    if (--query->dns->deadlines == 0)
        disarm(query->dns);
}

void dns_deadlines_init(struct dns *dns)
{
    uv_timer_init(dns->loop, &dns->timer);
    dns->timer.data = dns;
    dns->armed_for = UINT64_MAX;
    dns->handles++;
}

static void on_timer_closed(uv_handle_t *handle)
{
    dns_handle_closed(handle->data);
}

void dns_deadlines_close(struct dns *dns)
{
    uv_close((uv_handle_t *)&dns->timer, on_timer_closed);
}
