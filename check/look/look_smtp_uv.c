/*
 * look_smtp_uv: the connections to one address, one after the other: first as Postfix makes it, then
 * what can only be found out by offering something else, and last, only if that was asked for, MAIL
 * without TLS. An address that did not come as far as TLS is asked for old versions only.
 */
#include "check/look/look_internal.h"

#include <string.h>

enum connection {
    CONNECTION_DEFAULT,
    CONNECTION_OTHER_KEY, /* the kind of certificate that was not shown */
    CONNECTION_OLD,
    CONNECTION_WEAK,
    CONNECTION_MAIL,
    CONNECTION_COUNT
};

static const enum tls_offer tls_offers[] = {
    [CHECK_OFFER_DEFAULT] = TLS_OFFER_DEMANDED, [CHECK_OFFER_RSA] = TLS_OFFER_RSA,
    [CHECK_OFFER_ECDSA] = TLS_OFFER_ECDSA,      [CHECK_OFFER_OLD] = TLS_OFFER_OLD,
    [CHECK_OFFER_WEAK] = TLS_OFFER_WEAK,
};

static struct check_attempt *attempt_of(const struct look_address *address, enum check_offer offer)
{
    return &address->out->attempts[offer];
}

static const struct check_attempt *first_of(const struct look_address *address)
{
    return attempt_of(address, CHECK_OFFER_DEFAULT);
}

/* ---- what is offered when ---- */

static bool has_key(const struct check_attempt *attempt, const char *type)
{
    return attempt->certificate_count > 0 &&
           strncmp(attempt->certificates[0].key_type, type, strlen(type)) == 0;
}

static enum check_offer offer_of(const struct look_address *address, enum connection connection)
{
    switch (connection) {
    case CONNECTION_OTHER_KEY:
        return has_key(first_of(address), "RSA") ? CHECK_OFFER_ECDSA : CHECK_OFFER_RSA;
    case CONNECTION_OLD:
        return CHECK_OFFER_OLD;
    case CONNECTION_WEAK:
        return CHECK_OFFER_WEAK;
    default:
        return CHECK_OFFER_DEFAULT;
    }
}

static bool is_wanted(const struct look_address *address, enum connection connection)
{
    enum starttls first = first_of(address)->state;

    switch (connection) {
    case CONNECTION_DEFAULT:
        return true;
    case CONNECTION_OTHER_KEY:
        return first_of(address)->certificate_count > 0;
    case CONNECTION_OLD:
        return first >= STARTTLS_BROKEN;
    case CONNECTION_WEAK:
        return first >= STARTTLS_TLS;
    case CONNECTION_MAIL:
        return address->look->request.enforced && first >= STARTTLS_CLEAR;
    default:
        return false;
    }
}

/* ---- what came ---- */

static struct tls_reference reference_of(const struct look_address *address,
                                         const struct tlsa *tlsa, size_t count)
{
    const struct mx_host *host = address->host->evidence;
    const struct evidence *evidence = &address->look->evidence;
    struct tls_reference reference = {.host = host->name, .tlsa = tlsa, .tlsa_count = count};
    size_t names = 0;

    if (host->tlsa_base != NULL)
        reference.tlsa_names[names++] = host->tlsa_base;
    reference.tlsa_names[names++] = evidence->domain;
    if (evidence->expanded != NULL)
        reference.tlsa_names[names] = evidence->expanded;
    return reference;
}

static void read_certificates(struct check_attempt *out, struct arena *arena)
{
    out->certificates = arena_array(arena, out->shown.count + 1, sizeof *out->certificates);
    while (out->certificates != NULL && out->certificate_count < out->shown.count &&
           tls_chain_certificate(out->chain, out->certificate_count, arena,
                                 &out->certificates[out->certificate_count]))
        out->certificate_count++;
}

/* Compares what was shown with the host's name and its records, whether or not they are signed. */
static void compare(struct look_address *address, struct check_attempt *out)
{
    const struct check_host *host = address->host->out;
    struct arena *arena = address->look->request.arena;
    struct tls_reference reference = reference_of(address, host->records, host->record_count);
    struct starttls_result judged = {0};

    tls_chain_judge(out->chain, &reference, arena, &judged);
    out->name_ok = judged.name_ok;
    out->tlsa = judged.tlsa;
    out->tlsa_matched = arena_array(arena, host->record_count + 1, sizeof *out->tlsa_matched);
    for (size_t i = 0; i < host->record_count && out->tlsa_matched != NULL; i++)
        out->tlsa_matched[i] = tls_chain_matches(out->chain, &reference, &host->records[i]);
}

static void take_attempt(struct look_address *address, struct check_attempt *out,
                         const struct smtp_outcome *outcome)
{
    const struct starttls_result *result = &outcome->result;
    struct arena *arena = address->look->request.arena;

    out->made = true;
    out->failed_here = outcome->failed_here;
    out->state = result->state;
    out->code = result->code;
    out->detail = arena_strdup(arena, result->detail);
    out->protocol = arena_strdup(arena, result->protocol);
    out->cipher = arena_strdup(arena, result->cipher);
    out->requiretls = result->requiretls;
    if (outcome->failure != SMTP_FAILURE_COUNT)
        out->failure = smtp_failure_name(outcome->failure);
    if (outcome->chain == NULL)
        return;
    out->chain = tls_chain_share(outcome->chain);
    if (tls_chain_shown(out->chain, arena, &out->shown)) {
        read_certificates(out, arena);
        compare(address, out);
    }
}

/* What a sender's daemon would have of this connection. */
static void take_evidence(struct look_address *address, const struct smtp_outcome *outcome)
{
    size_t index = (size_t)(address->out - address->host->out->addresses);
    const struct mx_host *host = address->host->evidence;
    const struct check_attempt *first = first_of(address);
    struct starttls_result *out = &host->addresses[index].starttls;
    struct tls_reference reference = reference_of(address, host->tlsa, host->tlsa_count);

    out->state = first->state;
    out->code = first->code;
    out->detail = first->detail;
    out->protocol = first->protocol;
    out->cipher = first->cipher;
    out->requiretls = first->requiretls;
    if (outcome->chain != NULL && !outcome->nameless)
        tls_chain_judge(first->chain, &reference, address->look->request.arena, out);
}

static void on_probed(void *context, const struct smtp_outcome *outcome)
{
    struct look_address *address = context;
    enum connection connection = address->step++;

    address->probe = NULL;
    if (connection == CONNECTION_MAIL) {
        address->out->enforced_code = outcome->mail_code;
        if (outcome->mail_code / 100 == 2)
            address->out->enforced = CHECK_ENFORCED_NO;
        else if (outcome->mail_code / 100 == 5)
            address->out->enforced = CHECK_ENFORCED_YES;
    } else {
        take_attempt(address, attempt_of(address, offer_of(address, connection)), outcome);
    }
    if (connection == CONNECTION_DEFAULT)
        take_evidence(address, outcome);
    look_advance(address->look);
}

/* ---- connecting ---- */

static bool start_connection(struct look_address *address, enum connection connection)
{
    struct check_look *look = address->look;
    const struct mx_host *host = address->host->evidence;
    const struct smtp_tools tools = {look->loop, prober_tls(look->request.prober),
                                     look->tools->filter};
    struct smtp_options options = look->request.options->probes.smtp;
    struct tls_reference reference = reference_of(address, host->tlsa, host->tlsa_count);

    options.helo_name = look->request.helo_name;
    options.helo_pending = false;
    options.keep_chain = true;
    options.offer = tls_offers[offer_of(address, connection)];
    options.try_mail = connection == CONNECTION_MAIL;
    address->target = (struct smtp_target){
        .ip = address->out->ip,
        .port = look->evidence.port,
        .host = host->name,
        .sni = host->tlsa_base != NULL ? host->tlsa_base : host->name,
        .tlsa = host->tlsa,
        .tlsa_count = host->tlsa_count,
    };
    memcpy(address->target.tlsa_names, reference.tlsa_names, sizeof reference.tlsa_names);
    return smtp_start(&address->probe, &tools, &options, &address->target, on_probed, address) == 0;
}

bool look_connect(struct look_address *address)
{
    if (address->out->forbidden != NULL)
        return false;
    while (address->probe == NULL && address->step < CONNECTION_COUNT) {
        enum connection connection = address->step;

        if (is_wanted(address, connection) && start_connection(address, connection))
            return true;
        address->probe = NULL;
        address->step++;
    }
    return address->probe != NULL;
}
