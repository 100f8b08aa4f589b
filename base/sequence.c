/* sequence: see sequence.h. */
#include "base/sequence.h"

#include "base/check.h"

#define STEPS_MAX 100 /* without waiting; the longest run there is takes about 20 */

void sequence_init(struct sequence *sequence, const struct sequence_machine *machine, void *owner)
{
    *sequence = (struct sequence){.machine = machine, .owner = owner, .entering = true};
}

enum sequence_step sequence_go(struct sequence *sequence, unsigned next)
{
    sequence->next = next;
    sequence->entering = true;
    return SEQUENCE_AGAIN;
}

bool sequence_run(struct sequence *sequence)
{
    enum sequence_step step;
    unsigned steps = 0;

    do {
        CHECK(steps++ < STEPS_MAX);
        if (sequence->entering) {
            sequence->state = sequence->next;
            sequence->entering = sequence->expired = false;
            sequence->fresh = true;
            sequence->machine->enter(sequence->owner, sequence->state);
        }
        step = sequence->machine->step(sequence->owner, sequence->state);
        sequence->fresh = false;
    } while (step == SEQUENCE_AGAIN);
    return step == SEQUENCE_DONE;
}
