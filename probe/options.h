/* options: all that a prober can be told, as plain data; see prober_uv.h. */
#pragma once

#include "base/net/address_filter.h"
#include "probe/dns/dns.h"
#include "probe/https/https.h"
#include "probe/smtp/smtp_options.h"
#include "probe/sts/sts_cache.h"
#include "probe/tls/tls_settings.h"

struct prober_options {
    struct dns_options dns;
    struct address_filter filter;      /* the arrays are borrowed */
    struct probe_cache_options probes; /* without a helo_name it is looked up */
    struct https_options https;
    struct sts_cache_options sts;
    const char *ca_file, *ca_path; /* borrowed; NULL: system store */
    struct tls_settings tls;       /* of probes; its list is borrowed */
    bool dane, mta_sts, probe;
    uint16_t smtp_port;
};
