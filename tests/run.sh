#!/bin/bash
# Runs every test: layers, manual, dashboard and alerts, format, build, package (built, lintian), unit, pages (in a browser),
# counts (of logs, beside pflogsumm), container (its files agree; tests/container.sh builds and runs it), fuzz smoke, kill (-9, two hundred times), survey (of a generated world), rollover (certbot renews, and mail goes on), lists (a policy list from its making to its end), tlsrpt (reports of a day of mail, and their way), mta (other MTAs do as mxcryptd says), farm (three relays in namespaces of their own), world (ASan+UBSan), world (valgrind). tests/package.sh tries the package on a fresh Debian.
# usage: tests/run.sh [layers|manual|grafana|format|build|package|unit|pages|counts|container|fuzz|kill|survey|rollover|lists|tlsrpt|mta|farm|world|valgrind]...
# The steps named run one after another. Without any, all of them run, those that only compute behind those that wait or measure
# time. Installs what is missing. What cannot be tried on this system is named, "skip NAME: WHY", and not counted as passed. The
# last line is "N passed, N failed", with ", N skipped" where something was; exit status 1 when any failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

CLANG_FORMAT=clang-format-14 # others lay out some lines otherwise
FUZZ_SECONDS=${FUZZ_SECONDS:-5}
jobs=$(nproc)
passed=0
failed=0
skipped=0
logs=build/test-logs

# result NAME STATUS [LOG]: counts one check and shows the log of a failed one
result() {
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok $1"
    else
        failed=$((failed + 1))
        echo "not ok $1"
        [ -z "${3:-}" ] || tail -n 60 "$3"
    fi
}

# skip NAME WHY: counts one check that cannot be made here
skip() {
    skipped=$((skipped + 1))
    echo "skip $1: $2"
}

# counted NAME LOG STATUS: counts the "ok", "not ok" and "skip" lines of a log; a run that died counts as one
counted() {
    local good bad
    good=$(grep -cE '^ok ' "$2")
    bad=$(grep -cE '^not ok ' "$2")
    passed=$((passed + good))
    failed=$((failed + bad))
    skipped=$((skipped + $(grep -cE '^skip ' "$2")))
    grep -E '^skip ' "$2"
    if [ "$3" -ne 0 ] && [ "$bad" -eq 0 ] || [ "$good" -eq 0 ]; then
        failed=$((failed + 1))
        echo "not ok $1: exit status $3 after $good tests"
        tail -n 60 "$2"
    elif [ "$bad" -gt 0 ]; then
        echo "not ok $1: $bad of $((good + bad))"
        grep -E '^not ok ' "$2"
        tail -n 20 "$2"
    else
        echo "ok $1: $good tests"
    fi
}

# build PRESET [counted]: configures and builds, warnings being errors; once in a run, and whoever comes meanwhile waits
build() {
    local status
    {
        flock 9
        [ -e "$logs/built-$1" ] || {
            cmake --preset "$1" -DMXC_WERROR=ON >"$logs/build-$1.log" 2>&1 &&
                cmake --build --preset "$1" -j "$jobs" >>"$logs/build-$1.log" 2>&1 9>&-
            echo $? >"$logs/built-$1"
        }
        status=$(cat "$logs/built-$1")
    } 9>"$logs/build-$1.lock"
    [ -z "${2:-}" ] || result "build $1" "$status" "$logs/build-$1.log"
    return "$status"
}

run_layers() {
    tests/layers.sh >"$logs/layers.log" 2>&1
    result "layers" $? "$logs/layers.log"
}

run_manual() {
    tests/manual.sh >"$logs/manual.log" 2>&1
    result "manual" $? "$logs/manual.log"
}

run_grafana() {
    /usr/bin/python3 tests/grafana.py >"$logs/grafana.log" 2>&1
    result "grafana" $? "$logs/grafana.log"
}

run_format() {
    command -v "$CLANG_FORMAT" >/dev/null || {
        skip "format" "the code is laid out by $CLANG_FORMAT, which this release lacks"
        return
    }
    find base policy probe survey audit check daemon cli tests -name '*.[ch]' -print0 |
        xargs -0 "$CLANG_FORMAT" --dry-run -Werror >"$logs/format.log" 2>&1
    result "format" $? "$logs/format.log"
}

run_build() {
    for preset in release debug asan fuzz; do
        build $preset counted
    done
    build/release/bin/mxcryptd -t -c /dev/null >"$logs/empty.log" 2>&1
    result "an empty configuration is valid" $? "$logs/empty.log"
}

run_package() {
    tests/package.sh build >"$logs/package.log" 2>&1
    counted "package" "$logs/package.log" $?
}

run_unit() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    [ -x build/asan/bin/unit_base ] || { result "unit tests were built" 1; return; }
    side_by_side one_unit build/asan/bin/unit_*
    for program in build/asan/bin/unit_*; do
        local name=${program##*/}
        counted "$name" "$logs/$name.log" "$(cat "$logs/$name.status")"
    done
}

one_unit() {
    CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 "$1" >"$logs/${1##*/}.log" 2>&1
    echo $? >"$logs/${1##*/}.status"
}

run_pages() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    /usr/bin/python3 tests/pictures.py --bin build/asan/bin >"$logs/pages.log" 2>&1
    counted "pages" "$logs/pages.log" $?
    /usr/bin/python3 tests/survey_pages.py --bin build/asan/bin >"$logs/survey-pages.log" 2>&1
    counted "pages of a survey" "$logs/survey-pages.log" $?
    /usr/bin/python3 tests/check_pages.py --bin build/asan/bin >"$logs/check-pages.log" 2>&1
    counted "pages of a check" "$logs/check-pages.log" $?
}

run_counts() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    build debug || { result "build debug" 1 "$logs/build-debug.log"; return; }
    /usr/bin/python3 tests/audit_counts.py --bin build/asan/bin --lean build/debug/bin >"$logs/counts.log" 2>&1
    counted "what audit counts" "$logs/counts.log" $?
}

run_container() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    /usr/bin/python3 tests/container/files.py --bin build/asan/bin >"$logs/container.log" 2>&1
    counted "files of the container" "$logs/container.log" $?
}

one_fuzz() {
    local name=${1##*/} work
    work=$(mktemp -d)
    timeout $((FUZZ_SECONDS + 60)) "$1" -max_total_time="$FUZZ_SECONDS" -timeout=30 \
        -rss_limit_mb=2048 -artifact_prefix="$logs/" "$work" \
        $(ls -d "tests/fuzz/corpus/${name#fuzz_}" 2>/dev/null) >"$logs/$name.log" 2>&1
    echo $? >"$logs/$name.status"
    rm -rf "$work"
}

# side_by_side FUNCTION PROGRAM...: the function for each program, as many at once as there are processors
side_by_side() {
    local function=$1
    shift
    export logs FUZZ_SECONDS
    export -f "$function"
    printf '%s\0' "$@" | xargs -0 -P "$jobs" -I PROGRAM bash -c "$function PROGRAM"
}

run_fuzz() {
    build fuzz || { result "build fuzz" 1 "$logs/build-fuzz.log"; return; }
    side_by_side one_fuzz build/fuzz/bin/fuzz_*
    for program in build/fuzz/bin/fuzz_*; do
        local name=${program##*/}
        result "$name: $FUZZ_SECONDS s" "$(cat "$logs/$name.status")" "$logs/$name.log"
    done
}

run_kill() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    /usr/bin/python3 tests/store_kill.py --bin build/asan/bin >"$logs/kill.log" 2>&1
    counted "store under kill -9" "$logs/kill.log" $?
}

run_survey() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    /usr/bin/python3 tests/survey/selftest.py --bin build/asan/bin >"$logs/survey-selftest.log" 2>&1
    counted "what the survey's proofs are made of" "$logs/survey-selftest.log" $?
    /usr/bin/python3 tests/survey/manners.py --bin build/asan/bin >"$logs/survey-manners.log" 2>&1
    counted "survey: manners" "$logs/survey-manners.log" $?
    /usr/bin/python3 tests/survey/trouble.py --bin build/asan/bin >"$logs/survey-trouble.log" 2>&1
    counted "survey: trouble" "$logs/survey-trouble.log" $?
    /usr/bin/python3 tests/survey/several.py --bin build/asan/bin >"$logs/survey-several.log" 2>&1
    counted "survey of several machines" "$logs/survey-several.log" $?
    /usr/bin/python3 tests/survey_kill.py --bin build/asan/bin --domains 3000 --fewer 0 >"$logs/survey-kill.log" 2>&1
    counted "survey under kill -9" "$logs/survey-kill.log" $?
}

run_rollover() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    /usr/bin/python3 tests/rollover/story.py --bin build/asan/bin >"$logs/rollover.log" 2>&1
    counted "rollover: certbot renews, and mail goes on" "$logs/rollover.log" $?
    /usr/bin/python3 tests/rollover/hooks.py --bin build/asan/bin >"$logs/hooks.log" 2>&1
    counted "rollover: hooks that are killed" "$logs/hooks.log" $?
}

run_lists() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    /usr/bin/python3 tests/lists/story.py --bin build/asan/bin >"$logs/lists.log" 2>&1
    counted "lists: made, used, renewed and expired, with mail" "$logs/lists.log" $?
}

run_tlsrpt() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    /usr/bin/python3 tests/tlsrpt/story.py --bin build/asan/bin >"$logs/tlsrpt.log" 2>&1
    counted "tlsrpt: a day's reports, and their way" "$logs/tlsrpt.log" $?
}

one_mta() {
    /usr/bin/python3 "tests/mta/$1.py" --bin build/asan/bin >"$logs/mta-$1.log" 2>&1
    echo $? >"$logs/mta-$1.status"
}

run_mta() {
    [ "$(id -u)" -eq 0 ] || { skip "mta" "it takes root's rights"; return; }
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    side_by_side one_mta exim sendmail # each in namespaces of its own
    for mta in exim sendmail; do
        counted "mail by $mta" "$logs/mta-$mta.log" "$(cat "$logs/mta-$mta.status")"
    done
}

run_farm() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    /usr/bin/python3 tests/farm/cold.py --bin build/asan/bin >"$logs/farm-cold.log" 2>&1
    counted "farm: cold domains at three relays" "$logs/farm-cold.log" $?
    /usr/bin/python3 tests/farm/holds.py --bin build/asan/bin >"$logs/farm-holds.log" 2>&1
    counted "farm: a hold at three relays, with mail" "$logs/farm-holds.log" $?
    /usr/bin/python3 tests/farm/faults.py --bin build/asan/bin --short --only frozen,cut_off,flushed,of_other_types,clock_off,killed_at_random >"$logs/farm-faults.log" 2>&1
    counted "farm: faults, with mail" "$logs/farm-faults.log" $?
}

run_world() {
    build asan || { result "build asan" 1 "$logs/build-asan.log"; return; }
    /usr/bin/python3 tests/world/run.py --bin build/asan/bin >"$logs/world.log" 2>&1
    counted "world" "$logs/world.log" $?
    sed -n '/^rows/,$p' "$logs/world.log" | grep -vE '^[0-9]+ passed'
}

run_valgrind() {
    build debug || { result "build debug" 1 "$logs/build-debug.log"; return; }
    /usr/bin/python3 tests/world/run.py --bin build/debug/bin --valgrind --every 2 >"$logs/valgrind.log" 2>&1
    counted "world under valgrind" "$logs/valgrind.log" $?
}

steps() {
    for name in "$@"; do
        "run_$name"
    done
}

# behind STEP...: the steps with no more processor time than the others leave; for those that only compute
behind() {
    passed=0 failed=0 skipped=0
    chrt --idle --pid 0 $BASHPID || renice -n 19 -p $BASHPID >/dev/null
    steps "$@"
    echo $passed $failed $skipped >"$logs/behind.count"
}

# all of them; fuzz is the first of those behind, where the others wait most: it ends by the clock, whatever it got done
everything() {
    local lane more
    steps layers manual grafana format
    build asan
    set -m # a process group of its own, which can be ended
    behind fuzz build package counts pages container kill </dev/null >"$logs/behind.log" 2>&1 &
    lane=$!
    set +m
    trap "kill -- -$lane 2>/dev/null" EXIT
    steps unit rollover lists tlsrpt mta survey farm world valgrind
    wait $lane
    trap - EXIT
    cat "$logs/behind.log"
    read -r -a more <"$logs/behind.count" || more=(0 1 0)
    passed=$((passed + more[0])) failed=$((failed + more[1])) skipped=$((skipped + more[2]))
}

contrib/packages.sh test || exit 2
export PYTHONDONTWRITEBYTECODE=1 # or the source changes while the package is made of it
mkdir -p "$logs"
rm -f "$logs"/built-* "$logs/behind.count"
if [ $# -gt 0 ]; then
    steps "$@"
else
    everything
fi
echo "$passed passed, $failed failed$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
