/*
 * shares: see shares.h. An idle handle keeps the loop from waiting while there is work. A share
 * ends when its time is over and the step under way has returned.
 */
#include "daemon/loop/shares.h"

#include <stdlib.h>

#include "base/clock.h"

struct shares {
    uv_idle_t turn;
    struct list tasks; /* the next to have its turn comes first */
};

static void on_shares_turn(uv_idle_t *turn)
{
    struct shares *shares = turn->data;
    int64_t until = clock_monotonic_ns() + SHARES_NS;
    struct share_task *task;
    bool more;

    if (list_empty(&shares->tasks)) {
        uv_idle_stop(turn);
        return;
    }
    task = LIST_ELEMENT(shares->tasks.next, struct share_task, link);
    list_remove(&task->link);
    do
        more = task->step(task);
    while (more && clock_monotonic_ns() < until);
    if (more)
        list_append(&shares->tasks, &task->link);
}

struct shares *shares_new(uv_loop_t *loop)
{
    struct shares *shares = calloc(1, sizeof *shares);

    if (shares == NULL)
        return NULL;
    list_init(&shares->tasks);
    uv_idle_init(loop, &shares->turn);
    shares->turn.data = shares;
    return shares;
}

static void on_shares_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void shares_close(struct shares *shares)
{
    uv_close((uv_handle_t *)&shares->turn, on_shares_closed);
}

void share_task_init(struct share_task *task, share_step step)
{
    task->step = step;
    list_init(&task->link);
}

void shares_add(struct shares *shares, struct share_task *task)
{
    if (list_empty(&task->link))
        list_append(&shares->tasks, &task->link);
    uv_idle_start(&shares->turn, on_shares_turn);
}

void shares_remove(struct share_task *task)
{
    list_remove(&task->link);
}
