#!/bin/bash
# The manual check: every key with its default, command, option, rule and warning that the programs
# know is in the manual, and no other; and what the documents are cited for is in them.
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
    daemon/config/config_table.c | sort) \
    4< <(sed -n 's/^\.It Cm \([a-z-]*\) = .*/\1/p' docs/mxcryptd.conf.5 | sort)
same "commands" 3< <(cat cli/main.c cli/list/cli_list.c |
    sed -n '/^} commands\[\]/,/^};/s/^ *{"\([a-z-]*\)", \(NULL\|"\([a-z]*\)"\).*/\1 \3/p' | sort -u) \
    4< <(sed -n '/^\.Sh COMMANDS/,/^\.Sh [^C]/s/^\.It Cm \([a-z-]*\( [a-z]\+\)\?\)\( .*\)\?$/\1/p' docs/mxcrypt.1 |
        sed 's/^[a-z-]*$/& /' | sort -u)
same "actions" 3< <(sed -n '/^} actions\[\]/,/^};/s/^ *\[RULE_[A-Z_]*\] = {"\([a-z-]*\)".*/\1/p' policy/rules/rules_line.c | sort) \
    4< <(sed -n '/^\.Sh ACTIONS/,/^\.Ss/s/^\.It Cm \([a-z-]*\).*/\1/p' docs/mxcrypt-rules.5 | sort -u)
same "floors" 3< <(sed -n '/^static int action_at_least/,/^}/s/^.*at-least what? \(.*\)".*/\1/p' policy/rules/rules_line.c |
    grep -o '[a-z-]\+\( match=\)\?' | grep -v '^or$' | sed 's/ match=//' | sort -u) \
    4< <(sed -n '/^\.Sh ACTIONS/,/^\.Ss/s/^\.It Cm at-least \([a-z-]*\).*/\1/p' docs/mxcrypt-rules.5 | sort)
same "options" 3< <(sed -n '/^} options\[\]/,/^};/s/^ *{"\([a-z]*=\)".*/\1/p' policy/rules/rules_line.c | sort) \
    4< <(sed -n '/^\.Sh OPTIONS/,/^\.Sh [^O]/s/^\.It Cm \([a-z]*=\).*/\1/p' docs/mxcrypt-rules.5 | sort)
same "metrics" 3< <(sed -n '/^static const struct metrics_family families/,/^};/s/^ *{"\([a-z_]*\)".*/mxcryptd_\1/p' \
    daemon/metrics/metrics_table.c | sort) \
    4< <(sed -n '/^\.Sh METRICS/,/^\.Sh [^M]/s/^\.It Li \(mxcryptd_[a-z_]*\).*/\1/p' docs/mxcryptd.8 | sort)
same "options of mxcrypt" 3< <(sed -n '/long_options\[\] = {/,/^};/p; /^#define TEXT_OPTIONS/,/^$/p' cli/options.c |
    grep -oE '(\{|X\([A-Z_]+, )"[a-z-]+"' | grep -oE '[a-z-]{2,}' | sort) \
    4< <(grep -oE 'Fl -[a-z-]+' docs/mxcrypt.1 | sed 's/^Fl -//' | sort -u)
same "options of mxcryptd" 3< <(sed -n 's/.*getopt(argc, argv, "\([A-Za-z:]*\)").*/\1/p' daemon/mxcryptd.c | tr -d : | grep -o . | sort) \
    4< <(sed -n 's/^\.It Fl \([A-Za-z]\)\( .*\)\?$/\1/p' docs/mxcryptd.8 | sort)
same "warnings" 3< <(cat $(find base probe daemon -name '*.c') | tr -d '\n' | grep -oE 'log_event\( *LOG_LEVEL_(ERROR|WARNING), *"[a-z-]+"' |
    sed 's/.*"\(.*\)"/\1/' | sort -u) \
    4< <(sed -n 's/^\.It event=\([a-z-]*\)$/\1/p' docs/mxcryptd.8 | sort -u |
        comm -12 - <(cat $(find base probe daemon -name '*.c') | tr -d '\n' |
            grep -oE 'log_event\( *LOG_LEVEL_(ERROR|WARNING), *"[a-z-]+"' | sed 's/.*"\(.*\)"/\1/' | sort -u))
# the commands of a share: first words of arrays, and what scripts call; READONLY is an answer, SENTINEL is for Sentinels
table=$(sed -nE 's/.*\{SHARE_RIGHT_(NEEDED|USEFUL), "([A-Z ]+)".*/\2/p' daemon/share/share_rights.c | sort)
same "commands of a share (in the manual: in the table)" \
    3< <(cat daemon/share/*.c base/valkey/valkey_uv.c | tr -d '\n' |
        grep -oE "\*const [a-z_]+\[\] = \{ *\"[A-Z]+\"(, *\"SETNAME\")?|\*(words\[WORDS_MAX\]) = \{ *\"[A-Z]+\"|redis\.p?call\('[A-Z]+'" |
        sed -E "s/.*\{ *//; s/redis\.p?call\('//; s/[\"',]//g" | grep -vxE 'READONLY|SENTINEL' | sort -u) \
    4< <(echo "$table")
same "commands of a share (in the manual: in contrib/valkey/users.acl)" 3< <(echo "$table") \
    4< <(grep -oE '\+[a-z|]+' contrib/valkey/users.acl | tr -d + | tr 'a-z|' 'A-Z ' | sort)
same "findings of mxcrypt check" 3< <(tr -d '\\\\\n' <check/finding.h | grep -oE 'X\([A-Z_0-9]+, *"[a-z0-9-]+", *[A-Z]+, *"' |
    sed -E 's/.*"(.*)", *([A-Z]+).*/\1 \L\2/' | sort) \
    4< <(sed -nE 's/^\.It Cm ([a-z0-9-]+) Pq Em ([a-z]+)$/\1 \2/p' docs/mxcrypt-check.5 | sort)
same "metrics of mxcrypt check" 3< <(sed -nE 's/.*family\(out, "([a-z_]+)".*/mxcrypt_check_\1/p' check/watch/metrics.c | sort) \
    4< <(sed -n '/^\.Sh METRICS/,/^\.Sh [^M]/s/^\.It Li \(mxcrypt_[a-z_]*\).*/\1/p' docs/mxcrypt-check.5 | sort)
# "same" is told as in-force
same "states of a list" 3< <(sed -n '/^#define LIST_OUTCOMES/,/[^\\]$/s/^ *X([A-Z_]*, "\([a-z-]*\)").*/\1/p' daemon/lists/list_read.h |
    grep -v '^same$' | sort) \
    4< <(sed -n '/^\.Sh WHICH LIST/,/^\.Sh [^W]/s/^\.It Cm \([a-z-]*\)$/\1/p' docs/mxcrypt-list.5 | sort)
same "members of a list" 3< <(sed -nE '/^static const struct member /,/^\};/p' policy/list/policy_list_read.c | grep -oE '\{"[a-z-]+"' | tr -d '{"' | sort) \
    4< <(sed -n '/^\.Sh FORMAT/,/^\.Ss/s/^\.It Li \([a-z-]*\)$/\1/p' docs/mxcrypt-list.5 | sort)
same "limits of a list" 3< <(sed -nE '/_ERROR_MAX/d; s/^#define POLICY_LIST_[A-Z_]+ +\(?([0-9]+).*/\1/p' policy/list/policy_list.h | sort -u) \
    4< <(sed -n '/^\.Ss Limits/,/^\.Sh/p' docs/mxcrypt-list.5 | grep -oE '[0-9]+' | sort -u)

same "defaults of contrib/etc/mxcryptd.conf" \
    3< <(sed -n '/^const struct config_row config_rows/,/^};/s/^ *{"\([a-z-]*\)", "\([^"]*\)".*/\1 = \2/p' daemon/config/config_table.c |
        sed 's/ $//' | sort | comm -12 - <(sed -n 's/^#\([a-z-]* =.*\)/\1/p' contrib/etc/mxcryptd.conf | sort)) \
    4< <(sed -n 's/^#\([a-z-]* =.*\)/\1/p' contrib/etc/mxcryptd.conf | sort)

# defaults: what stands under a key, or under the keys listed together with it, names its default
while IFS=$'\t' read -r key fallback; do
    [ -n "$fallback" ] || continue
    awk -v key="$key" '
        /^\.It Cm [a-z-]+ = / { if (text) { names = ""; text = 0 } names = names " " $3 " "; next }
        /^\.(It|El|Ss|Sh)/ { names = ""; text = 0; next }
        { text = 1; if (index(names, " " key " ")) print }' docs/mxcryptd.conf.5 |
        grep -qF -- "$fallback" || {
        echo "defaults: $key: the manual does not name $fallback"
        status=1
    }
done < <(sed -n '/^const struct config_row config_rows/,/^};/s/^ *{"\([a-z-]*\)", "\([^"]*\)".*/\1\t\2/p' daemon/config/config_table.c)
# citations of documents, sections and rows that are not there
/usr/bin/python3 tests/citations.py || status=1
exit $status
