/* cache_sound: which evidence is for other relays too; see cache.h. */
#include "daemon/cache/cache.h"

static bool host_is_sound(const struct mx_host *host)
{
    return host->addresses_known && host->dane != HOST_DANE_UNKNOWN &&
           host->dane != HOST_DANE_ERROR && host->dane != HOST_DANE_LOST;
}

/* The host has said something of STARTTLS. */
static bool has_answered(enum starttls state)
{
    return state == STARTTLS_CLEAR || state == STARTTLS_REFUSED || state == STARTTLS_BROKEN ||
           state == STARTTLS_TLS || state == STARTTLS_VERIFIED;
}

/* False where there are addresses, and none of them has answered. */
static bool hosts_have_answered(const struct evidence *evidence)
{
    size_t addresses = 0;

    for (size_t i = 0; i < evidence->host_count; i++) {
        const struct mx_host *host = &evidence->hosts[i];

        addresses += host->address_count;
        for (size_t j = 0; j < host->address_count; j++)
            if (has_answered(host->addresses[j].starttls.state))
                return true;
    }
    return addresses == 0;
}

/* Asked for here, so it must have been asked for there. */
static bool sts_is_sound(const struct cache *cache, const struct evidence *evidence)
{
    switch (evidence->sts.state) {
    case STS_UNKNOWN:
    case STS_DNS_ERROR:
    case STS_FETCH_FAILED:
        return false;
    case STS_NOT_ASKED:
        return cache->tools.sts == NULL || evidence->port != cache->tools.smtp_port;
    default:
        return true;
    }
}

bool cache_is_sound(const struct cache *cache, const struct evidence *evidence)
{
    if (!evidence->complete || evidence->mx == MX_UNKNOWN || evidence->mx == MX_ERROR)
        return false;
    for (size_t i = 0; i < evidence->host_count; i++)
        if (!host_is_sound(&evidence->hosts[i]))
            return false;
    return sts_is_sound(cache, evidence) &&
           (!cache->config->prober.probe || hosts_have_answered(evidence));
}
