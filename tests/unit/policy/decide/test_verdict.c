/* The decision: the table of docs/verdicts.md §3 case by case, and how long each answer is kept. */
#include "tests/unit/support/rows.h"

#include "tests/unit/support/evidence_make.h"
#include "policy/decide/verdict.h"

enum {
    OPEN = 1 << 0,      /* the lookup is still under way */
    NO_DANE = 1 << 1,   /* dane = no */
    DANE_ONLY = 1 << 2, /* partial-dane = dane-only */
    DANE_DANE = 1 << 3, /* partial-dane = dane */
    TESTING = 1 << 4,   /* testing = enforce */
    NO_PROBE = 1 << 5,  /* probe = no */
    NO_VERIFY = 1 << 6, /* probe-level = encrypt */
    MX_CUT = 1 << 7,    /* more MX hosts than were looked at */
    TLSA_CUT = 1 << 8,  /* more TLSA records at the first host than were looked at */
    SHORT = 1 << 9,     /* a TLSA record of 3 octets at the first host */
    WAITS = 1 << 10,    /* wanted: not settled */
    DUE = 1 << 11,      /* open, and the answer is due */
    KNOWN = 1 << 12     /* the addresses of hosts that are unknown have been answered */
};

struct row {
    const char *name;
    enum mx_state mx;
    bool secure;
    const char *hosts;
    char sts;
    const char *probes;
    int flags;
    enum verdict_level level;
    enum verdict_reason reason;
};

#define SIGNED MX_LISTED, true
#define PLAIN  MX_LISTED, false
#define NF     VERDICT_NO_OPINION
#define ENC    VERDICT_ENCRYPT
#define VER    VERDICT_VERIFY
#define SEC    VERDICT_SECURE
#define DA     VERDICT_DANE
#define DO     VERDICT_DANE_ONLY
#define TMP    VERDICT_TEMP

static const struct row rows[] = {
    /* the table, cell by cell */
    {"FULL, none", SIGNED, "UU", 'n', "", 0, DO, REASON_DANE_FULL},
    {"A-39 FULL, enforce", SIGNED, "UU", 'E', "", 0, DO, REASON_DANE_FULL},
    {"MIXED, none", SIGNED, "UN", 'n', "", 0, DA, REASON_DANE_MIXED},
    {"MIXED, enforce", SIGNED, "UN", 'E', "", 0, DO, REASON_DANE_MIXED_STS},
    {"MIXED of usable and unusable", SIGNED, "UB", 'n', "", 0, DA, REASON_DANE_MIXED},
    {"UNUSABLE everywhere, none", SIGNED, "BB", 'n', "", 0, ENC, REASON_DANE_UNUSABLE},
    {"UNUSABLE at some, none", SIGNED, "BN", 'n', "", 0, DA, REASON_DANE_UNUSABLE},
    {"UNUSABLE, enforce", SIGNED, "BB", 'E', "", 0, SEC, REASON_STS_ENFORCE},
    {"UNSIGNED, none", PLAIN, "UU", 'n', "", 0, DA, REASON_DANE_UNSIGNED},
    {"UNSIGNED, enforce", PLAIN, "UU", 'E', "", 0, SEC, REASON_STS_ENFORCE},
    {"NONE, enforce", SIGNED, "NN", 'E', "V,V", 0, SEC, REASON_STS_ENFORCE},
    {"ERROR, none", SIGNED, "EN", 'n', "", 0, DA, REASON_DANE_ERROR},
    {"ERROR, enforce", SIGNED, "EN", 'E', "", 0, TMP, REASON_DANE_ERROR_STS},
    {"ERROR at an unsigned MX, enforce", PLAIN, "EN", 'E', "", 0, SEC, REASON_STS_ENFORCE},
    {"ERROR at an unsigned MX, none", PLAIN, "EN", 'n', "", 0, DA, REASON_DANE_ERROR},
    {"unusable beside error is ERROR", SIGNED, "BE", 'n', "", 0, DA, REASON_DANE_ERROR},

    /* A: MTA-STS */
    {"A-1 enforce", PLAIN, "N", 'E', "C", 0, SEC, REASON_STS_ENFORCE},
    {"A-2 no TXT record", PLAIN, "N", 'n', "C", 0, NF, REASON_CLEAR},
    {"A-9 a bad TXT record", PLAIN, "N", 'r', "C", 0, NF, REASON_CLEAR},
    {"A-12 a bad policy", PLAIN, "N", 'b', "C", 0, NF, REASON_CLEAR},
    {"A-15 mode none", PLAIN, "N", '0', "C", 0, NF, REASON_CLEAR},
    {"A-16 mode testing", PLAIN, "N", 'T', "C", 0, NF, REASON_CLEAR},
    {"A-16 mode testing, testing = enforce", PLAIN, "N", 'T', "C", TESTING, SEC,
     REASON_STS_TESTING},
    {"A-16 testing = enforce leaves mode none", PLAIN, "N", '0', "C", TESTING, NF, REASON_CLEAR},
    {"A-16 testing = enforce leaves mode enforce", PLAIN, "N", 'E', "C", TESTING, SEC,
     REASON_STS_ENFORCE},
    {"A-16 testing enforced and FULL", SIGNED, "U", 'T', "", TESTING, DO, REASON_DANE_FULL},
    {"A-16 testing enforced and MIXED", SIGNED, "UN", 'T', "", TESTING, DO, REASON_DANE_MIXED_STS},
    {"A-17 max_age 0 is good for this answer", PLAIN, "N", 'Z', "C", 0, SEC, REASON_STS_ENFORCE},
    {"A-21 no policy could be fetched", PLAIN, "N", 'f', "C", 0, NF, REASON_CLEAR},
    {"A-31 [host] without MTA-STS", MX_SELF, false, "N", '-', "T", 0, ENC, REASON_TLS},
    {"A-33 the TXT lookup failed, nothing remembered", PLAIN, "N", 'd', "T", 0, ENC, REASON_TLS},
    {"A-34 a policy past its max_age", PLAIN, "N", 'X', "C", 0, NF, REASON_CLEAR},

    /* B: DANE */
    {"B-1 all signed", SIGNED, "U", 'n', "", 0, DO, REASON_DANE_FULL},
    {"B-2 MX unsigned", PLAIN, "U", 'n', "", 0, DA, REASON_DANE_UNSIGNED},
    {"B-3 addresses unsigned", SIGNED, "N", 'n', "C", 0, NF, REASON_CLEAR},
    {"B-3 addresses unsigned, enforce", SIGNED, "N", 'E', "C", 0, SEC, REASON_STS_ENFORCE},
    {"B-5 TLSA lookup failed", SIGNED, "E", 'n', "V", 0, DA, REASON_DANE_ERROR},
    {"B-5 TLSA lookup failed, enforce", SIGNED, "E", 'E', "V", 0, TMP, REASON_DANE_ERROR_STS},
    {"B-9 only usages 0 and 1", SIGNED, "B", 'n', "C", 0, ENC, REASON_DANE_UNUSABLE},
    {"B-13 one FULL, one NONE", SIGNED, "UN", 'n', "", 0, DA, REASON_DANE_MIXED},
    {"B-13 one FULL, one NONE, enforce", SIGNED, "NU", 'E', "", 0, DO, REASON_DANE_MIXED_STS},
    {"B-13 partial-dane = dane-only", SIGNED, "UN", 'n', "", DANE_ONLY, DO, REASON_DANE_MIXED},
    {"B-13 partial-dane = dane, enforce", SIGNED, "UN", 'E', "", DANE_DANE, DA, REASON_DANE_MIXED},
    {"B-14 one TLSA, one dead", SIGNED, "UD", 'n', "", 0, DO, REASON_DANE_FULL},
    {"B-15 one TLSA, one lost", SIGNED, "LU", 'n', "", 0, DO, REASON_DANE_FULL},
    {"B-15 one TLSA, one in error", SIGNED, "UE", 'n', "", 0, DO, REASON_DANE_FULL},
    {"B-15 one TLSA, one in error, MX unsigned", PLAIN, "UE", 'n', "", 0, DA, REASON_DANE_UNSIGNED},
    {"B-15 TLSA, error and none", SIGNED, "UEN", 'n', "", 0, DA, REASON_DANE_MIXED},
    {"B-17 MX lookup failed", MX_ERROR, false, "", 'n', "", 0, TMP, REASON_MX_ERROR},
    {"B-17 MX lookup failed, enforce", MX_ERROR, false, "", 'E', "", 0, TMP, REASON_MX_ERROR},
    {"B-17 MX lookup failed, dane = no", MX_ERROR, false, "", 'E', "", NO_DANE, TMP,
     REASON_MX_ERROR},
    {"B-17 all hosts lost", SIGNED, "LD", 'n', "", 0, DA, REASON_DANE_ERROR},
    {"B-18 implicit MX, signed", MX_IMPLICIT, true, "U", 'n', "", 0, DO, REASON_DANE_FULL},
    {"B-19 implicit MX, unsigned denial", MX_IMPLICIT, false, "U", 'n', "", 0, DO,
     REASON_DANE_FULL},
    {"B-20 NXDOMAIN", MX_NXDOMAIN, false, "", '?', "", OPEN, NF, REASON_NXDOMAIN},
    {"B-31 [host]:587", MX_SELF, false, "U", '-', "", 0, DO, REASON_DANE_FULL},
    {"B-40 partly usable at an unsigned MX", PLAIN, "UN", 'n', "T,T", 0, ENC, REASON_TLS},
    {"B-40 partly usable at an unsigned MX, enforce", PLAIN, "UN", 'E', "T,T", 0, SEC,
     REASON_STS_ENFORCE},
    {"B-40 unusable at an unsigned MX", PLAIN, "B", 'n', "C", 0, NF, REASON_CLEAR},

    /* dane = no: Postfix would not look at TLSA */
    {"dane = no, FULL", SIGNED, "U", 'n', "V", NO_DANE, VER, REASON_VERIFIED},
    {"dane = no, FULL, enforce", SIGNED, "U", 'E', "V", NO_DANE, SEC, REASON_STS_ENFORCE},
    {"dane = no, ERROR", SIGNED, "E", 'n', "C", NO_DANE, NF, REASON_CLEAR},
    {"dane = no, all hosts lost", SIGNED, "L", 'n', "", NO_DANE, NF, REASON_UNPROBED},
    {"dane = no, all hosts dead", SIGNED, "D", 'n', "", NO_DANE, NF, REASON_NO_HOST},
    {"dane = no, short TLSA", SIGNED, "U", 'n', "T", NO_DANE | SHORT, ENC, REASON_TLS},

    /* C-2, a TLSA record of 3 octets */
    {"C-2 short TLSA, FULL", SIGNED, "U", 'n', "", SHORT, ENC, REASON_DANE_SHORT},
    {"C-2 short TLSA, FULL, enforce", SIGNED, "U", 'E', "", SHORT, SEC, REASON_DANE_SHORT},
    {"C-2 short TLSA, MIXED", SIGNED, "UN", 'n', "", SHORT, ENC, REASON_DANE_SHORT},
    {"C-2 short TLSA, UNUSABLE", SIGNED, "B", 'n', "", SHORT, ENC, REASON_DANE_UNUSABLE},
    {"C-2 short TLSA, UNUSABLE at some", SIGNED, "BN", 'n', "", SHORT, ENC, REASON_DANE_SHORT},
    {"C-2 short TLSA, UNSIGNED", PLAIN, "U", 'n', "", SHORT, ENC, REASON_DANE_SHORT},
    {"C-2 short TLSA, UNSIGNED, enforce", PLAIN, "U", 'E', "", SHORT, SEC, REASON_STS_ENFORCE},
    {"C-2 short TLSA at a dead host", SIGNED, "DU", 'n', "", SHORT, DO, REASON_DANE_FULL},
    {"C-2 short TLSA, NONE", PLAIN, "BU", 'n', "T,T", SHORT, ENC, REASON_TLS},

    /* E: null MX */
    {"E-1 null MX", MX_NULL, false, "", '-', "", 0, NF, REASON_NULL_MX},
    {"E-5 null MX and a policy", MX_NULL, false, "", 'E', "", 0, NF, REASON_NULL_MX},

    /* F: MX */
    {"F-7 a host without address", PLAIN, "ND", 'n', "T,", 0, ENC, REASON_TLS},
    {"F-8 no host with an address", SIGNED, "DD", 'n', "", 0, NF, REASON_NO_HOST},
    {"F-8 no host name among the records", MX_UNUSABLE, false, "", 'n', "", 0, NF, REASON_NO_HOST},
    {"F-8 no host with an address, enforce", SIGNED, "D", 'E', "", 0, SEC, REASON_STS_ENFORCE},
    {"F-10 more MX than looked at, FULL", SIGNED, "UU", 'n', "", MX_CUT, DA, REASON_DANE_TRUNCATED},
    {"F-10 more MX than looked at, FULL, enforce", SIGNED, "UU", 'E', "", MX_CUT, DA,
     REASON_DANE_TRUNCATED},
    {"F-10 more MX than looked at, MIXED", SIGNED, "UN", 'n', "", MX_CUT, DA, REASON_DANE_MIXED},
    {"F-10 more MX than looked at, MIXED, enforce", SIGNED, "UN", 'E', "", MX_CUT, SEC,
     REASON_DANE_TRUNCATED},
    {"F-10 more MX than looked at, partial-dane", SIGNED, "UN", 'n', "", MX_CUT | DANE_ONLY, DA,
     REASON_DANE_TRUNCATED},
    {"hostile 21 more TLSA than looked at", SIGNED, "UU", 'n', "", TLSA_CUT, DA,
     REASON_DANE_TRUNCATED},
    {"hostile 21 more TLSA at a dead host", SIGNED, "DU", 'n', "", TLSA_CUT, DO, REASON_DANE_FULL},

    /* G: STARTTLS */
    {"G-1 TLS at the only address", PLAIN, "N", 'n', "T", 0, ENC, REASON_TLS},
    {"G-1 verified everywhere", PLAIN, "NN", 'n', "V,VV", 0, VER, REASON_VERIFIED},
    {"G-1 verified everywhere, probe-level = encrypt", PLAIN, "N", 'n', "V", NO_VERIFY, ENC,
     REASON_VERIFIED},
    {"G-1 verified and TLS", PLAIN, "NN", 'n', "V,T", 0, ENC, REASON_TLS},
    {"G-2 nobody offers it", PLAIN, "NN", 'n', "C,C", 0, NF, REASON_CLEAR},
    {"G-4 STARTTLS answered 4xx", PLAIN, "N", 'n', "P", 0, NF, REASON_CLEAR},
    {"G-4 STARTTLS answered 5xx", PLAIN, "N", 'n', "R", 0, NF, REASON_REFUSED},
    {"G-4 5xx at one address vetoes", PLAIN, "NN", 'n', "VV,R", 0, NF, REASON_REFUSED},
    {"G-5 handshake fails", PLAIN, "N", 'n', "B", 0, NF, REASON_CLEAR},
    {"G-8 an error does not count", PLAIN, "N", 'n', "TX", 0, ENC, REASON_TLS},
    {"G-11 only errors", PLAIN, "N", 'n', "X", 0, NF, REASON_UNPROBED},
    {"G-13 one address without TLS", PLAIN, "NN", 'n', "VT,TC", 0, NF, REASON_PARTLY},
    {"G-13 silence does not count", PLAIN, "NN", 'n', "VS,S", 0, VER, REASON_VERIFIED},
    {"G-13 nobody answered", PLAIN, "NN", 'n', "S,S", 0, NF, REASON_UNPROBED},
    {"hostile 11 never connected to", PLAIN, "N", 'n', "K", 0, NF, REASON_UNPROBED},
    {"probe = no", PLAIN, "N", 'n', "V", NO_PROBE, NF, REASON_UNPROBED},
    {"a lost host's address does not count", PLAIN, "NL", 'n', "T,C", 0, ENC, REASON_TLS},

    /* evidence that is not complete: docs/verdicts.md §5 */
    {"open: nothing known", MX_UNKNOWN, false, "", '?', "", OPEN | WAITS, TMP, REASON_PENDING},
    {"open: nothing known but a policy", MX_UNKNOWN, false, "", 'E', "", OPEN | WAITS, TMP,
     REASON_PENDING},
    {"open: FULL answers at once", SIGNED, "U", '?', "?", OPEN, DO, REASON_DANE_FULL},
    {"open: FULL, truncated, answers at once", SIGNED, "U", '?', "?", OPEN | MX_CUT, DA,
     REASON_DANE_TRUNCATED},
    {"open: a host unknown", SIGNED, "U?", 'E', "?", OPEN | WAITS, TMP, REASON_PENDING},
    {"open: MIXED waits for MTA-STS", SIGNED, "UN", '?', "?,?", OPEN | WAITS, DA,
     REASON_DANE_MIXED},
    {"open: MIXED with partial-dane does not", SIGNED, "UN", '?', "?,?", OPEN | DANE_ONLY, DO,
     REASON_DANE_MIXED},
    {"open: UNUSABLE waits", SIGNED, "B", '?', "?", OPEN | WAITS, ENC, REASON_DANE_UNUSABLE},
    {"open: UNSIGNED waits", PLAIN, "U", '?', "?", OPEN | WAITS, DA, REASON_DANE_UNSIGNED},
    {"open: ERROR waits", SIGNED, "E", '?', "?", OPEN | WAITS, DA, REASON_DANE_ERROR},
    {"open: MX_ERROR answers at once", MX_ERROR, false, "", '?', "", OPEN, TMP, REASON_MX_ERROR},
    {"open: no host waits", SIGNED, "D", '?', "", OPEN | WAITS, NF, REASON_NO_HOST},
    {"open: enforce does not wait for probes", PLAIN, "N", 'E', "?", OPEN, SEC, REASON_STS_ENFORCE},
    {"open: no policy waits for probes", PLAIN, "NN", 'n', "V,?", OPEN | WAITS, NF,
     REASON_DEADLINE},
    {"open: probes done, MTA-STS waited for", PLAIN, "N", '?', "V", OPEN | WAITS, VER,
     REASON_VERIFIED},
    {"open: probes done, nobody answered", PLAIN, "N", '?', "S", OPEN | WAITS, NF, REASON_UNPROBED},
    {"open: all done", PLAIN, "N", 'n', "T", OPEN, ENC, REASON_TLS},
    {"open: 5xx settles", PLAIN, "NN", 'n', "R,?", OPEN, NF, REASON_REFUSED},
    {"open: probe = no does not wait", PLAIN, "N", 'n', "?", OPEN | NO_PROBE, NF, REASON_UNPROBED},
    {"open: dane = no and enforce wait for no host", SIGNED, "?", 'E', "", OPEN | NO_DANE, SEC,
     REASON_STS_ENFORCE},
    {"open: dane = no, host unknown", SIGNED, "?", 'n', "", OPEN | NO_DANE | WAITS, NF,
     REASON_DEADLINE},
    {"open: dane = no, probe = no, host unknown", SIGNED, "?", 'n', "",
     OPEN | NO_DANE | NO_PROBE | WAITS, NF, REASON_DEADLINE},
    {"open: short TLSA waits", SIGNED, "U", '?', "", OPEN | SHORT | WAITS, ENC, REASON_DANE_SHORT},
    {"due: MX unknown", MX_UNKNOWN, false, "", 'n', "", DUE | WAITS, TMP, REASON_PENDING},
    {"B-41 FULL and a pending backup", SIGNED, "U?", 'n', "V", DUE | WAITS, DO, REASON_DANE_FULL},
    {"B-41 FULL and a pending backup, MTA-STS pending", SIGNED, "U?", '?', "V", DUE | WAITS, DO,
     REASON_DANE_FULL},
    {"B-41 FULL and a backup's TLSA pending", SIGNED, "U?", 'n', "V", DUE | WAITS | KNOWN, DO,
     REASON_DANE_FULL},
    {"B-41 no TLSA and a pending backup", SIGNED, "N?", 'n', "T", DUE | WAITS, ENC, REASON_TLS},
    {"B-41 no TLSA, a backup's TLSA pending", SIGNED, "N?", 'n', "T", DUE | WAITS | KNOWN, DA,
     REASON_DANE_ERROR},
    {"B-41 unsigned, verified, and a pending backup", PLAIN, "N?", 'n', "V", DUE | WAITS, VER,
     REASON_VERIFIED},
    {"B-41 MIXED and a pending backup", SIGNED, "UN?", 'n', "", DUE | WAITS, DA, REASON_DANE_MIXED},
    {"B-41 MIXED and a pending backup, enforce", SIGNED, "UN?", 'E', "", DUE | WAITS, DO,
     REASON_DANE_MIXED_STS},
    {"B-41 UNSIGNED and a pending backup", PLAIN, "U?", 'n', "", DUE | WAITS, DA,
     REASON_DANE_UNSIGNED},
    {"B-41 UNUSABLE and a pending backup", SIGNED, "B?", 'n', "", DUE | WAITS, ENC,
     REASON_DANE_UNUSABLE},
    {"B-41 no TLSA and a pending backup, enforce", SIGNED, "N?", 'E', "", DUE | WAITS, SEC,
     REASON_STS_ENFORCE},
    {"B-41 a backup's TLSA pending, enforce", SIGNED, "N?", 'E', "", DUE | WAITS | KNOWN, TMP,
     REASON_DANE_ERROR_STS},
    {"B-41 unsigned, a backup's TLSA pending, enforce", PLAIN, "N?", 'E', "", DUE | WAITS | KNOWN,
     SEC, REASON_STS_ENFORCE},
    {"due: only pending hosts", SIGNED, "??", 'n', "", DUE | WAITS, DA, REASON_DANE_ERROR},
    {"due: only pending hosts, enforce", SIGNED, "?", 'E', "", DUE | WAITS, TMP,
     REASON_DANE_ERROR_STS},
    {"due: a probe of a host that answered is awaited", PLAIN, "NN?", 'n', "V,?", DUE | WAITS, NF,
     REASON_DEADLINE},
    {"due: dead beside pending", SIGNED, "D?", 'n', "", DUE | WAITS, DA, REASON_DANE_ERROR},
    {"due: dane = no and a pending backup", SIGNED, "N?", 'n', "T", DUE | WAITS | NO_DANE, ENC,
     REASON_TLS},
    {"due: MTA-STS alone is pending", PLAIN, "N", '?', "V", DUE | WAITS, VER, REASON_VERIFIED},
    {"due: nothing is pending", PLAIN, "N", 'n', "V", DUE, VER, REASON_VERIFIED},
    {"complete: a host of unknown addresses is dead", SIGNED, "N?", 'n', "T", 0, ENC, REASON_TLS},
    {"complete: a host of unknown TLSA is an error", SIGNED, "N?", 'n', "T", KNOWN, DA,
     REASON_DANE_ERROR},
    {"complete: an unknown host is an error", SIGNED, "U?", 'n', "", 0, DO, REASON_DANE_FULL},
    {"complete: only unknown hosts", SIGNED, "?", 'n', "", 0, DA, REASON_DANE_ERROR},
    {"complete: unknown MX is an error", MX_UNKNOWN, false, "", '?', "", 0, TMP, REASON_MX_ERROR},
    {"complete: unknown MTA-STS is none", PLAIN, "N", '?', "T", 0, ENC, REASON_TLS},
    {"complete: unknown probes do not count", PLAIN, "N", 'n', "T?", 0, ENC, REASON_TLS},
};

static struct verdict_options options_of(int flags)
{
    struct verdict_options options = make_options();

    options.dane = !(flags & NO_DANE);
    options.probe = !(flags & NO_PROBE);
    options.verify = !(flags & NO_VERIFY);
    options.testing_enforced = (flags & TESTING) != 0;
    options.partial_dane = flags & DANE_ONLY   ? PARTIAL_DANE_ONLY
                           : flags & DANE_DANE ? PARTIAL_DANE_OPPORTUNISTIC
                                               : PARTIAL_DANE_TABLE;
    return options;
}

static void decide_row(struct verdict *verdict, struct made *made, const struct row *row)
{
    struct verdict_options options = options_of(row->flags);

    make_evidence(made, row->mx, row->secure, row->hosts, row->sts, row->probes);
    made->evidence.complete = !(row->flags & (OPEN | DUE));
    made->evidence.mx_truncated = (row->flags & MX_CUT) != 0;
    made->hosts[0].tlsa_truncated = (row->flags & TLSA_CUT) != 0;
    made->hosts[0].tlsa_short = (row->flags & SHORT) != 0;
    for (size_t i = 0; i < made->evidence.host_count; i++)
        made->hosts[i].addresses_known |= (row->flags & KNOWN) != 0;
    if (row->flags & DUE)
        verdict_decide_at_deadline(verdict, &made->evidence, NULL, &options, MAKE_NOW);
    else
        verdict_decide(verdict, &made->evidence, NULL, &options, MAKE_NOW);
}

static void test_row(void **state)
{
    const struct row *row = *state;
    struct made made;
    struct verdict got;

    decide_row(&got, &made, row);
    assert_string_equal(verdict_level_name(got.level), verdict_level_name(row->level));
    assert_string_equal(verdict_reason_code(got.reason), verdict_reason_code(row->reason));
    assert_int_equal(got.settled, !(row->flags & WAITS));
    if (!got.settled)
        assert_true(got.valid_until == MAKE_NOW + 1000);
}

/* ---- how long ---- */

struct life {
    const char *name;
    const char *hosts;
    char sts;
    const char *probes;
    int64_t want_ms;
    void (*change)(struct made *made, struct verdict_options *options);
};

#define S 1000
#define H (3600 * S)

CHANGE(nothing, (void)0)
CHANGE(mx_600, made->evidence.mx_ttl = 600)
CHANGE(mx_week, made->evidence.mx_ttl = made->hosts[0].ttl = 7 * 86400)
CHANGE(mx_5, made->evidence.mx_ttl = 5)
CHANGE(mx_0, made->evidence.mx_ttl = 0)
CHANGE(mx_2_31, made->evidence.mx_ttl = 0x80000000)
CHANGE(mx_2_31_less_1, made->evidence.mx_ttl = 0x7fffffff)
CHANGE(mx_unused, made->evidence.mx_ttl = UINT32_MAX)
CHANGE(host_300, made->hosts[1].ttl = 300)
CHANGE(host_unused, made->hosts[0].ttl = UINT32_MAX; made->evidence.mx_ttl = UINT32_MAX)
CHANGE(txt_120, made->evidence.sts.ttl = 120)
CHANGE(txt_0, made->evidence.sts.ttl = 0)
CHANGE(policy_ends_in_10s, made->evidence.sts.valid_until = MAKE_NOW + 10 * S)
CHANGE(policy_ends_in_1ms, made->evidence.sts.valid_until = MAKE_NOW + 1)
CHANGE(policy_ends_in_half_an_hour, made->evidence.sts.valid_until = MAKE_NOW + H / 2)
CHANGE(retry_in_5_min, made->evidence.sts.retry_at = MAKE_NOW + 300 * S)
CHANGE(retry_past, made->evidence.sts.retry_at = MAKE_NOW - 1)
CHANGE(probe_900, made->addresses[0][1].starttls.valid_until = MAKE_NOW + 900 * S)
CHANGE(probe_past, made->addresses[0][1].starttls.valid_until = MAKE_NOW - 5)
CHANGE(day, made->evidence.mx_ttl = made->hosts[0].ttl = made->evidence.sts.ttl = 86400)
CHANGE(no_txt_day, day(made, options); made->evidence.sts.ttl = UINT32_MAX)
CHANGE(retry_in_5_min_day, day(made, options); retry_in_5_min(made, options))
CHANGE(temp_20, options->temp_ttl_ms = 20 * S)
CHANGE(temp_mx_5, made->evidence.mx = MX_ERROR; made->evidence.mx_ttl = 5)
CHANGE(temp_mx_0, made->evidence.mx = MX_ERROR; made->evidence.mx_ttl = 0)
CHANGE(temp_mx, made->evidence.mx = MX_ERROR; made->evidence.mx_ttl = UINT32_MAX)
CHANGE(nxdomain_day, made->evidence.mx = MX_NXDOMAIN; made->evidence.mx_ttl = 86400)
CHANGE(null_mx_day, made->evidence.mx = MX_NULL; made->evidence.mx_ttl = 86400)
CHANGE(implicit_day, made->evidence.mx = MX_IMPLICIT; made->evidence.mx_ttl = 86400;
       made->hosts[0].ttl = 86400)
CHANGE(no_tlsa_day, day(made, options); made->hosts[0].address_secure = true)
CHANGE(floor_10_min, options->ttl_min_ms = 600 * S)
CHANGE(wildcard_hosts, day(made, options); options->wildcard_hosts = true)
CHANGE(wildcard_mx_600, wildcard_hosts(made, options); mx_600(made, options))
CHANGE(wildcard_mx_5, wildcard_hosts(made, options); mx_5(made, options))
CHANGE(wildcard_mx_0, wildcard_hosts(made, options); mx_0(made, options))
CHANGE(wildcard_mx_unused, wildcard_hosts(made, options); mx_unused(made, options))
CHANGE(no_wildcard_mx_5, wildcard_mx_5(made, options); made->policy.mx_count = 1)

static const struct life lives[] = {
    {"C-5 smallest TTL: all alike", "UU", 'n', "", H, nothing},
    {"C-5 smallest TTL: MX", "UU", 'n', "", 600 * S, mx_600},
    {"C-5 smallest TTL: a host", "UU", 'n', "", 300 * S, host_300},
    {"C-5 no TTL of its own: MX", "UU", 'n', "", H, mx_unused},
    {"C-5 no TTL at all: the ceiling", "U", 'n', "", 24 * H, host_unused},
    {"a day at most", "U", 'n', "", 24 * H, mx_week},
    {"a minute at least", "U", 'n', "", 60 * S, mx_5},
    {"FULL lives by DNS, not by MTA-STS", "U", 'E', "", H, txt_120},
    {"I-1 NXDOMAIN: its TTL", "", 'n', "", 3 * H, nxdomain_day},
    {"I-3 null MX: three hours at most", "", 'n', "", 3 * H, null_mx_day},
    {"I-3 no host: three hours at most", "D", 'n', "", 3 * H, day},
    {"I-3 no MX record, positive answer", "U", 'n', "", 3 * H, implicit_day},
    {"I-3 no TLSA record, positive answer", "N", 'E', "", 3 * H, no_tlsa_day},
    {"I-3 TLSA never asked: a day", "N", 'E', "", 24 * H, day},
    {"I-3 no TXT record", "B", 'n', "", 3 * H, day},
    {"I-3 NOTFOUND: three hours at most", "N", 'E', "C", 24 * H, day},
    {"I-4 a TLSA lookup failed: five minutes", "UE", 'n', "", 300 * S, nothing},
    {"I-4 and no floor reaches beyond", "UE", 'n', "", 300 * S, floor_10_min},
    {"I-4 an address lookup failed", "UL", 'n', "", 300 * S, nothing},
    {"I-4 the TXT lookup failed", "B", 'd', "", 300 * S, nothing},
    {"I-6 TTL 0: this answer only", "U", 'n', "", 1 * S, mx_0},
    {"I-6 TTL 0 of the TXT record", "N", 'E', "", 1 * S, txt_0},
    {"I-7 TTL 2^31 is 0", "U", 'n', "", 1 * S, mx_2_31},
    {"I-7 TTL 2^31-1 is long", "U", 'n', "", H, mx_2_31_less_1},
    {"A-17 max_age 0: this answer only", "N", 'Z', "", 1 * S, nothing},
    {"A-33 until max_age and no longer", "N", 'E', "", H / 2, policy_ends_in_half_an_hour},
    {"A-33 not even by the floor", "N", 'E', "", 10 * S, policy_ends_in_10s},
    {"A-33 to the millisecond", "N", 'E', "", 1, policy_ends_in_1ms},
    {"A-18 hosts in a wildcard's place: the MX record's TTL", "N", 'E', "", 600 * S,
     wildcard_mx_600},
    {"A-18 without a floor", "N", 'E', "", 5 * S, wildcard_mx_5},
    {"A-18 a TTL of 0", "N", 'E', "", 1 * S, wildcard_mx_0},
    {"A-18 a long TTL limits nothing", "N", 'E', "", 24 * H, wildcard_hosts},
    {"A-18 no MX record", "N", 'E', "", 24 * H, wildcard_mx_unused},
    {"A-18 no wildcard: the floor", "N", 'E', "", 60 * S, no_wildcard_mx_5},
    {"A-18 DANE decides: the floor", "U", 'E', "", 60 * S, wildcard_mx_5},
    {"A-35 a new record is seen when the TXT's TTL ends", "N", 'E', "", 120 * S, txt_120},
    {"A-30 a failed fetch is tried again", "N", 'f', "T", 300 * S, retry_in_5_min},
    {"A-30 a fetch that was never made: hostile 2, 40", "N", 'f', "T", 60 * S, day},
    {"A-30 a fetch that failed, with its back-off", "N", 'f', "T", 300 * S, retry_in_5_min_day},
    {"A-33 a remembered policy without a record", "N", 'E', "", 300 * S, no_txt_day},
    {"the MTA-STS lookup was given up on", "N", '?', "V", 60 * S, day},
    {"where DANE decides it does not matter", "U", '?', "", 24 * H, day},
    {"G-15 a probe was given up on", "N", 'n', "V?", 60 * S, day},
    {"G-15 all probes were given up on", "N", 'n', "?", 60 * S, day},
    {"G-15 an address that is never probed", "N", 'n', "VK", 3 * H, day},
    {"A-30 a time that is past limits nothing", "N", 'f', "T", H, retry_past},
    {"G-14 a probe is repeated", "N", 'n', "TT", 900 * S, probe_900},
    {"G-14 a probe is overdue", "N", 'n', "TT", 60 * S, probe_past},
    {"probes do not count where MTA-STS decides", "N", 'E', "TT", H, probe_900},
    {"probes do not count where DANE decides", "U", 'n', "TT", H, probe_900},
    {"TEMP: a minute", "", 'n', "", 60 * S, temp_mx},
    {"TEMP: temp-ttl", "E", 'E', "", 20 * S, temp_20},
    {"TEMP: no floor", "", 'n', "", 5 * S, temp_mx_5},
    {"TEMP: a second at least", "", 'n', "", 1 * S, temp_mx_0},
};

static void test_life(void **state)
{
    const struct life *life = *state;
    struct verdict_options options = make_options();
    struct made made;
    struct verdict got;

    make_evidence(&made, MX_LISTED, true, life->hosts, life->sts, life->probes);
    made.evidence.complete = true;
    life->change(&made, &options);
    verdict_decide(&got, &made.evidence, NULL, &options, MAKE_NOW);
    assert_int_equal(got.valid_until - MAKE_NOW, life->want_ms);
    assert_true(got.refresh_at < got.valid_until);
    if (life->want_ms >= 1000) {
        assert_true(got.refresh_at >= MAKE_NOW + life->want_ms * 85 / 100);
        assert_true(got.refresh_at <= MAKE_NOW + life->want_ms * 90 / 100);
    }
}

static void test_policy_counts_until_its_end(void **state)
{
    struct verdict_options options = make_options();
    struct made made;
    struct verdict got;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'E', "C");
    made.evidence.complete = true;
    verdict_decide(&got, &made.evidence, NULL, &options, made.evidence.sts.valid_until - 1);
    assert_int_equal(got.level, VERDICT_SECURE);
    assert_true(got.valid_until <= made.evidence.sts.valid_until);
    verdict_decide(&got, &made.evidence, NULL, &options, made.evidence.sts.valid_until);
    assert_int_equal(got.level, VERDICT_NO_OPINION);
}

/* G-13: an address that is still looked up may turn out to have no TLS. */
static void test_unknown_addresses_are_waited_for(void **state)
{
    struct verdict_options options = make_options();
    struct made made;
    struct verdict got;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", 'n', "V");
    made.hosts[0].addresses_known = false;
    verdict_decide(&got, &made.evidence, NULL, &options, MAKE_NOW);
    assert_int_equal(got.reason, REASON_DEADLINE);
    assert_false(got.settled);
    made.evidence.complete = true;
    verdict_decide(&got, &made.evidence, NULL, &options, MAKE_NOW);
    assert_int_equal(got.reason, REASON_VERIFIED);
    assert_true(got.settled);
}

static void test_without_evidence(void **state)
{
    struct verdict got;

    (void)state;
    verdict_without_evidence(&got, REASON_OVERLOAD, 5000);
    assert_int_equal(got.level, VERDICT_TEMP);
    assert_int_equal(got.reason, REASON_OVERLOAD);
    assert_true(got.settled);
    assert_true(got.valid_until == 5000 && got.refresh_at < 5000);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i <= VERDICT_TEMP; i++)
        assert_non_null(verdict_level_name((enum verdict_level)i));
    for (int i = 0; i < REASON_COUNT; i++) {
        assert_non_null(verdict_reason_code((enum verdict_reason)i));
        assert_non_null(verdict_reason_text((enum verdict_reason)i));
    }
    for (int i = 0; i <= DANE_ERROR; i++)
        assert_non_null(dane_state_name((enum dane_state)i));
    for (int i = 0; i <= STARTTLS_SOME_REFUSED; i++)
        assert_non_null(starttls_state_name((enum starttls_state)i));
    assert_string_equal(dane_state_name(DANE_UNSIGNED), "unsigned");
    assert_string_equal(starttls_state_name(STARTTLS_NOBODY), "clear");
}

int main(void)
{
    ROWS_ADD(rows, test_row);
    ROWS_ADD(lives, test_life);
    ROWS_ADD_TEST(test_policy_counts_until_its_end);
    ROWS_ADD_TEST(test_unknown_addresses_are_waited_for);
    ROWS_ADD_TEST(test_without_evidence);
    ROWS_ADD_TEST(test_names);
    return rows_run("verdict");
}
