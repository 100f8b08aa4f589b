#!/bin/bash
# The layer check: which room may include which, which file may use which library, and how full a folder may be.
# Prints every breach; exit status 1 when there is one.
#
# A room may include itself and the rooms that its row of the table names. A row names only rooms of rows above it, so there can
# be no circle; what it names and does not need is a breach as well.
cd "$(dirname "$0")/.." || exit 2

FOLDER_MAX=30 # files; more need rooms

rooms() {
    cat <<'TABLE'
base
base/log            base
base/net            base
base/page           base
base/sql            base
base/valkey         base base/net
base/sign           base
policy              base/net
policy/decide       base policy
policy/render       base base/net policy policy/decide
policy/rules        base base/net policy policy/decide policy/render
policy/report       base policy policy/decide policy/render policy/rules
policy/evidence     base base/net policy
policy/list         base base/net policy
probe/dns           base base/net
probe/tls           base base/log base/net policy
probe/smtp          base base/log base/net policy probe/tls
probe/https         base base/net probe/tls
probe/sts           base base/log base/net policy probe/dns probe/https
probe/tlsrpt        base probe/dns
probe               base base/log base/net policy probe/dns probe/tls probe/smtp probe/https probe/sts
probe/submit        base base/net policy probe probe/dns probe/https probe/tlsrpt
survey/unit         base base/net policy probe/tls probe/tlsrpt
survey/results      base base/net base/sql policy policy/decide probe/sts probe/tls survey/unit
survey/look         base probe probe/dns probe/smtp probe/sts survey/unit
survey              base base/net policy policy/render probe probe/dns probe/tls survey/unit survey/results survey/look
survey/member       base base/net policy survey/results
survey/queue        base base/valkey survey survey/results survey/unit
survey/page         base base/page policy/decide policy/report survey survey/results
audit               base base/net policy policy/decide policy/rules
audit/source        base audit
audit/tlsrpt        base base/net base/sign policy audit
audit/page          base/page audit
check               base base/net base/page policy policy/decide probe/dns probe/tls probe/tlsrpt
check/servers       base base/net probe/dns check
check/look          base probe probe/dns probe/https probe/smtp probe/sts probe/tls check check/servers
check/records       base policy probe/tls check
check/watch         base base/net check probe/tls
check/rollover      base base/net base/page policy probe probe/dns probe/smtp probe/tls check/servers
daemon/config       base base/log base/net base/sign base/valkey policy/decide policy/rules probe
daemon/loop         base base/log
daemon/sandbox      base/log daemon/config
daemon/store        base base/log base/net base/sql policy policy/decide policy/evidence policy/report probe/smtp probe/sts
daemon/share        base base/log base/valkey policy daemon/store
daemon/lists        base base/log base/page base/sign policy policy/list probe/dns probe/https probe/tls daemon/config
daemon/rules        base base/log policy/rules probe/tls daemon/config daemon/lists
daemon/cache        base base/log base/net policy policy/decide policy/evidence policy/render policy/report policy/rules probe daemon/config daemon/loop daemon/store daemon/rules daemon/share
daemon/lookup       base base/log base/net policy/render probe daemon/config daemon/rules daemon/cache
daemon/serve        base base/log policy policy/render daemon/config daemon/loop daemon/lookup
daemon/metrics      base base/log policy/report daemon/config daemon/lists daemon/lookup daemon/serve
daemon/control      base base/log policy/list policy/report policy/rules daemon/lists daemon/loop daemon/store daemon/rules daemon/share daemon/cache daemon/lookup daemon/serve daemon/metrics
daemon              base base/log probe probe/dns daemon/config daemon/sandbox daemon/lists daemon/rules daemon/lookup daemon/serve daemon/metrics daemon/control
cli/net             base base/net
cli/postfix         base audit/source
cli/doctor          base base/net base/sign base/valkey policy/list probe/dns probe/smtp probe/tls daemon/config cli/net cli/postfix
cli                 base base/log policy policy/decide policy/report policy/rules probe audit audit/page audit/source audit/tlsrpt daemon/config cli/net cli/postfix cli/doctor
cli/mta             base daemon/config cli/net cli/postfix cli/doctor cli
cli/check           base base/net base/page policy probe/tls probe/tlsrpt check check/watch check/look check/records check/rollover cli
cli/survey          base base/net base/page audit probe survey survey/results survey/queue survey/page cli
cli/tlsrpt          base base/page audit/tlsrpt probe/submit cli cli/postfix
cli/list            base base/page base/sign policy policy/list policy/rules survey/member survey/results cli cli/survey
TABLE
}

# includes: "ROOM INCLUDED-ROOM FILE:LINE" for every include of ours in the product
includes() {
    grep -rnE --include='*.[ch]' '^#include "' base policy probe survey audit check daemon cli |
        sed -E 's|^(([^:]*)/[^/:]*:[0-9]+):#include "([^"]*)/[^"/]*".*|\2 \3 \1|'
}

check_rooms() {
    awk '
        NR == FNR { if (!($1 in known)) known[$1] = 1
                    for (i = 2; i <= NF; i++) {
                        if (!($i in known)) { print "the table: " $1 " names " $i ", which is not above it"; bad = 1 }
                        allowed[$1, $i] = 1
                    }
                    next }
        !($1 in known) { print $3 ": the table of rooms has no " $1; bad = 1; next }
        $1 != $2 && !(($1, $2) in allowed) { print $3 ": " $1 " may not include " $2; bad = 1 }
        { used[$1, $2] = 1 }
        END { for (pair in allowed) if (!(pair in used)) { split(pair, p, SUBSEP); print "the table: " p[1] " does not need " p[2]; bad = 1 }
              exit bad }' <(rooms) <(includes)
}

# breach WHY PATTERN FILES...: what PATTERN finds in FILES is wrong
breach() {
    local why=$1 pattern=$2
    shift 2
    [ $# -gt 0 ] || return 0
    ! grep -nE "$pattern" "$@" /dev/null | sed "s|^|$why: |" | grep .
}

# reached FILES...: these files, and all of ours that they include
reached() {
    local all more
    all=$(printf '%s\n' "$@" | sort -u)
    while more=$( (echo "$all"; sed -nE 's|^#include "([^"]*)".*|\1|p' $all) | sort -u) && [ "$more" != "$all" ]; do
        all=$more
    done
    echo "$all"
}

# files FOLDERS... [! GLOB...]: the C files of the folders whose paths match none of the globs
files() {
    local folders=() not=()
    while [ $# -gt 0 ] && [ "$1" != ! ]; do
        folders+=("$1")
        shift
    done
    shift || true
    for name in "$@"; do not+=(! -path "$name"); done
    find "${folders[@]}" -name '*.[ch]' "${not[@]}" | sort
}

# library NAME PATTERN GLOB...: only the files that match a glob may include what the pattern names
library() {
    local name=$1 pattern=$2
    shift 2
    breach "$name outside $*" "#include <$pattern" $(files base policy probe survey audit check daemon cli ! "$@")
}

check_libraries() {
    local bad=0
    library libuv 'uv\.h>' 'base/valkey/*_uv.[ch]' 'probe/*_uv.[ch]' 'survey/*_uv.[ch]' 'check/*_uv.[ch]' 'daemon/*' 'cli/*' || bad=1
    library OpenSSL 'openssl/' 'probe/tls/*' base/mac.c base/sign/minisign.c base/valkey/valkey_tls.c || bad=1
    library hiredis 'hiredis/' 'base/valkey/*' || bad=1
    library curl 'curl/' probe/https/https_uv.c || bad=1
    library SQLite 'sqlite3' base/sql/sql.c || bad=1
    library libmicrohttpd 'microhttpd' daemon/metrics/metrics.c || bad=1
    library libpsl 'libpsl' base/net/base_domain.c || bad=1
    library libarchive 'archive' audit/source/source_unpack.c || bad=1
    library liblzma 'lzma' audit/source/source_unpack.c || bad=1
    library zlib 'zlib' audit/source/source_unpack.c audit/tlsrpt/tlsrpt_file.c || bad=1
    library libseccomp 'seccomp' daemon/sandbox/seccomp_filter.c || bad=1
    breach "probe includes more of policy than evidence.h" '#include "policy/(.*/|[^e]|e[^v])' $(files probe) || bad=1
    breach "cli includes more of daemon than config.h" '#include "daemon/(config/config[^.]|[^c]|c[^o])' $(files cli) || bad=1
    breach "libuv in the command beside its own lookups" '#include <uv\.h>' \
        $(reached $(files cli daemon/config ! cli/local.c cli/doctor/doctor_net.c)) || bad=1
    breach "a level decided outside policy: see policy/decide/verdict.h" '[.>]level = VERDICT_' \
        $(files base probe daemon cli) || bad=1
    breach "clock, environment or socket in policy" \
        'clock_gettime|gettimeofday|[^_]time\(|getenv|socket\(|clock_monotonic|clock_wall' $(files policy ! '*.h') || bad=1
    breach "clock outside base/clock.c" 'clock_gettime|gettimeofday' $(files base policy probe survey audit check daemon cli ! base/clock.c) || bad=1
    return $bad
}

check_folders() {
    find base policy probe survey audit check daemon cli tests contrib docs -path tests/fuzz/corpus -prune -o -name __pycache__ -prune -o -type f -print |
        sed 's|/[^/]*$||' | sort | uniq -c |
        awk -v max=$FOLDER_MAX '$1 > max { print $2 " has " $1 " files: more than " max " need rooms"; bad = 1 } END { exit bad }'
}

breaches=0
check_rooms || breaches=1
check_libraries || breaches=1
check_folders || breaches=1
exit $breaches
