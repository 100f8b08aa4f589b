/* outage_uv: see outage_uv.h. At most one question, or one timer, is under way. */
#include "survey/outage_uv.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/list.h"
#include "probe/dns/dns_check_uv.h"

/* A result that waits. */
struct held {
    struct list link;
    struct unit_result *result; /* owned */
    bool asked;                 /* the question under way is later */
};

struct outage {
    struct outage_options options;
    uv_timer_t timer;
    struct dns_checking *asking; /* NULL: none */
    struct list held;
    bool waits, lost, doubts;
    unsigned row;        /* failures since something did not fail */
    int64_t silent_from; /* monotonic ms; 0: it answers */
    int64_t rest_ms, rests_left_ms;
};

static void ask(struct outage *outage);

struct outage *outage_new(uv_loop_t *loop, const struct outage_options *options)
{
    struct outage *outage = calloc(1, sizeof *outage);

    if (outage == NULL)
        return NULL;
    outage->options = *options;
    outage->rest_ms = OUTAGE_REST_MIN_MS;
    outage->rests_left_ms = OUTAGE_RESTS_MS;
    list_init(&outage->held);
    uv_timer_init(loop, &outage->timer);
    outage->timer.data = outage;
    return outage;
}

/* ---- what is held ---- */

static void release(struct held *held)
{
    list_remove(&held->link);
    unit_result_free(held->result);
    free(held);
}

static void lose_all(struct outage *outage)
{
    while (!list_empty(&outage->held)) {
        release(LIST_ELEMENT(outage->held.next, struct held, link));
        outage->lost = true;
    }
}

/* Those that came before the question which was answered: the first ones. */
static void count_asked(struct outage *outage)
{
    while (!list_empty(&outage->held)) {
        struct held *held = LIST_ELEMENT(outage->held.next, struct held, link);

        if (!held->asked)
            return;
        outage->options.counts(outage->options.context, held->result);
        release(held);
    }
}

static void on_outage_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void outage_close(struct outage *outage)
{
    if (outage == NULL)
        return;
    dns_checking_free(outage->asking);
    lose_all(outage);
    uv_close((uv_handle_t *)&outage->timer, on_outage_closed);
}

/* ---- asking ---- */

static void on_outage_timer(uv_timer_t *timer)
{
    ask(timer->data);
}

static void end(struct outage *outage)
{
    bool lost = outage->lost;

    outage->waits = outage->lost = false;
    outage->options.over(outage->options.context, lost);
}

static void on_rested(uv_timer_t *timer)
{
    end(timer->data);
}

/* It answers, and yet all fails. */
static bool rest(struct outage *outage)
{
    if (outage->row < OUTAGE_ROW || outage->rests_left_ms < outage->rest_ms)
        return false;
    uv_timer_start(&outage->timer, on_rested, (uint64_t)outage->rest_ms, 0);
    outage->row = OUTAGE_ROW - OUTAGE_ASK_AFTER;
    outage->rests_left_ms -= outage->rest_ms;
    outage->rest_ms *= 2;
    if (outage->rest_ms > OUTAGE_REST_MAX_MS)
        outage->rest_ms = OUTAGE_REST_MAX_MS;
    return true;
}

static void take_answer(struct outage *outage)
{
    if (outage->silent_from != 0)
        outage->row = 0;
    outage->silent_from = 0;
    outage->doubts = false;
    count_asked(outage);
    if (!list_empty(&outage->held))
        ask(outage);
    else if (!rest(outage))
        end(outage);
}

static void take_silence(struct outage *outage)
{
    lose_all(outage);
    if (outage->silent_from == 0)
        outage->silent_from = clock_monotonic_ms();
    uv_timer_start(&outage->timer, on_outage_timer, OUTAGE_AGAIN_MS, 0);
}

static void on_outage_checked(void *context, const struct dns_check *check)
{
    struct outage *outage = context;
    bool answers = check->answer == DNS_CHECK_SECURE ||
                   (check->answer == DNS_CHECK_INSECURE && !outage->options.secure);

    dns_checking_free(outage->asking);
    outage->asking = NULL;
    if (answers)
        take_answer(outage);
    else
        take_silence(outage);
}

/* Where no question can be asked there is another try later. */
static void ask(struct outage *outage)
{
    outage->waits = true;
    for (struct list *link = outage->held.next; link != &outage->held; link = link->next)
        LIST_ELEMENT(link, struct held, link)->asked = true;
    outage->asking = dns_checking_start(outage->options.dns, on_outage_checked, outage);
    if (outage->asking == NULL)
        take_silence(outage);
}

static void doubt(struct outage *outage)
{
    outage->doubts = true;
    if (!outage->waits)
        ask(outage);
}

/* ---- what the survey sees ---- */

void outage_note(struct outage *outage, bool failed)
{
    outage->doubts |= failed;
    outage->row = failed ? outage->row + 1 : 0;
    if (failed && outage->row % OUTAGE_ASK_AFTER == 0)
        doubt(outage);
}

void outage_hold(struct outage *outage, struct unit_result *result)
{
    struct held *held = calloc(1, sizeof *held);

    if (held == NULL) {
        unit_result_free(result);
        outage->lost = true;
    } else {
        held->result = result;
        list_append(&outage->held, &held->link);
    }
    doubt(outage);
}

bool outage_waits(const struct outage *outage)
{
    return outage->waits;
}

bool outage_doubts(struct outage *outage)
{
    if (outage->doubts)
        doubt(outage);
    return outage->waits;
}

int64_t outage_ms(const struct outage *outage)
{
    return outage->silent_from == 0 ? 0 : clock_monotonic_ms() - outage->silent_from + 1;
}
