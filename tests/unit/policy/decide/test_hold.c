/*
 * The memory of docs/verdicts.md §4 over time: whole stories, lookup after lookup, each with what
 * the world shows and what Postfix must be told. A level must never sink before its clock says so.
 */
#include "tests/unit/support/rows.h"

#include "tests/unit/support/evidence_make.h"
#include "policy/decide/verdict.h"

enum {
    OPEN = 1 << 0,         /* the lookup is still under way */
    NO_DANE = 1 << 1,      /* dane = no */
    NO_PROBE = 1 << 2,     /* probe = no */
    NO_VERIFY = 1 << 3,    /* probe-level = encrypt */
    NO_HOLD = 1 << 4,      /* hold = 0 */
    SHORT = 1 << 5,        /* a TLSA record of 3 octets at the first host */
    WAITS = 1 << 6,        /* wanted: not settled */
    LONG_EXPIRED = 1 << 7, /* hold-expired longer than hold */
    DUE = 1 << 8           /* the answer is due, and the lookup under way */
};

#define MINUTE   INT64_C(60000)
#define STEP_MAX 14
#define NF       VERDICT_NO_OPINION
#define ENC      VERDICT_ENCRYPT
#define DA       VERDICT_DANE
#define VER      VERDICT_VERIFY
#define SEC      VERDICT_SECURE
#define DO       VERDICT_DANE_ONLY
#define TMP      VERDICT_TEMP
#define H(hours) ((hours)*60)

/* One lookup. MX: S signed, P plain, E error, X NXDOMAIN, 0 null, U no host name, ? not known. */
struct step {
    int minute;
    char mx;
    const char *hosts;
    char sts;
    const char *probes;
    int flags;
    enum verdict_level level;
    enum verdict_reason reason;
    int held_until; /* minute; 0: not held */
    enum verdict_level observed;
};

struct story {
    const char *name;
    struct step steps[STEP_MAX];
};

/* Shorthand for the usual: one host at an unsigned MX without MTA-STS. */
#define SEES(minute, probes, level, reason, until, proven)                                         \
    {                                                                                              \
        minute, 'P', "N", 'n', probes, 0, level, REASON_##reason, until, proven                    \
    }
#define SEES_WITH(flags, minute, probes, level, reason, until, proven)                             \
    {                                                                                              \
        minute, 'P', "N", 'n', probes, flags, level, REASON_##reason, until, proven                \
    }
#define WORLD(minute, mx, hosts, sts, probes, level, reason, until, proven)                        \
    {                                                                                              \
        minute, mx, hosts, sts, probes, 0, level, REASON_##reason, until, proven                   \
    }
#define EARLY(minute, mx, hosts, sts, probes, level, reason, proven)                               \
    {                                                                                              \
        minute, mx, hosts, sts, probes, OPEN | WAITS, level, REASON_##reason, 0, proven            \
    }

#define DUE_THEN(minute, hosts, probes, level, reason, proven)                                     \
    {                                                                                              \
        minute, 'P', hosts, 'n', probes, DUE | OPEN | WAITS, level, REASON_##reason, 0, proven     \
    }

static const struct story stories[] = {
    {"part verifies, the rest is late: no more than was proven of all",
     {WORLD(0, 'P', "NN", 'n', "V,T", ENC, TLS, 0, ENC),
      DUE_THEN(70, "N?", "V,", ENC, STARTTLS_REMEMBERED, ENC)}},
    {"the host that refuses is late",
     {WORLD(0, 'P', "NN", 'n', "T,R", NF, REFUSED, 0, NF),
      DUE_THEN(70, "N?", "T,", NF, DEADLINE, NF)}},
    {"the host that refuses since is late",
     {WORLD(0, 'P', "NN", 'n', "T,T", ENC, TLS, 0, ENC),
      WORLD(60, 'P', "NN", 'n', "T,R", TMP, HELD, 60 + H(48), ENC),
      DUE_THEN(130, "N?", "T,", TMP, STARTTLS_REMEMBERED, ENC)}},
    {"the host that refuses is not asked again: it still refuses",
     {WORLD(0, 'P', "NN", 'n', "T,R", NF, REFUSED, 0, NF),
      WORLD(70, 'P', "N?", 'n', "T,", NF, REFUSED, 0, NF),
      WORLD(80, 'P', "NL", 'n', "V,", NF, REFUSED, 0, NF),
      WORLD(90, 'P', "NN", 'n', "T,T", ENC, TLS, 0, ENC)}},
    {"the same while held: mail waits until it is asked",
     {WORLD(0, 'P', "NN", 'n', "T,T", ENC, TLS, 0, ENC),
      WORLD(60, 'P', "NN", 'n', "T,R", TMP, HELD, 60 + H(48), ENC),
      WORLD(70, 'P', "N?", 'n', "T,", TMP, HELD, 60 + H(48), ENC),
      WORLD(80, 'P', "NN", 'n', "T,T", ENC, TLS, 0, ENC)}},
    {"the host that refuses is asked again, another is not",
     {WORLD(0, 'P', "NN", 'n', "T,R", NF, REFUSED, 0, NF),
      WORLD(70, 'P', "?N", 'n', ",T", ENC, TLS, 0, ENC),
      WORLD(80, 'P', "N?", 'n', "T,", ENC, TLS, 0, ENC)}},
    {"the host that refuses falls silent, or is no MX host any more",
     {WORLD(0, 'P', "NN", 'n', "T,R", NF, REFUSED, 0, NF),
      WORLD(70, 'P', "NN", 'n', "T,S", ENC, TLS, 0, ENC),
      WORLD(80, 'P', "NN", 'n', "T,R", TMP, HELD, 80 + H(48), ENC),
      WORLD(90, 'P', "N", 'n', "T", ENC, TLS, 0, ENC)}},
    {"the host that refuses is late, and was asked in this lookup already",
     {WORLD(0, 'P', "NN", 'n', "R,T", NF, REFUSED, 0, NF), DUE_THEN(70, "N?", "T,", ENC, TLS, NF)}},
    {"the MX lookup fails: who refuses is not forgotten",
     {WORLD(0, 'P', "NN", 'n', "T,R", NF, REFUSED, 0, NF),
      WORLD(70, 'E', "", 'n', "", TMP, MX_ERROR, 0, NF),
      WORLD(80, 'P', "N?", 'n', "T,", NF, REFUSED, 0, NF)}},
    /* what a downgrade is, and how it ends */
    {"G-14 encrypt, then clear: 48 h, then nothing",
     {SEES(0, "T", ENC, TLS, 0, ENC), SEES(H(1), "C", ENC, HELD, H(49), ENC),
      SEES(H(48), "C", ENC, HELD, H(49), ENC), SEES(H(49) - 1, "C", ENC, HELD, H(49), ENC),
      SEES(H(49), "C", NF, CLEAR, 0, NF), SEES(H(50), "C", NF, CLEAR, 0, NF)}},
    {"verify, then TLS: 48 h, then encrypt for good",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "T", VER, HELD, H(49), VER),
      SEES(H(49) - 1, "T", VER, HELD, H(49), VER), SEES(H(49), "T", ENC, TLS, 0, ENC),
      SEES(H(200), "T", ENC, TLS, 0, ENC)}},
    {"verify, its certificate lapsed: 24 h, then encrypt",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "L", VER, HELD, H(25), VER),
      SEES(H(25) - 1, "L", VER, HELD, H(25), VER), SEES(H(25), "L", ENC, TLS, 0, ENC)}},
    {"lapsed at one, untrusted at the other: 48 h",
     {SEES(0, "VV", VER, VERIFIED, 0, VER), SEES(H(1), "LT", VER, HELD, H(49), VER),
      SEES(H(49), "LT", ENC, TLS, 0, ENC)}},
    {"verify, the same certificate not trusted any more: encrypt at once",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "D", ENC, TLS, 0, ENC),
      SEES(H(2), "V", VER, VERIFIED, 0, VER)}},
    {"held for another certificate, then the old one, not trusted: encrypt at once",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "T", VER, HELD, H(49), VER),
      SEES(H(2), "D", ENC, TLS, 0, ENC)}},
    {"not trusted at one, another certificate at the other: held",
     {SEES(0, "VV", VER, VERIFIED, 0, VER), SEES(H(1), "DT", VER, HELD, H(49), VER)}},
    {"not trusted at one, verified at the other: encrypt at once",
     {SEES(0, "VV", VER, VERIFIED, 0, VER), SEES(H(1), "DV", ENC, TLS, 0, ENC)}},
    {"not trusted at one, no TLS at the other: held",
     {SEES(0, "VV", VER, VERIFIED, 0, VER), SEES(H(1), "DC", VER, HELD, H(49), VER)}},
    {"not trusted, and then no TLS: encrypt is held",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "D", ENC, TLS, 0, ENC),
      SEES(H(2), "C", ENC, HELD, H(50), ENC)}},
    {"lapsed and for another name is not merely lapsed",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "l", VER, HELD, H(49), VER)}},
    {"lapsed first, then worse: the longer clock",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "L", VER, HELD, H(25), VER),
      SEES(H(20), "T", VER, HELD, H(49), VER), SEES(H(30), "L", VER, HELD, H(49), VER),
      SEES(H(49), "L", ENC, TLS, 0, ENC)}},
    {"verify lost first, encrypt later: each by its own clock",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "T", VER, HELD, H(49), VER),
      SEES(H(30), "C", VER, HELD, H(49), VER), SEES(H(49), "C", ENC, HELD, H(78), ENC),
      SEES(H(78) - 1, "C", ENC, HELD, H(78), ENC), SEES(H(78), "C", NF, CLEAR, 0, NF)}},
    {"verify to clear at once: both levels sink together",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "C", VER, HELD, H(49), VER),
      SEES(H(49), "C", NF, CLEAR, 0, NF)}},
    {"hold-expired longer than hold: verify outlives encrypt's clock",
     {SEES_WITH(LONG_EXPIRED, 0, "V", VER, VERIFIED, 0, VER),
      SEES_WITH(LONG_EXPIRED, H(1), "L", VER, HELD, H(101), VER),
      SEES_WITH(LONG_EXPIRED, H(2), "C", VER, HELD, H(101), VER),
      SEES_WITH(LONG_EXPIRED, H(60), "C", VER, HELD, H(101), VER),
      SEES_WITH(LONG_EXPIRED, H(101), "C", NF, CLEAR, 0, NF)}},

    /* recovery */
    {"back in between: the hold ends, the next loss has a clock of its own",
     {SEES(0, "T", ENC, TLS, 0, ENC), SEES(H(1), "C", ENC, HELD, H(49), ENC),
      SEES(H(40), "T", ENC, TLS, 0, ENC), SEES(H(45), "C", ENC, HELD, H(93), ENC),
      SEES(H(93), "C", NF, CLEAR, 0, NF)}},
    {"TLS back does not end the loss of verify",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "C", VER, HELD, H(49), VER),
      SEES(H(20), "T", VER, HELD, H(49), VER), SEES(H(21), "C", VER, HELD, H(49), VER),
      SEES(H(49), "C", ENC, HELD, H(69), ENC), SEES(H(69), "C", NF, CLEAR, 0, NF)}},
    {"now this, now that: the clock goes on",
     {SEES(0, "TT", ENC, TLS, 0, ENC), SEES(H(1), "CC", ENC, HELD, H(49), ENC),
      SEES(H(2), "TC", ENC, HELD, H(49), ENC), SEES(H(3), "SS", ENC, HELD, H(49), ENC),
      SEES(H(4), "BP", ENC, HELD, H(49), ENC), SEES(H(5), "??", ENC, HELD, H(49), ENC),
      WORLD(H(6), 'X', "", 'n', "", ENC, HELD, H(49), ENC),
      WORLD(H(7), 'E', "", 'n', "", TMP, MX_ERROR, 0, ENC),
      SEES(H(48), "CC", ENC, HELD, H(49), ENC), SEES(H(49), "CC", NF, CLEAR, 0, NF)}},
    {"after it sank, what is proven is proven",
     {SEES(0, "T", ENC, TLS, 0, ENC), SEES(H(1), "C", ENC, HELD, H(49), ENC),
      SEES(H(60), "C", NF, CLEAR, 0, NF), SEES(H(61), "V", VER, VERIFIED, 0, VER),
      SEES(H(62), "C", VER, HELD, H(110), VER)}},
    {"nothing was proven: nothing is held",
     {SEES(0, "C", NF, CLEAR, 0, NF), SEES(H(1), "S", NF, UNPROBED, 0, NF)}},

    /* kinds of less */
    {"some do TLS and some do not",
     {SEES(0, "TT", ENC, TLS, 0, ENC), SEES(H(1), "TC", ENC, HELD, H(49), ENC),
      SEES(H(49), "TC", NF, PARTLY, 0, NF)}},
    {"the handshake fails",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "B", VER, HELD, H(49), VER)}},
    {"STARTTLS answered 4xx",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "P", VER, HELD, H(49), VER)}},
    {"refused with 5xx: mail waits, for encrypt would bounce it",
     {SEES(0, "T", ENC, TLS, 0, ENC), SEES(H(1), "R", TMP, HELD, H(49), ENC),
      SEES(H(2), "C", ENC, HELD, H(49), ENC), SEES(H(3), "R", TMP, HELD, H(49), ENC),
      SEES(H(49), "R", NF, REFUSED, 0, NF)}},
    {"silent everywhere",
     {SEES(0, "T", ENC, TLS, 0, ENC), SEES(H(1), "S", ENC, HELD, H(49), ENC),
      SEES(H(49), "S", NF, UNPROBED, 0, NF)}},
    {"errors everywhere", {SEES(0, "T", ENC, TLS, 0, ENC), SEES(H(1), "X", ENC, HELD, H(49), ENC)}},
    {"addresses that must not be connected to",
     {SEES(0, "T", ENC, TLS, 0, ENC), SEES(H(1), "K", ENC, HELD, H(49), ENC),
      SEES(H(49), "K", NF, UNPROBED, 0, NF)}},
    {"NXDOMAIN while proven",
     {SEES(0, "V", VER, VERIFIED, 0, VER), WORLD(H(1), 'X', "", 'n', "", VER, HELD, H(49), VER),
      WORLD(H(49), 'X', "", 'n', "", NF, NXDOMAIN, 0, NF)}},
    {"null MX while proven",
     {SEES(0, "T", ENC, TLS, 0, ENC), WORLD(H(1), '0', "", 'n', "", ENC, HELD, H(49), ENC),
      WORLD(H(49), '0', "", 'n', "", NF, NULL_MX, 0, NF)}},
    {"no host name among the MX records while proven",
     {SEES(0, "T", ENC, TLS, 0, ENC), WORLD(H(1), 'U', "", 'n', "", ENC, HELD, H(49), ENC)}},
    {"no host with an address while proven",
     {SEES(0, "T", ENC, TLS, 0, ENC), WORLD(H(1), 'P', "DD", 'n', "", ENC, HELD, H(49), ENC)}},

    /* what we gave up on says nothing */
    {"given up: nothing changes, for however long",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(H(1), "?", VER, STARTTLS_REMEMBERED, 0, VER),
      SEES(H(200), "?", VER, STARTTLS_REMEMBERED, 0, VER),
      SEES(H(201), "C", VER, HELD, H(249), VER)}},
    {"silent at one, given up at the other",
     {SEES(0, "TT", ENC, TLS, 0, ENC), SEES(H(1), "S?", ENC, STARTTLS_REMEMBERED, 0, ENC)}},
    {"silent at one, the other's address not found out",
     {WORLD(0, 'P', "NN", 'n', "T,T", ENC, TLS, 0, ENC),
      {H(1), 'P', "NL", 'n', "S,", NO_DANE, ENC, REASON_STARTTLS_REMEMBERED, 0, ENC}}},
    {"silent at one, the other dead",
     {WORLD(0, 'P', "NN", 'n', "T,T", ENC, TLS, 0, ENC),
      WORLD(H(1), 'P', "ND", 'n', "S,", ENC, HELD, H(49), ENC)}},
    {"the MX lookup fails: mail waits as ever, the clock goes on",
     {SEES(0, "T", ENC, TLS, 0, ENC), WORLD(H(1), 'E', "", 'n', "", TMP, MX_ERROR, 0, ENC),
      SEES(H(2), "C", ENC, HELD, H(50), ENC), WORLD(H(3), 'E', "", 'n', "", TMP, MX_ERROR, 0, ENC),
      WORLD(H(50), 'E', "", 'n', "", TMP, MX_ERROR, 0, NF), SEES(H(51), "C", NF, CLEAR, 0, NF)}},
    {"given up when the clock has run out: sunk",
     {SEES(0, "T", ENC, TLS, 0, ENC), SEES(H(1), "C", ENC, HELD, H(49), ENC),
      SEES(H(30), "?", ENC, HELD, H(49), ENC), SEES(H(49), "?", NF, UNPROBED, 0, NF)}},

    /* options */
    {"probe = no: kept, not used",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES_WITH(NO_PROBE, H(1), "C", NF, UNPROBED, 0, VER),
      SEES(H(2), "V", VER, VERIFIED, 0, VER)}},
    {"probe-level = encrypt: verify is kept, encrypt is what is held",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES_WITH(NO_VERIFY, H(1), "T", ENC, TLS, 0, VER),
      SEES_WITH(NO_VERIFY, H(2), "C", ENC, HELD, H(50), VER),
      SEES_WITH(NO_VERIFY, H(49), "C", ENC, HELD, H(50), ENC),
      SEES_WITH(NO_VERIFY, H(50), "C", NF, CLEAR, 0, NF)}},
    {"hold = 0: at once",
     {SEES_WITH(NO_HOLD, 0, "V", VER, VERIFIED, 0, VER),
      SEES_WITH(NO_HOLD, H(1), "T", ENC, TLS, 0, ENC),
      SEES_WITH(NO_HOLD, H(2), "C", NF, CLEAR, 0, NF)}},
    {"hold set to 0 meanwhile",
     {SEES(0, "T", ENC, TLS, 0, ENC), SEES(H(1), "C", ENC, HELD, H(49), ENC),
      SEES_WITH(NO_HOLD, H(2), "C", NF, CLEAR, 0, NF)}},

    /* DANE and MTA-STS rule themselves */
    {"DANE decides meanwhile, the clock goes on",
     {WORLD(0, 'S', "N", 'n', "V", VER, VERIFIED, 0, VER),
      WORLD(H(1), 'S', "U", 'n', "C", DO, DANE_FULL, 0, VER),
      WORLD(H(1) + 10, 'S', "U", 'n', "V", DO, DANE_FULL, 0, VER),
      WORLD(H(2), 'S', "U", 'n', "C", DO, DANE_FULL, 0, VER),
      WORLD(H(10), 'S', "N", 'n', "C", VER, HELD, H(50), VER),
      WORLD(H(50), 'S', "N", 'n', "C", NF, CLEAR, 0, NF)}},
    {"MTA-STS decides meanwhile",
     {WORLD(0, 'P', "N", 'n', "V", VER, VERIFIED, 0, VER),
      WORLD(H(1), 'P', "N", 'E', "C", SEC, STS_ENFORCE, 0, VER),
      WORLD(H(2), 'P', "N", '0', "C", VER, HELD, H(49), VER),
      WORLD(H(49), 'P', "N", '0', "C", NF, CLEAR, 0, NF)}},
    {"TLSA that no SMTP can use, all verified: the table's encrypt",
     {WORLD(0, 'S', "B", 'n', "V", ENC, DANE_UNUSABLE, 0, VER),
      WORLD(H(1), 'S', "B", 'n', "V", ENC, DANE_UNUSABLE, 0, VER),
      WORLD(H(2), 'S', "B", 'n', "?", ENC, DANE_UNUSABLE, 0, VER),
      WORLD(H(3), 'S', "B", 'n', "C", ENC, DANE_UNUSABLE, 0, VER),
      WORLD(H(4), 'S', "N", 'n', "C", VER, HELD, H(51), VER)}},

    {"dane by some TLSA is not raised to what was proven",
     {WORLD(0, 'P', "NN", 'n', "V,V", VER, VERIFIED, 0, VER),
      WORLD(H(1), 'S', "UN", 'n', "V,C", DA, DANE_MIXED, 0, VER),
      WORLD(H(2), 'S', "NN", 'n', "V,C", VER, HELD, H(49), VER)}},

    /* DANE remembered */
    {"dane-only counts until its records end",
     {WORLD(0, 'S', "U", 'n', "?", DO, DANE_FULL, 0, NF),
      WORLD(10, 'E', "", 'n', "", DO, DANE_REMEMBERED, 0, NF),
      WORLD(20, 'S', "E", 'n', "?", DO, DANE_REMEMBERED, 0, NF),
      WORLD(30, 'S', "N", 'n', "C", DO, DANE_REMEMBERED, 0, NF),
      WORLD(40, 'X', "", 'n', "", DO, DANE_REMEMBERED, 0, NF),
      WORLD(50, 'P', "N", 'n', "C", DO, DANE_REMEMBERED, 0, NF),
      WORLD(60, 'P', "N", 'n', "C", NF, CLEAR, 0, NF)}},
    {"dane-only past its end: an error is an error",
     {WORLD(0, 'S', "U", 'n', "?", DO, DANE_FULL, 0, NF),
      WORLD(60, 'S', "E", 'n', "?", DA, DANE_ERROR, 0, NF),
      WORLD(61, 'E', "", 'n', "", TMP, MX_ERROR, 0, NF)}},
    {"dane-only remembered before MTA-STS",
     {WORLD(0, 'S', "U", 'E', "?", DO, DANE_FULL, 0, NF),
      WORLD(10, 'S', "E", 'E', "?", DO, DANE_REMEMBERED, 0, NF),
      WORLD(60, 'S', "E", 'E', "?", TMP, DANE_ERROR_STS, 0, NF)}},
    {"dane-only by a remembered RRset, never where one of 3 octets is seen",
     {WORLD(0, 'S', "U", 'n', "?", DO, DANE_FULL, 0, NF),
      {10, 'S', "U", 'n', "?", SHORT, ENC, REASON_DANE_SHORT, 0, NF},
      {20, 'S', "E", 'n', "?", SHORT, ENC, REASON_DANE_SHORT, 0, NF}}},
    {"dane = no: dane-only is not remembered",
     {WORLD(0, 'S', "U", 'n', "T", DO, DANE_FULL, 0, ENC),
      {10, 'S', "E", 'n', "T", NO_DANE, ENC, REASON_TLS, 0, ENC}}},
    {"dane-only is answered early",
     {WORLD(0, 'S', "U", 'n', "V", DO, DANE_FULL, 0, VER),
      EARLY(10, '?', "", '?', "", DO, DANE_REMEMBERED, VER),
      EARLY(20, 'S', "?", '?', "", DO, DANE_REMEMBERED, VER),
      EARLY(59, 'P', "N", 'n', "?", DO, DANE_REMEMBERED, VER)}},

    {"dane = no since: a mark of DANE is no reason to wait",
     {WORLD(0, 'S', "U", 'n', "V", DO, DANE_FULL, 0, VER),
      {70, '?', "", 'n', "", OPEN | WAITS | NO_DANE, VER, REASON_STARTTLS_REMEMBERED, 0, VER}}},

    {"hostile 14 the address lookup fails: what was proven stands, then mail waits",
     {SEES(0, "V", VER, VERIFIED, 0, VER),
      WORLD(1, 'P', "L", 'n', "", VER, STARTTLS_REMEMBERED, 0, VER),
      WORLD(2, 'P', "L", 'n', "", TMP, DANE_ERROR, 0, VER), SEES(3, "V", VER, VERIFIED, 0, VER),
      WORLD(4, 'P', "L", 'n', "", VER, STARTTLS_REMEMBERED, 0, VER)}},
    {"held, and then a TLSA lookup fails",
     {SEES(0, "T", ENC, TLS, 0, ENC), SEES(1, "C", ENC, HELD, H(48) + 1, ENC),
      WORLD(2, 'P', "E", 'n', "C", TMP, DANE_ERROR, 0, ENC)}},
    {"refused, and then a lookup that hangs: no answer in between makes mail bounce",
     {SEES(0, "V", VER, VERIFIED, 0, VER), SEES(1, "R", TMP, HELD, H(48) + 1, VER),
      EARLY(2, 'P', "N", 'n', "?", TMP, STARTTLS_REMEMBERED, VER),
      WORLD(3, 'E', "", 'n', "", TMP, MX_ERROR, 0, VER),
      EARLY(4, 'P', "N", 'n', "?", TMP, STARTTLS_REMEMBERED, VER),
      SEES(5, "C", VER, HELD, H(48) + 1, VER),
      EARLY(6, 'P', "N", 'n', "?", VER, STARTTLS_REMEMBERED, VER)}},

    /* hostile: answers held back, so that what was proven by probing takes DANE's place */
    {"dane-only past its end, the DNS held back: never encrypt",
     {WORLD(0, 'S', "U", 'n', "V", DO, DANE_FULL, 0, VER),
      EARLY(61, '?', "", '?', "", TMP, PENDING, VER),
      EARLY(62, 'S', "?", 'n', "", TMP, PENDING, VER),
      WORLD(63, 'S', "E", 'n', "?", TMP, DANE_ERROR, 0, VER),
      EARLY(70, 'S', "?", 'n', "", TMP, PENDING, VER),
      WORLD(71, 'E', "", 'n', "", TMP, MX_ERROR, 0, VER),
      EARLY(80, 'S', "?", 'n', "", TMP, PENDING, VER),
      WORLD(81, 'S', "N", 'n', "V", VER, VERIFIED, 0, VER),
      EARLY(90, 'S', "?", 'n', "", VER, STARTTLS_REMEMBERED, VER)}},
    {"dane, the DNS held back: never encrypt",
     {WORLD(0, 'S', "UN", 'n', "V,V", DA, DANE_MIXED, 0, VER),
      EARLY(1, 'S', "?N", 'n', "", TMP, PENDING, VER),
      EARLY(2, '?', "", 'n', "", TMP, PENDING, VER)}},

    /* MTA-STS remembered */
    {"hostile 17 secure with a policy in force, the MX lookup fails",
     {WORLD(0, 'P', "N", 'E', "?", SEC, STS_ENFORCE, 0, NF),
      WORLD(H(1), 'E', "", 'E', "", SEC, STS_REMEMBERED, 0, NF),
      WORLD(H(2), 'E', "", 'E', "", SEC, STS_REMEMBERED, 0, NF),
      WORLD(H(3), 'E', "", 'X', "", TMP, MX_ERROR, 0, NF),
      WORLD(H(4), 'E', "", '0', "", TMP, MX_ERROR, 0, NF)}},
    {"hostile 16 secure, a TLSA lookup fails: mail waits",
     {WORLD(0, 'S', "N", 'E', "?", SEC, STS_ENFORCE, 0, NF),
      WORLD(H(1), 'S', "E", 'E', "?", TMP, DANE_ERROR_STS, 0, NF),
      EARLY(H(1) + 1, 'S', "?", 'E', "", TMP, PENDING, NF),
      WORLD(H(2), 'S', "N", 'E', "?", SEC, STS_ENFORCE, 0, NF),
      EARLY(H(3), 'S', "?", 'E', "", SEC, STS_REMEMBERED, NF)}},
    {"secure beside TLSA that no SMTP can use, the lookup under way",
     {WORLD(0, 'S', "B", 'E', "?", SEC, STS_ENFORCE, 0, NF),
      EARLY(H(1), 'S', "?", 'E', "", SEC, STS_REMEMBERED, NF)}},
    {"secure, and the domain is gone before its policy is known",
     {WORLD(0, 'P', "N", 'E', "?", SEC, STS_ENFORCE, 0, NF),
      {H(1), 'X', "", '?', "", OPEN, NF, REASON_NXDOMAIN, 0, NF}}},
    {"a policy that never decided is not enough",
     {WORLD(0, 'E', "", 'E', "", TMP, MX_ERROR, 0, NF),
      WORLD(H(1), 'S', "U", 'E', "?", DO, DANE_FULL, 0, NF),
      WORLD(H(3), 'E', "", 'E', "", TMP, MX_ERROR, 0, NF)}},
    {"secure, the lookup under way",
     {WORLD(0, 'P', "N", 'E', "V", SEC, STS_ENFORCE, 0, VER),
      EARLY(H(1), '?', "", 'E', "", SEC, STS_REMEMBERED, VER),
      EARLY(H(1), 'P', "?", 'E', "", SEC, STS_REMEMBERED, VER)}},
    {"secure, the policy not known yet: never what was proven by probing",
     {WORLD(0, 'P', "N", 'E', "V", SEC, STS_ENFORCE, 0, VER),
      EARLY(H(1), '?', "", '?', "", TMP, PENDING, VER),
      EARLY(H(1), 'P', "N", '?', "V", TMP, PENDING, VER),
      EARLY(H(1), 'P', "N", '?', "C", TMP, PENDING, VER),
      EARLY(H(1), 'P', "U", '?', "V", TMP, PENDING, VER),
      EARLY(H(1), 'E', "", '?', "", TMP, MX_ERROR, VER),
      EARLY(H(1), 'P', "N", 'n', "?", VER, STARTTLS_REMEMBERED, VER)}},
    {"a policy in force that is new: its domain is not answered encrypt early",
     {WORLD(0, 'P', "N", 'n', "V", VER, VERIFIED, 0, VER),
      EARLY(H(1), '?', "", 'E', "", TMP, PENDING, VER)}},

    /* the lookup is under way */
    {"early: the proven level, and nothing is learnt",
     {SEES(0, "V", VER, VERIFIED, 0, VER),
      EARLY(H(1), '?', "", '?', "", VER, STARTTLS_REMEMBERED, VER),
      EARLY(H(1), 'P', "?", 'n', "", VER, STARTTLS_REMEMBERED, VER),
      EARLY(H(1), 'P', "N", 'n', "?", VER, STARTTLS_REMEMBERED, VER),
      EARLY(H(1), 'P', "N", 'n', "C", VER, STARTTLS_REMEMBERED, VER),
      EARLY(H(1), 'X', "", '?', "", VER, STARTTLS_REMEMBERED, VER),
      EARLY(H(1), 'P', "NN", 'n', "R,?", TMP, STARTTLS_REMEMBERED, VER),
      SEES(H(2), "C", VER, HELD, H(50), VER)}},
    {"early: an MX lookup that failed is no lookup under way",
     {SEES(0, "V", VER, VERIFIED, 0, VER),
      {H(1), 'E', "", '?', "", OPEN, TMP, REASON_MX_ERROR, 0, VER}}},
    {"early and held: until its clock runs out",
     {SEES(0, "T", ENC, TLS, 0, ENC), SEES(H(1), "C", ENC, HELD, H(49), ENC),
      EARLY(H(49) - 1, 'P', "N", 'n', "?", ENC, STARTTLS_REMEMBERED, ENC),
      EARLY(H(49), 'P', "N", 'n', "?", NF, DEADLINE, ENC),
      EARLY(H(49), '?', "", '?', "", TMP, PENDING, ENC)}},
    {"early, and better than ever",
     {SEES(0, "T", ENC, TLS, 0, ENC),
      {H(1), 'P', "N", 'n', "V", OPEN, VER, REASON_VERIFIED, 0, ENC},
      {H(1), 'S', "U", '?', "?", OPEN, DO, REASON_DANE_FULL, 0, ENC}}},
};

static const struct {
    char letter;
    enum mx_state mx;
    bool secure;
} mx_letters[] = {
    {'S', MX_LISTED, true},    {'P', MX_LISTED, false}, {'E', MX_ERROR, false},
    {'X', MX_NXDOMAIN, false}, {'0', MX_NULL, false},   {'U', MX_UNUSABLE, false},
    {'?', MX_UNKNOWN, false},
};

static struct verdict_options options_of(int flags)
{
    struct verdict_options options = make_options();

    options.dane = !(flags & NO_DANE);
    options.probe = !(flags & NO_PROBE);
    options.verify = !(flags & NO_VERIFY);
    if (flags & NO_HOLD)
        options.hold_ms = options.hold_expired_ms = 0;
    if (flags & LONG_EXPIRED)
        options.hold_expired_ms = H(100) * MINUTE;
    return options;
}

static void make_step(struct made *made, const struct step *step)
{
    struct sts_evidence *sts = &made->evidence.sts;
    int64_t later = step->minute * MINUTE;

    for (size_t i = 0; i < COUNT(mx_letters); i++)
        if (mx_letters[i].letter == step->mx)
            make_evidence(made, mx_letters[i].mx, mx_letters[i].secure, step->hosts, step->sts,
                          step->probes);
    made->evidence.complete = !(step->flags & OPEN);
    made->hosts[0].tlsa_short = step->flags & SHORT;
    if (sts->state == STS_POLICY) {
        sts->fetched_at += later;
        sts->valid_until += later;
    }
}

static void check_held(const struct step *step, const struct verdict *got, int64_t now)
{
    int64_t until = MAKE_NOW + step->held_until * MINUTE;

    assert_int_equal(got->held.since != 0, step->held_until != 0);
    assert_int_equal(got->held.until != 0, step->held_until != 0);
    if (step->held_until == 0)
        return;
    assert_int_equal(got->held.until, until);
    assert_in_range(got->held.since, 1, now);
    assert_true(got->valid_until <= until);
    assert_true(got->valid_until <= now + 6 * 60 * MINUTE);
}

static void test_story(void **state)
{
    const struct story *story = *state;
    struct remembered memory = {0};

    for (const struct step *step = story->steps;
         step < story->steps + STEP_MAX && step->hosts != NULL; step++) {
        struct verdict_options options = options_of(step->flags);
        int64_t now = MAKE_NOW + step->minute * MINUTE;
        struct verdict got;
        struct made made;

        make_step(&made, step);
        if (step->flags & DUE)
            verdict_decide_at_deadline(&got, &made.evidence, &memory, &options, now);
        else
            verdict_decide(&got, &made.evidence, &memory, &options, now);
        if (got.level != step->level || got.reason != step->reason ||
            got.remembered.observed != step->observed || got.settled == !!(step->flags & WAITS))
            fail_msg("%s, minute %d: %s, %s, proven %s, settled %d", story->name, step->minute,
                     verdict_level_name(got.level), verdict_reason_code(got.reason),
                     verdict_level_name(got.remembered.observed), got.settled);
        check_held(step, &got, now);
        assert_true(got.valid_until > now && got.refresh_at < got.valid_until);
        if (step->flags & OPEN)
            assert_memory_equal(&got.remembered, &memory, sizeof memory);
        memory = got.remembered;
    }
}

int main(void)
{
    ROWS_ADD(stories, test_story);
    return rows_run("hold");
}
