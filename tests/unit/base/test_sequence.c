/* sequence: order of calls, fresh and expired, and where a run ends. */
#include "tests/unit/support/unit.h"

#include <string.h>

#include "base/sequence.h"

#define STATES(X)                                                                                  \
    X(FIRST, first, 10)                                                                            \
    X(SECOND, second, SEQUENCE_NO_DEADLINE)                                                        \
    X(THIRD, third, 30)

enum state { STATES(SEQUENCE_ENUM) };

static const struct sequence_state states[] = {STATES(SEQUENCE_STATE)};

struct machine {
    struct sequence sequence;
    unsigned rounds;     /* THIRD enters itself so often */
    bool answered;       /* what FIRST waits for */
    char entered[20];    /* first letters of the states entered */
    uint64_t deadline;   /* of the state entered last */
    unsigned fresh, old; /* calls of steps */
};

static void count(struct machine *machine)
{
    if (machine->sequence.fresh)
        machine->fresh++;
    else
        machine->old++;
}

static enum sequence_step step_first(struct machine *machine)
{
    count(machine);
    if (machine->sequence.expired)
        return SEQUENCE_DONE;
    return machine->answered ? sequence_go(&machine->sequence, STATE_SECOND) : SEQUENCE_WAIT;
}

static enum sequence_step step_second(struct machine *machine)
{
    count(machine);
    return sequence_go(&machine->sequence, STATE_THIRD);
}

static enum sequence_step step_third(struct machine *machine)
{
    count(machine);
    if (machine->rounds == 0)
        return SEQUENCE_DONE;
    machine->rounds--;
    return sequence_go(&machine->sequence, STATE_THIRD);
}

static enum sequence_step run_step(void *owner, unsigned state)
{
    static enum sequence_step (*const steps[])(struct machine *) = {STATES(SEQUENCE_STEP)};

    return steps[state](owner);
}

static void enter(void *owner, unsigned state)
{
    struct machine *machine = owner;

    machine->deadline = states[state].deadline;
    strncat(machine->entered, states[state].name, 1);
}

static void start(struct machine *machine)
{
    static const struct sequence_machine kind = {run_step, enter};

    memset(machine, 0, sizeof *machine);
    sequence_init(&machine->sequence, &kind, machine);
}

static void it_waits_in_the_first_state(void **state)
{
    struct machine machine;

    (void)state;
    start(&machine);
    assert_false(sequence_run(&machine.sequence));
    assert_false(sequence_run(&machine.sequence));
    assert_string_equal(machine.entered, "f");
    assert_int_equal(machine.deadline, 10);
    assert_int_equal(machine.fresh, 1);
    assert_int_equal(machine.old, 1);
}

/* One run goes through every state that need not wait; a state that names itself is entered anew. */
static void it_runs_to_its_end(void **state)
{
    struct machine machine;

    (void)state;
    start(&machine);
    assert_false(sequence_run(&machine.sequence));
    machine.answered = true;
    machine.rounds = 2;
    assert_true(sequence_run(&machine.sequence));
    assert_string_equal(machine.entered, "fsttt");
    assert_int_equal(machine.deadline, 30);
    assert_int_equal(machine.fresh, 5);
    assert_int_equal(machine.old, 1);
}

static void a_deadline_belongs_to_its_state(void **state)
{
    struct machine machine;

    (void)state;
    start(&machine);
    machine.sequence.expired = true; /* of a timer before the first state: not its own */
    assert_false(sequence_run(&machine.sequence));
    machine.sequence.expired = true;
    assert_true(sequence_run(&machine.sequence));
    assert_string_equal(machine.entered, "f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_waits_in_the_first_state),
        cmocka_unit_test(it_runs_to_its_end),
        cmocka_unit_test(a_deadline_belongs_to_its_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
