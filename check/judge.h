/* judge: from facts to findings. Pure: no clock, no socket, no file. */
#pragma once

#include "check/facts.h"
#include "check/finding.h"

/* Fills the report. Strings are the facts' or report->arena's. */
void check_judge(struct check_report *report, const struct check_facts *facts);
/* 0 ok, 1 warning, 2 critical, 3 unknown: that of the worst finding; unknown counts only where
 * nothing is critical. As the plugins of Nagios and Icinga do. */
int check_exit(const struct check_report *report);
