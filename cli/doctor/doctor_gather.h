/* doctor_gather: parts of the gathering that have a file of their own; see doctor.h. */
#pragma once

#include "cli/doctor/doctor.h"

/* Tries port 25 at the hosts of the options; without any, at hosts that mxcryptd knows and at some
 * well-known ones. */
void doctor_gather_port25(struct doctor_facts *facts, const struct doctor_options *options);
/* Tries probe-bind-address and probe-bind-address6. */
void doctor_gather_sources(struct doctor_facts *facts);
/* Looks helo-name up. */
void doctor_gather_helo(struct doctor_facts *facts);
/* A CA file that exists: mxcryptd's own, else the system's; NULL when there is none. */
const char *doctor_ca_file(const struct config *config);
