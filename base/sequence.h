/*
 * sequence: the driver of every state machine that waits for the network.
 *
 * A machine is one X-macro, X(NAME, step, deadline): its enum of states, the names for the log, the
 * deadlines and the step functions all come from it, so their order is always the same:
 *
 *   #define STATES(X)                    \
 *       X(CONNECT, connect, 30000)       \
 *       X(BANNER, banner, 300000)
 *   enum state { STATES(SEQUENCE_ENUM) };
 *   static const struct sequence_state states[] = {STATES(SEQUENCE_STATE)};
 *
 * A step looks at what has happened and returns. Only sequence_run changes the state. A callback
 * stores what happened and runs the sequence; it does nothing after that call.
 *
 * The timer is the owner's, so that this file needs no event loop: `enter` starts it, and its
 * callback sets `expired` and runs the sequence.
 *
 * Glossary
 *   step      the function of a state; called when the state is entered and after every event
 *   fresh     true during the first call in a state
 *   expired   the deadline of the present state has passed
 *
 * BUGS: a machine that goes round for ever without waiting ends the process (CHECK).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SEQUENCE_NO_DEADLINE UINT64_MAX

/* Arguments for the X-macro: STATE_CONNECT, {"connect", 30000} and step_connect. */
#define SEQUENCE_ENUM(NAME, step, deadline)  STATE_##NAME,
#define SEQUENCE_STATE(NAME, step, deadline) {#step, deadline},
#define SEQUENCE_STEP(NAME, step, deadline)  step_##step,

enum sequence_step {
    SEQUENCE_AGAIN, /* from sequence_go: the next state is entered */
    SEQUENCE_WAIT,  /* for an event or the deadline */
    SEQUENCE_DONE
};

struct sequence_state {
    const char *name;
    uint64_t deadline; /* ms (0: the next turn of the loop), or what only `enter` interprets */
};

/* What all sequences of a kind share. */
struct sequence_machine {
    /* Calls the step function of a state. */
    enum sequence_step (*step)(void *owner, unsigned state);
    /* A state was entered: starts its deadline in place of the one before. */
    void (*enter)(void *owner, unsigned state);
};

struct sequence {
    const struct sequence_machine *machine;
    void *owner;
    unsigned state, next;
    bool entering, fresh, expired;
};

/* The first sequence_run enters state 0. `machine` is borrowed. */
void sequence_init(struct sequence *sequence, const struct sequence_machine *machine, void *owner);
/* For steps: enters `next`, which may be the present state, after the step has returned. */
enum sequence_step sequence_go(struct sequence *sequence, unsigned next);
/* Runs until a step waits or the sequence is done; true when it is done. The owner may free it
 * then. */
bool sequence_run(struct sequence *sequence);
