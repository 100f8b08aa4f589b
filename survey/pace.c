/* pace: see pace.h. */
#include "survey/pace.h"

void pace_init(struct pace *pace, unsigned most)
{
    *pace = (struct pace){.window = most < PACE_WINDOW_FIRST ? most : PACE_WINDOW_FIRST,
                          .most = most,
                          .shrunk_at = INT64_MIN / 2};
}

unsigned pace_room(const struct pace *pace, unsigned under_way)
{
    unsigned young = pace->young[0] + pace->young[1];
    unsigned room = under_way < pace->window ? pace->window - under_way : 0;
    unsigned starts = young < PACE_YOUNG_MAX ? PACE_YOUNG_MAX - young : 0;

    return room < starts ? room : starts;
}

unsigned pace_began(struct pace *pace)
{
    pace->young[pace->turn & 1]++;
    return pace->turn;
}

static void shrink(struct pace *pace, int64_t now_ms)
{
    pace->answered = 0;
    if (now_ms - pace->shrunk_at < PACE_SHRINK_MS)
        return;
    pace->shrunk_at = now_ms;
    pace->window -= pace->window / 4;
    if (pace->window < PACE_WINDOW_MIN)
        pace->window = PACE_WINDOW_MIN < pace->most ? PACE_WINDOW_MIN : pace->most;
}

void pace_ended(struct pace *pace, unsigned turn, bool timed_out, int64_t now_ms)
{
    pace->moves = true;
    if (pace->turn - turn < 2 && pace->young[turn & 1] > 0)
        pace->young[turn & 1]--;
    if (timed_out) {
        shrink(pace, now_ms);
    } else if (++pace->answered == PACE_GROWS_AFTER) {
        pace->answered = 0;
        pace->window += pace->window < pace->most;
    }
}

void pace_turn(struct pace *pace)
{
    if (!pace->moves)
        return;
    pace->moves = false;
    pace->young[++pace->turn & 1] = 0;
}
