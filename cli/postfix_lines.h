/* postfix_lines: what `mxcrypt postfix-config` prints, lines for main.cf with their reasons. */
#pragma once

#include "cli/doctor/doctor.h"
#include "cli/postfix/postfix.h"
#include "daemon/config/config.h"

struct postfix_lines {
    const struct config *config;
    const struct postfix *postfix;
    struct postfix_version version;
    bool chrooted;           /* an smtp(8) service is */
    const char *map;         /* value for smtp_tls_policy_maps; NULL: mxcryptd listens nowhere */
    const char *map_present; /* the present value; "" when there is none */
    bool asks;               /* it leads to mxcryptd already */
    const char *ca_file;     /* that exists; NULL: none found */
    const struct doctor_report *compared; /* by doctor_compare_probes */
};

/* Appends the lines to `out`. Every line that is no comment is one of main.cf(5). Pure. */
void postfix_lines_write(struct buf *out, const struct postfix_lines *lines);
