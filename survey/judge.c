/*
 * judge: see judge.h. Which handshake a pair is judged by:
 *
 *   1. the one that was made with its own name, whatever it came to: Postfix would see that. Only
 *      another connection that was not made or not answered (skipped, silent, error) says nothing of
 *      the name;
 *   2. else the first one, if its certificate covers the host: it names it, and usable TLSA records
 *      match it;
 *   3. else the best of all that were made: an uncovered host whose name was not tried, because
 *      JUDGE_NAMES_MAX others were.
 *
 * TLS that works without SNI only is never more than TLS, and does not work for a host with usable
 * TLSA records, for which Postfix always sends a name: as in probe/smtp/smtp_uv.c.
 *
 * Nothing is written before the last connection that is wanted has come, so that what is written
 * does not depend on the order, and a run that is stopped in between goes on. The time is linear in
 * the number of hosts; each chain is parsed once.
 *
 * BUGS
 *   A certificate that DANE-TA(2) records lead to may name the next-hop instead of the host
 *   (RFC 7672 §3.2.2). An address has no next-hop here, so such a certificate does not match.
 */
#include "survey/judge.h"

#include <string.h>

#include "probe/tls/tls_chain.h"

#define ARENA_MAX ((size_t)16 * 1024 * 1024) /* handshakes, and words about one pair */

struct handshake {
    const char *sni;
    const struct address_seen *seen;
    struct tls_chain *chain; /* owned; NULL without TLS */
};

struct judging {
    struct results *results;
    int64_t address;
    struct arena *words; /* about one pair */
    int count;
    struct handshake handshakes[RESULTS_HANDSHAKES_MAX]; /* the first one first */
    /* The pair whose name is to be tried next. */
    bool wanted, wanted_dane;
    int64_t wanted_host;
    char wanted_sni[HOSTNAME_MAX + 1];
};

static bool has_usable(const struct results_pair *pair)
{
    for (size_t i = 0; i < pair->tlsa_count; i++)
        if (pair->tlsa[i].usable)
            return true;
    return false;
}

static struct tls_reference reference_of(const struct results_pair *pair)
{
    return (struct tls_reference){.host = pair->name,
                                  .tlsa = pair->tlsa,
                                  .tlsa_count = pair->tlsa_count,
                                  .tlsa_names = {pair->sni}};
}

/* ---- one pair by one handshake ---- */

/* TLS without a name, for a pair. */
static void take_nameless(struct starttls_result *out, const struct results_pair *pair,
                          const char *detail)
{
    if (has_usable(pair))
        *out = (struct starttls_result){.state = STARTTLS_BROKEN, .code = out->code};
    else
        out->state = STARTTLS_TLS;
    out->expired = false;
    out->detail = detail;
}

static void judge_by(struct judging *judging, const struct handshake *handshake,
                     const struct results_pair *pair, struct starttls_result *out)
{
    const struct tls_reference reference = reference_of(pair);
    const struct starttls_result *seen = &handshake->seen->result;

    *out = (struct starttls_result){.state = seen->state, .code = seen->code};
    if (handshake->chain == NULL) {
        out->detail = seen->detail;
        return;
    }
    tls_chain_judge(handshake->chain, &reference, judging->words, out);
    if (handshake->seen->nameless)
        take_nameless(out, pair, seen->detail);
}

static bool covers(const struct starttls_result *result, const struct results_pair *pair)
{
    return result->state >= STARTTLS_TLS && result->name_ok &&
           (!has_usable(pair) || result->tlsa == TLSA_MATCH_OK);
}

/* More is better. */
static int worth(const struct starttls_result *result)
{
    return 4 * (result->tlsa == TLSA_MATCH_OK) + 2 * (result->state == STARTTLS_VERIFIED) +
           (result->state >= STARTTLS_TLS);
}

/* ---- which one ---- */

/* The handshake with the pair's own name; NULL: none, or another connection that was not made or had
 * no answer. */
static const struct handshake *own_handshake(const struct judging *judging,
                                             const struct results_pair *pair)
{
    for (int i = 0; i < judging->count; i++) {
        const struct handshake *one = &judging->handshakes[i];
        enum starttls state = one->seen->result.state;

        if (strcmp(one->sni, pair->sni) == 0)
            return i > 0 && state <= STARTTLS_ERROR ? NULL : one;
    }
    return NULL;
}

static const struct handshake *choose(struct judging *judging, const struct results_pair *pair,
                                      struct starttls_result *out)
{
    const struct handshake *best = own_handshake(judging, pair);
    struct starttls_result other;

    if (best != NULL) {
        judge_by(judging, best, pair, out);
        return best;
    }
    best = &judging->handshakes[0];
    judge_by(judging, best, pair, out);
    for (int i = 1; i < judging->count && !covers(out, pair); i++) {
        judge_by(judging, &judging->handshakes[i], pair, &other);
        if (worth(&other) <= worth(out))
            continue;
        *out = other;
        best = &judging->handshakes[i];
    }
    return best;
}

/* ---- another name ---- */

static bool same_shown(const struct tls_shown *a, const struct tls_shown *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->certificates[i].length != b->certificates[i].length ||
            memcmp(a->certificates[i].data, b->certificates[i].data, a->certificates[i].length) !=
                0)
            return false;
    return true;
}

/* The server took no notice of the other name: the same chain, or it breaks the handshake again. */
static bool same_answer(const struct handshake *first, const struct handshake *other)
{
    if (first->chain == NULL)
        return other->seen->result.state == STARTTLS_BROKEN;
    return other->chain != NULL && same_shown(&first->seen->shown, &other->seen->shown);
}

/* Whether another name may show more than was seen. Where one was not tried, none will be. */
static bool may_try(const struct judging *judging)
{
    const struct handshake *first = &judging->handshakes[0];

    if (first->seen->result.state != STARTTLS_BROKEN && first->chain == NULL)
        return false;
    for (int i = 1; i < judging->count; i++)
        if (judging->handshakes[i].seen->result.state == STARTTLS_SKIPPED ||
            same_answer(first, &judging->handshakes[i]))
            return false;
    return judging->count - 1 < JUDGE_NAMES_MAX;
}

static bool was_tried(const struct judging *judging, const char *sni)
{
    for (int i = 0; i < judging->count; i++)
        if (strcmp(judging->handshakes[i].sni, sni) == 0)
            return true;
    return false;
}

/* Whether what the first handshake showed is enough for a pair. */
static bool is_covered(struct judging *judging, const struct results_pair *pair)
{
    const struct handshake *first = &judging->handshakes[0];
    struct starttls_result result;

    if (first->chain == NULL || !tls_chain_names(first->chain, pair->name))
        return false;
    if (!has_usable(pair))
        return true;
    judge_by(judging, first, pair, &result);
    return covers(&result, pair);
}

/* The first pair with usable TLSA records that needs it, else the first one; they come by id. */
static bool want_pair(void *context, const struct results_pair *pair)
{
    struct judging *judging = context;
    bool dane = has_usable(pair);

    if (judging->wanted && (judging->wanted_dane || !dane))
        return true;
    if (was_tried(judging, pair->sni) || is_covered(judging, pair))
        return true;
    judging->wanted = true;
    judging->wanted_dane = dane;
    judging->wanted_host = pair->host;
    memcpy(judging->wanted_sni, pair->sni, strlen(pair->sni) + 1);
    arena_reset(judging->words);
    return true;
}

/* ---- what is written ---- */

/* Of each record; the only one of a host has been compared already. */
static bool put_matches(struct judging *judging, const struct handshake *handshake,
                        const struct results_pair *pair, const struct starttls_result *result)
{
    const struct tls_reference reference = reference_of(pair);
    bool alone = pair->tlsa_count == 1;

    if (result->state < STARTTLS_TLS || handshake->seen->shown.count == 0)
        return true;
    for (size_t i = 0; i < pair->tlsa_count; i++) {
        bool matches = alone ? result->tlsa == TLSA_MATCH_OK
                             : tls_chain_matches(handshake->chain, &reference, &pair->tlsa[i]);

        if (!results_put_match(judging->results, pair->host, i, matches))
            return false;
    }
    return true;
}

static bool put_pair(void *context, const struct results_pair *pair)
{
    struct judging *judging = context;
    struct starttls_result result;
    const struct handshake *handshake;

    arena_reset(judging->words);
    handshake = choose(judging, pair, &result);
    return !arena_failed(judging->words) &&
           results_put_pair(judging->results, judging->address, pair->host, handshake->sni,
                            &result) &&
           put_matches(judging, handshake, pair, &result);
}

/* ---- the address ---- */

static bool judge(struct judging *judging)
{
    if (may_try(judging) &&
        !results_each_pair(judging->results, judging->address, want_pair, judging))
        return false;
    return judging->wanted
               ? results_retry(judging->results, judging->address, judging->wanted_host,
                               judging->wanted_sni)
               : results_each_pair(judging->results, judging->address, put_pair, judging);
}

/* The chain of a handshake: of the latest result, if that is what it came from. */
static struct tls_chain *chain_of(struct tls_context *context, const struct handshake *handshake,
                                  const struct unit_result *latest)
{
    if (latest != NULL && latest->chain != NULL && strcmp(latest->unit.name, handshake->sni) == 0)
        return tls_chain_share(latest->chain);
    return tls_chain_new(context, &handshake->seen->shown);
}

static bool parse(struct judging *judging, struct tls_context *context,
                  const struct results_handshake *read, const struct unit_result *latest)
{
    for (int i = 0; i < judging->count; i++) {
        struct handshake *one = &judging->handshakes[i];

        one->sni = read[i].sni;
        one->seen = &read[i].seen;
        if (one->seen->result.state < STARTTLS_TLS)
            continue;
        one->chain = chain_of(context, one, latest);
        if (one->chain == NULL)
            return false;
    }
    return true;
}

bool judge_address(struct results *results, struct tls_context *context, int64_t address,
                   const struct unit_result *latest)
{
    struct results_handshake read[RESULTS_HANDSHAKES_MAX];
    struct judging judging = {.results = results, .address = address};
    struct arena *arena = arena_new(ARENA_MAX);
    bool ok = false;

    judging.words = arena_new(ARENA_MAX);
    if (arena != NULL && judging.words != NULL) {
        judging.count = results_handshakes(results, address, arena, read);
        ok = judging.count == 0 ||
             (judging.count > 0 && parse(&judging, context, read, latest) && judge(&judging));
    }
    for (int i = 0; i < judging.count; i++)
        tls_chain_free(judging.handshakes[i].chain);
    arena_free(judging.words);
    arena_free(arena);
    return ok;
}
