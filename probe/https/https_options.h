/* https_options: the limits of policy fetches, as plain data. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct https_options {
    long deadline_ms;       /* of a whole fetch, counted from the start of the transfer */
    unsigned in_flight_max; /* more wait in a queue */
    size_t body_max;        /* octets */
    uint16_t port;          /* 0: 443; any other is for tests */
};
