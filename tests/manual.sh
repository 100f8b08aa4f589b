#!/bin/bash
# The manual check: every key and command the programs know is in the manual, and no other.
cd "$(dirname "$0")/.." || exit 2
status=0

# same WHAT: compares two sorted lists on descriptors 3 (the code) and 4 (the manual)
same() {
    local diff
    diff=$(diff /dev/fd/3 /dev/fd/4) && return
    echo "$1: < in the code, > in the manual"
    echo "$diff" | grep '^[<>]'
    status=1
}

same "keys" 3< <(sed -n '/^const struct config_row config_rows/,/^};/s/^ *{"\([a-z-]*\)".*/\1/p' \
    daemon/config_table.c | sort) \
    4< <(sed -n 's/^\.It Cm \([a-z-]*\) = .*/\1/p' docs/mxcryptd.conf.5 | sort)
same "commands" 3< <(sed -n '/^} commands\[\]/,/^};/s/^ *{"\([a-z-]*\)", \(NULL\|"\([a-z]*\)"\).*/\1 \3/p' \
    cli/main.c | sort -u) \
    4< <(sed -n '/^\.Sh COMMANDS/,/^\.Sh [^C]/s/^\.It Cm \([a-z-]*\( [a-z]\+\)\?\)\( .*\)\?$/\1/p' docs/mxcrypt.1 |
        sed 's/^[a-z-]*$/& /' | sort -u)
same "actions" 3< <(sed -n '/^} actions\[\]/,/^};/s/^ *\[RULE_[A-Z_]*\] = {"\([a-z-]*\)".*/\1/p' policy/rules_line.c | sort) \
    4< <(sed -n '/^\.Sh ACTIONS/,/^\.Ss/s/^\.It Cm \([a-z-]*\).*/\1/p' docs/mxcrypt-rules.5 | sort -u)
same "floors" 3< <(sed -n '/^static int action_at_least/,/^}/s/^    if (span_is(level, "\([a-z]*\)").*/\1/p' policy/rules_line.c |
    sort -u) \
    4< <(sed -n '/^\.Sh ACTIONS/,/^\.Ss/s/^\.It Cm at-least \([a-z]*\).*/\1/p' docs/mxcrypt-rules.5 | sort)
same "options" 3< <(sed -n '/^} options\[\]/,/^};/s/^ *{"\([a-z]*=\)".*/\1/p' policy/rules_line.c | sort) \
    4< <(sed -n '/^\.Sh OPTIONS/,/^\.Sh [^O]/s/^\.It Cm \([a-z]*=\).*/\1/p' docs/mxcrypt-rules.5 | sort)
same "metrics" 3< <(sed -n '/^static const struct family families/,/^};/s/^ *{"\([a-z_]*\)".*/mxcryptd_\1/p' daemon/metrics_text.c | sort) \
    4< <(sed -n '/^\.Sh METRICS/,/^\.Sh [^M]/s/^\.It Li \(mxcryptd_[a-z_]*\).*/\1/p' docs/mxcryptd.8 | sort)
exit $status
