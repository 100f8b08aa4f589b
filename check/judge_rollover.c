/*
 * judge_rollover: what happens at a host with TLSA records when its certificate or key changes
 * (RFC 7671 §5 and §8). A host is ready when a record is there that the next certificate will match:
 * one of an issuer that still issues, or one of a key that is not in use yet.
 */
#include "check/judge_internal.h"

#include "check/check_tlsa.h"

/* Whether a record matches a certificate that the host shows now. */
static bool is_live(const struct check_host *host, size_t record)
{
    for (size_t i = 0; i < host->address_count; i++)
        for (size_t k = 0; k < JUDGE_LEAVES; k++) {
            const struct check_attempt *leaf = judge_leaf(&host->addresses[i], k);

            if (leaf != NULL && leaf->tlsa_matched != NULL && leaf->tlsa_matched[record])
                return true;
        }
    return false;
}

/* The issuers that issue no more, of the host's records, with these; NULL: none. */
static const char *retired_names(const struct judging *judging, const struct check_host *host)
{
    struct judge_list names;
    const char *list;

    judge_list_init(&names);
    for (size_t i = 0; i < host->record_count; i++)
        if (check_tlsa_issuer(&host->records[i]) != NULL)
            judge_list_add(&names,
                           judge_text(judging, "%s (%s)", check_tlsa_issuer(&host->records[i]),
                                      judge_tlsa_text(judging, &host->records[i])));
    list = judge_list_take(judging, &names);
    return names.count > 0 ? list : NULL;
}

/* What the usable records of a host are. */
struct readiness {
    size_t live;      /* match now */
    size_t live_pins; /* of these: 3 0 x */
    bool ready;       /* for the next certificate */
    bool only_retired;
    const struct tlsa *pin;
};

static struct readiness readiness_of(const struct check_host *host)
{
    struct readiness out = {.only_retired = true};

    for (size_t i = 0; i < host->record_count; i++) {
        const struct tlsa *record = &host->records[i];
        bool live = is_live(host, i);

        if (!record->usable)
            continue;
        out.only_retired &= check_tlsa_issuer(record) != NULL;
        if (check_tlsa_issuer(record) == NULL && (!live || record->usage == 2))
            out.ready = true;
        out.live += live;
        if (live && record->usage == 3 && record->selector == 0) {
            out.live_pins++;
            out.pin = record;
        }
    }
    return out;
}

bool judge_all_retired(const struct check_host *host)
{
    struct readiness readiness = readiness_of(host);

    return readiness.only_retired && readiness.live == 0;
}

/* The leaf that ends first; NULL: none is known. */
static const struct tls_certificate *first_to_end(const struct check_host *host)
{
    const struct tls_certificate *first = NULL;

    for (size_t i = 0; i < host->address_count; i++)
        for (size_t k = 0; k < JUDGE_LEAVES; k++) {
            const struct check_attempt *leaf = judge_leaf(&host->addresses[i], k);

            if (leaf != NULL &&
                (first == NULL || leaf->certificates[0].not_after < first->not_after))
                first = &leaf->certificates[0];
        }
    return first;
}

static void judge_issuers(const struct judging *judging, const struct check_host *host,
                          const char *names, bool deferred)
{
    judge_put(
        judging, &(struct judge_at){.host = host},
        &(struct check_finding){
            .code = CHECK_FOUND_TLSA_RETIRED,
            .severity = deferred ? CHECK_CRITICAL : CHECK_WARNING,
            .evidence = judge_text(judging, "%s: %s%s", judge_tlsa_owner(judging, host), names,
                                   deferred ? "; no record matches what is shown" : ""),
            .fix = "remove the record, and publish 3 1 1 of the present and of the next key; "
                   "issuers change without notice"});
}

static void judge_pinned(const struct judging *judging, const struct check_host *host,
                         const struct tlsa *pin)
{
    const struct tls_certificate *leaf = first_to_end(host);

    judge_add(judging, &(struct judge_at){.host = host}, CHECK_FOUND_TLSA_PINNED,
              judge_text(judging,
                         "%s; the certificate ends on %s (%s), and its successor matches no record",
                         judge_tlsa_text(judging, pin), judge_date(judging, leaf->not_after),
                         judge_days(judging, leaf->not_after - judging->facts->now_s)),
              judge_text(judging,
                         "publish %s. IN TLSA 3 1 1 %s beside it, and keep the key at "
                         "renewals (certbot: --reuse-key), or use \"mxcrypt rollover\"",
                         judge_tlsa_owner(judging, host), leaf->key_sha256));
}

bool judge_rollover(const struct judging *judging, const struct check_host *host)
{
    struct readiness readiness = readiness_of(host);
    const char *retired = retired_names(judging, host);
    bool seen = first_to_end(host) != NULL;
    bool pinned = retired == NULL && readiness.live > 0 && readiness.live == readiness.live_pins &&
                  !readiness.ready;

    if (retired != NULL)
        judge_issuers(judging, host, retired, seen && judge_all_retired(host));
    else if (pinned)
        judge_pinned(judging, host, readiness.pin);
    else if (readiness.live > 0 && !readiness.ready)
        judge_add(judging, &(struct judge_at){.host = host}, CHECK_FOUND_TLSA_ALONE,
                  judge_text(judging, "%s: %zu record%s, each of a key in use",
                             judge_tlsa_owner(judging, host), readiness.live,
                             readiness.live == 1 ? "" : "s"),
                  "make the next key now, and publish its 3 1 1 record beside the present one; or "
                  "publish 2 1 1 of the issuer");
    return pinned;
}
