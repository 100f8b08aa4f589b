#!/bin/bash
# The layer check: who may include what. Prints every breach; exit status 1 when there is one.
# base <- policy <- probe <- daemon, cli; each library in the files that are made for it.
cd "$(dirname "$0")/.." || exit 2
breaches=0

# breach PATTERN FILES...: the includes that PATTERN finds in FILES are wrong
breach() {
    local why=$1 pattern=$2
    shift 2
    [ $# -gt 0 ] || return 0
    if grep -nE "$pattern" "$@" /dev/null | sed "s|^|$why: |" | grep .; then
        breaches=$((breaches + 1))
    fi
}

# files FOLDERS... [! NAME...]: the C files of the folders whose names match none of the globs
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

breach "base includes upwards" '#include "(policy|probe|daemon|cli)/' $(files base)
breach "policy includes upwards" '#include "(probe|daemon|cli)/' $(files policy)
breach "probe includes more of policy than evidence.h" \
    '#include "policy/([^e]|e[^v]|evidence_)' $(files probe)
breach "probe includes upwards" '#include "(daemon|cli)/' $(files probe)
breach "daemon includes cli" '#include "cli/' $(files daemon)
breach "cli includes more of daemon than config.h" '#include "daemon/([^c]|c[^o]|co[^n]|con[^f]|config_)' \
    $(files cli)
breach "libuv outside its files" '#include <uv\.h>' $(files base policy) \
    $(files probe ! '*_uv.c' '*_uv.h')
breach "ldns outside dns_wire.c" '#include <ldns/' $(files base policy daemon cli) \
    $(files probe ! probe/dns/dns_wire.c)
breach "OpenSSL outside probe/tls" '#include <openssl/' $(files base policy daemon cli) \
    $(files probe ! 'probe/tls/*')
breach "curl outside https_uv.c" '#include <curl/' $(files base policy daemon cli) \
    $(files probe ! probe/https/https_uv.c)
breach "SQLite outside daemon/store/store_sqlite.c" '#include <sqlite3' $(files base policy probe cli) \
    $(files daemon ! daemon/store/store_sqlite.c)
breach "libmicrohttpd outside daemon/metrics/metrics_http.c" '#include <microhttpd' $(files base policy probe cli) \
    $(files daemon ! daemon/metrics/metrics_http.c)
breach "libpsl outside base/net/base_domain.c" '#include <libpsl' $(files base policy probe daemon cli ! base/net/base_domain.c)
breach "libseccomp outside daemon/sandbox/seccomp_filter.c" '#include <seccomp' $(files base policy probe cli) \
    $(files daemon ! daemon/sandbox/seccomp_filter.c)
breach "clock, environment or socket in policy" \
    'clock_gettime|gettimeofday|[^_]time\(|getenv|socket\(|clock_monotonic|clock_wall' \
    $(files policy ! '*.h')
breach "clock outside base/clock.c" 'clock_gettime|gettimeofday' \
    $(files base policy probe daemon cli ! base/clock.c)

[ $breaches -eq 0 ]
