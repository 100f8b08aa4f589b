/*
 * remember: see decide.h. Answers that are late, missing or forged must not lower an answer: what
 * was observed counts until its own time is over, and not a moment less.
 *
 * Glossary
 *   observed   the level that the probes last saw, or a higher one that they saw before
 *   downgrade  that less than the observed level is seen: since when, and how long that is kept
 *   expire     of a downgrade: its time is over, and the level below is the observed one
 *   floor      the observed level as far as it counts: by the clock, and by probe-level
 *
 * A downgrade begins with the first complete lookup that sees less. Only a complete lookup that sees
 * the level again ends it early. Changing results do not start it anew, and what could not be seen,
 * or was given up on, says nothing either way.
 *
 * While dane_possible is set, what probing proved does not answer a lookup whose DANE state is not
 * known yet: delayed DNS replies could turn dane-only into encrypt that way.
 *
 * A host that refused STARTTLS counts as refusing until a lookup has asked it again: encrypt would
 * make mail bounce there. Other hosts say nothing about it.
 *
 * BUGS
 *   Hosts that refuse STARTTLS are remembered as bits of a hash. Two hosts with the same bit count
 *   as refusing until both have been asked. The bits are not stored: after a restart only the
 *   stored evidence tells.
 */
#include "policy/decide/decide.h"

#include <string.h>

#include "base/hash.h"

/* What the probes of a complete lookup saw. */
enum sight { SIGHT_NOTHING, SIGHT_LESS, SIGHT_TLS, SIGHT_VERIFIED };

/* ---- what was seen ---- */

/* True when every address of the host was connected to, or must not be. */
static bool host_tried(const struct mx_host *host)
{
    if (host->dane == HOST_DANE_DEAD)
        return true;
    if (host->dane == HOST_DANE_LOST || host->dane == HOST_DANE_UNKNOWN || !host->addresses_known)
        return false;
    for (size_t i = 0; i < host->address_count; i++)
        if (host->addresses[i].starttls.state == STARTTLS_UNKNOWN)
            return false;
    return host->address_count > 0;
}

static bool all_tried(const struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->host_count; i++)
        if (!host_tried(&evidence->hosts[i]))
            return false;
    return evidence->host_count > 0;
}

static bool host_refuses(const struct mx_host *host)
{
    for (size_t i = 0; facts_host_live(host) && i < host->address_count; i++)
        if (host->addresses[i].starttls.state == STARTTLS_REFUSED)
            return true;
    return false;
}

/* The hosts, as bits, that answer STARTTLS with 5xx, or did when they were asked last. */
static uint64_t refusing(const struct decision *decision)
{
    const struct evidence *evidence = decision->evidence;
    uint64_t before = decision->before->refused, refused = 0;

    if (!decision->options->probe || decision->facts.mx == MX_ERROR ||
        decision->facts.mx == MX_UNKNOWN)
        return before;
    if (before == 0 && decision->facts.starttls != STARTTLS_SOME_REFUSED)
        return 0;
    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];
        uint64_t bit = UINT64_C(1) << hash_bytes(host->name, strlen(host->name)) % 64;

        if (host_refuses(host) || (before & bit && !host_tried(host)))
            refused |= bit;
    }
    return refused;
}

static enum sight see(const struct decision *decision)
{
    const struct facts *facts = &decision->facts;

    if (!decision->options->probe || facts->mx == MX_ERROR)
        return SIGHT_NOTHING;
    if (facts->mx == MX_NULL || facts->mx == MX_NXDOMAIN || facts->no_host)
        return SIGHT_LESS;
    switch (facts->starttls) {
    case STARTTLS_ALL_VERIFIED:
        return refusing(decision) != 0 ? SIGHT_LESS : SIGHT_VERIFIED;
    case STARTTLS_ALL_TLS:
        return refusing(decision) != 0 ? SIGHT_LESS : SIGHT_TLS;
    case STARTTLS_ALL_UNKNOWN:
        return all_tried(decision->evidence) ? SIGHT_LESS : SIGHT_NOTHING;
    default:
        return SIGHT_LESS;
    }
}

/* Why certificates are not valid. */
enum {
    LAPSED = 1 << 0, /* only their dates are wrong, and the name is right */
    DISTRUSTED =
        1 << 1 /* they verified before: this machine does not trust their issuer any more */
};

/* What all certificates that are not valid have in common; 0 when there are none. */
static unsigned invalid_by(const struct evidence *evidence)
{
    unsigned common = 0;
    bool some = false;

    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];

        for (size_t j = 0; facts_host_live(host) && j < host->address_count; j++) {
            const struct starttls_result *result = &host->addresses[j].starttls;
            unsigned why = (result->expired && result->name_ok ? LAPSED : 0) |
                           (result->distrusted ? DISTRUSTED : 0);

            if (result->state != STARTTLS_TLS)
                continue;
            common = some ? common & why : why;
            some = true;
        }
    }
    return common;
}

/* ---- downgrades ---- */

/* Begins now, or goes on as it began. */
static void begin(struct downgrade *downgrade, int64_t for_ms, int64_t now)
{
    if (downgrade->since == 0)
        *downgrade = (struct downgrade){now, now + for_ms};
}

static bool over(const struct downgrade *downgrade, int64_t most_ms, int64_t now)
{
    return downgrade->since != 0 && (now >= downgrade->until || now - downgrade->since >= most_ms);
}

/* Ends the levels whose downgrade is over, the higher first. A hold that was made shorter counts at
 * once. */
static void expire(struct remembered *memory, const struct verdict_options *options, int64_t now)
{
    if (memory->observed >= VERDICT_VERIFY &&
        over(&memory->verify, larger(options->hold_ms, options->hold_expired_ms), now))
        memory->observed = VERDICT_ENCRYPT;
    if (memory->observed < VERDICT_VERIFY && over(&memory->encrypt, options->hold_ms, now))
        memory->observed = VERDICT_NO_OPINION;
    if (memory->observed < VERDICT_VERIFY)
        memory->verify = (struct downgrade){0};
    if (memory->observed < VERDICT_ENCRYPT)
        memory->encrypt = (struct downgrade){0};
}

/* A hold is for what the hosts show differently. What they show as before is judged anew at once. */
static void end_distrusted(struct verdict *verdict, unsigned invalid)
{
    verdict->distrusted = verdict->remembered.observed >= VERDICT_VERIFY && invalid & DISTRUSTED;
    if (!verdict->distrusted)
        return;
    verdict->remembered.observed = VERDICT_ENCRYPT;
    verdict->remembered.verify = (struct downgrade){0};
}

/* Less than `verify` is seen. */
static void lose_verify(struct downgrade *verify, bool lapsed, const struct decision *decision)
{
    const struct verdict_options *options = decision->options;

    begin(verify, lapsed ? options->hold_expired_ms : options->hold_ms, decision->now);
    /* what began with expired certificates is worse by now, and lasts as if it had begun so */
    if (!lapsed && verify->until == verify->since + options->hold_expired_ms)
        verify->until = larger(verify->until, verify->since + options->hold_ms);
}

static void observe(struct verdict *verdict, const struct decision *decision)
{
    struct remembered *memory = &verdict->remembered;
    enum sight sight = see(decision);
    unsigned invalid = sight == SIGHT_TLS ? invalid_by(decision->evidence) : 0;

    end_distrusted(verdict, invalid);
    if (sight == SIGHT_NOTHING)
        return;
    if (sight == SIGHT_LESS && memory->observed >= VERDICT_ENCRYPT)
        begin(&memory->encrypt, decision->options->hold_ms, decision->now);
    if (sight > SIGHT_LESS)
        memory->encrypt = (struct downgrade){0};
    if (sight == SIGHT_VERIFIED) {
        memory->observed = VERDICT_VERIFY;
        memory->verify = (struct downgrade){0};
    } else if (memory->observed >= VERDICT_VERIFY) {
        lose_verify(&memory->verify, invalid & LAPSED, decision);
    } else if (sight == SIGHT_TLS) {
        memory->observed = VERDICT_ENCRYPT;
    }
}

/* ---- the successor ---- */

static void next_dane(struct remembered *next, const struct verdict *plain,
                      const struct decision *decision)
{
    const struct facts *facts = &decision->facts;

    if (plain->level == VERDICT_DANE_ONLY)
        next->dane_only_until = plain->valid_until;
    else if (next->dane_only_until > decision->now || facts->mx == MX_ERROR)
        return;
    /* DANE decides, or a lookup failed that might have shown that it does */
    next->dane_possible = facts->dane != DANE_NONE && plain->level != VERDICT_SECURE;
}

void remember_next(struct verdict *verdict, const struct decision *decision)
{
    struct remembered *next = &verdict->remembered;
    bool secure = verdict->level == VERDICT_SECURE;

    *next = *decision->before;
    if (!decision->evidence->complete)
        return;
    next_dane(next, verdict, decision);
    if (secure || decision->facts.dane != DANE_ERROR) /* which MX_ERROR is too */
        next->secure = secure && (verdict->reason == REASON_STS_ENFORCE ||
                                  verdict->reason == REASON_STS_TESTING);
    /* before, because what is over no longer counts; after, because a hold may have no length */
    expire(next, decision->options, decision->now);
    observe(verdict, decision);
    expire(next, decision->options, decision->now);
    next->refused = refusing(decision);
}

/* ---- what counts for more ---- */

static void put(struct verdict *verdict, enum verdict_level level, enum verdict_reason reason)
{
    verdict->level = level;
    verdict->reason = reason;
}

/* A record of 3 octets crashes older smtp(8), whatever was there before. */
static bool apply_dane(struct verdict *verdict, const struct decision *decision)
{
    if (verdict->remembered.dane_only_until <= decision->now || verdict->level == VERDICT_DANE_ONLY)
        return false;
    if (!decision->options->dane || decision->facts.short_tlsa)
        return false;
    put(verdict, VERDICT_DANE_ONLY, REASON_DANE_REMEMBERED);
    return true;
}

static bool is_open(const struct verdict *verdict)
{
    return verdict->reason == REASON_MX_ERROR || verdict->reason == REASON_PENDING ||
           verdict->reason == REASON_DEADLINE;
}

/*
 * A TLSA lookup that fails makes mail wait under MTA-STS, and so does one that hangs where it
 * failed before. Which policy there is must be known: until it is, mail waits too.
 */
static bool apply_secure(struct verdict *verdict, const struct decision *decision)
{
    const struct facts *facts = &decision->facts;
    bool mx_known = facts->mx != MX_ERROR && facts->mx != MX_UNKNOWN;
    bool mx_decides = facts->mx == MX_NULL || facts->mx == MX_NXDOMAIN;

    if (!verdict->remembered.secure)
        return false;
    if (facts->sts_pending && !mx_decides) {
        if (verdict->level == VERDICT_DANE_ONLY)
            return false;
        if (verdict->level != VERDICT_TEMP)
            put(verdict, VERDICT_TEMP, REASON_PENDING);
        verdict->settled = false;
        return true;
    }
    if (!facts->sts_enforced || verdict->level != VERDICT_TEMP || !is_open(verdict))
        return false;
    if (mx_known && facts->hosts_pending && verdict->remembered.dane_possible)
        return false;
    put(verdict, VERDICT_SECURE, REASON_STS_REMEMBERED);
    return true;
}

/* The observed level that counts at this moment, and the downgrade that runs against it. */
static enum verdict_level floor_of(const struct remembered *memory, const struct decision *decision,
                                   struct downgrade *downgrade)
{
    struct remembered now = *memory;

    if (now.observed > VERDICT_ENCRYPT && !decision->options->verify)
        now.observed = VERDICT_ENCRYPT;
    expire(&now, decision->options, decision->now);
    *downgrade = now.observed >= VERDICT_VERIFY ? now.verify : now.encrypt;
    return now.observed;
}

/* True when probes, or their absence, gave this level. Where TLSA records did, DNSSEC decides. */
static bool may_raise(const struct verdict *verdict, const struct decision *decision,
                      enum verdict_level floor)
{
    /* DANE or MTA-STS may yet ask for more than what was observed */
    bool stronger = decision->facts.sts_enforced || decision->facts.mx == MX_ERROR ||
                    (decision->options->dane && verdict->remembered.dane_possible);

    if (verdict->level == VERDICT_TEMP)
        return !decision->evidence->complete && is_open(verdict) && !stronger;
    if (verdict->reason == REASON_DANE_UNUSABLE || verdict->reason == REASON_DANE_SHORT)
        return false;
    /* after a failed lookup `dane` may be less than what was observed */
    if (verdict->reason == REASON_DANE_ERROR)
        return true;
    return verdict->level < floor && verdict->level != VERDICT_DANE;
}

static bool apply_observed(struct verdict *verdict, const struct decision *decision)
{
    bool complete = decision->evidence->complete;
    struct downgrade downgrade;
    enum verdict_level floor = floor_of(&verdict->remembered, decision, &downgrade);
    bool held = complete && downgrade.since != 0;

    if (!decision->options->probe || floor == VERDICT_NO_OPINION ||
        !may_raise(verdict, decision, floor))
        return false;
    /* nothing runs against the level: what was seen gives it */
    if (complete && !held && see(decision) != SIGHT_NOTHING)
        return false;
    /* After a failed lookup what was observed may be less than DANE asks for, because DANE decided
     * before or could not be ruled out; or it is less than `dane` in any case. */
    if (verdict->reason == REASON_DANE_ERROR &&
        (decision->before->dane_possible || floor < VERDICT_DANE)) {
        put(verdict, VERDICT_TEMP, REASON_DANE_ERROR);
        verdict->settled = complete;
        return true;
    }
    if (held)
        verdict->held = downgrade;
    /* at a host that refuses STARTTLS, encrypt and above bounce mail, and no opinion lets it out
     * in clear */
    put(verdict, refusing(decision) != 0 ? VERDICT_TEMP : floor,
        held ? REASON_HELD : REASON_STARTTLS_REMEMBERED);
    verdict->settled = complete;
    return true;
}

/* A host refused STARTTLS when it was asked last, and was not asked this time: what the others do
 * must not make mail bounce there. */
static bool apply_refusal(struct verdict *verdict, const struct decision *decision)
{
    bool by_probes = verdict->reason == REASON_TLS || verdict->reason == REASON_VERIFIED;
    bool awaited = decision->facts.hosts_cut && !decision->evidence->complete;

    if (!by_probes || refusing(decision) == 0)
        return false;
    put(verdict, VERDICT_NO_OPINION, awaited ? REASON_DEADLINE : REASON_REFUSED);
    return true;
}

bool remember_apply(struct verdict *verdict, const struct decision *decision)
{
    bool refused = apply_refusal(verdict, decision);
    struct downgrade downgrade;

    if (decision->options->probe)
        verdict->probed = floor_of(&verdict->remembered, decision, &downgrade);
    return apply_dane(verdict, decision) || apply_secure(verdict, decision) ||
           apply_observed(verdict, decision) || refused;
}

int64_t remembered_held_since(const struct remembered *remembered)
{
    return remembered->encrypt.since != 0 ? remembered->encrypt.since : remembered->verify.since;
}

void remembered_release(struct remembered *remembered)
{
    remembered->observed = VERDICT_NO_OPINION;
    remembered->verify = remembered->encrypt = (struct downgrade){0, 0};
    remembered->refused = 0;
}

/* A downgrade that is in both goes on from the earlier one. */
static void begin_earlier(struct downgrade *downgrade, const struct downgrade *earlier)
{
    if (downgrade->since != 0 && earlier->since != 0)
        *downgrade = *earlier;
}

struct remembered remembered_join(const struct remembered *earlier, const struct remembered *later)
{
    struct remembered joined = later->observed >= earlier->observed ? *later : *earlier;

    if (later->observed == earlier->observed) {
        begin_earlier(&joined.verify, &earlier->verify);
        begin_earlier(&joined.encrypt, &earlier->encrypt);
    }
    joined.dane_only_until = larger(earlier->dane_only_until, later->dane_only_until);
    joined.dane_possible = earlier->dane_possible || later->dane_possible;
    joined.secure = earlier->secure || later->secure;
    joined.refused = later->refused;
    return joined;
}

int64_t remembered_dane_until(const struct remembered *remembered, int64_t decided_at)
{
    if (!remembered->dane_possible)
        return 0;
    return remembered->dane_only_until != 0 ? remembered->dane_only_until : decided_at;
}

void remembered_set_dane_until(struct remembered *remembered, int64_t dane_until)
{
    remembered->dane_only_until = dane_until;
    remembered->dane_possible = dane_until != 0;
}
