/* pace: see pace.h. */
#include "survey/pace.h"

static void let_start(struct pace *pace, unsigned more)
{
    pace->starts = pace->starts + more < PACE_STARTS_MAX ? pace->starts + more : PACE_STARTS_MAX;
}

void pace_init(struct pace *pace, unsigned most)
{
    *pace = (struct pace){.starts = PACE_STARTS_MAX,
                          .window = most < PACE_WINDOW_FIRST ? most : PACE_WINDOW_FIRST,
                          .most = most,
                          .shrunk_at = INT64_MIN / 2};
}

unsigned pace_room(const struct pace *pace, unsigned under_way)
{
    unsigned room = under_way < pace->window ? pace->window - under_way : 0;

    return room < pace->starts ? room : pace->starts;
}

void pace_began(struct pace *pace)
{
    pace->starts--;
}

void pace_ended(struct pace *pace, bool timed_out, int64_t now_ms)
{
    let_start(pace, 1);
    pace->moves = true;
    if (timed_out) {
        pace->answered = 0;
        if (now_ms - pace->shrunk_at < PACE_SHRINK_MS)
            return;
        pace->shrunk_at = now_ms;
        pace->window -= pace->window / 4;
        if (pace->window < PACE_WINDOW_MIN)
            pace->window = PACE_WINDOW_MIN < pace->most ? PACE_WINDOW_MIN : pace->most;
    } else if (++pace->answered == PACE_GROWS_AFTER) {
        pace->answered = 0;
        pace->window += pace->window < pace->most;
    }
}

void pace_refill(struct pace *pace)
{
    if (pace->moves)
        let_start(pace, PACE_REFILL);
    pace->moves = false;
}
