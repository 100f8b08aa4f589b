/* judge: MX records, hosts, addresses, and STARTTLS up to the cipher. */
#include "tests/unit/check/judge_rows.h"

#define H1    "mx1.example.org"
#define H2    "mx2.example.org"
#define BOTH1 H1 " [9.9.9.1] [2620:fe::1]"

SPOIL(nothing)
{
    (void)made;
}

/* ---- MX ---- */

static void no_hosts(struct made *made, enum mx_state state)
{
    made->evidence.mx = state;
    made->facts.host_count = 0;
}

SPOIL(more_hosts)
{
    made->evidence.mx_truncated = true;
}
SPOIL(mx_fails)
{
    no_hosts(made, MX_ERROR);
    made->evidence.mx_why = "SERVFAIL (EDE 6: DNSSEC Bogus)";
    made->mx.answer = (struct dns_answer){.outcome = DNS_FAILED};
}
SPOIL(no_domain)
{
    no_hosts(made, MX_NXDOMAIN);
    made->evidence.sts = (struct sts_evidence){.state = STS_NO_RECORD};
    made->facts.tlsrpt.state = TLSRPT_NONE;
}
SPOIL(mx_unknown)
{
    no_hosts(made, MX_UNKNOWN);
    made->facts.mx.failed_here = true;
}
SPOIL(implicit)
{
    made->evidence.mx = MX_IMPLICIT;
}
SPOIL(null_alone)
{
    no_hosts(made, MX_NULL);
    made->evidence.sts = (struct sts_evidence){.state = STS_NO_RECORD};
    made->facts.tlsrpt.state = TLSRPT_NONE;
}
SPOIL(null_among)
{
    made->facts.null_mx_among = true;
}
SPOIL(bad_name)
{
    made->bad_names[0] = "192.0.2.1";
    made->facts.bad_name_count = 1;
}
SPOIL(bad_name_alone)
{
    no_hosts(made, MX_UNUSABLE);
    bad_name(made);
}
SPOIL(alias)
{
    made->hosts[0].alias = true;
    made->host[0].a.answer.owner = "real.example.org";
}

/* ---- hosts ---- */

static void set_outcome(struct made *made, size_t host, enum dns_outcome outcome)
{
    made->host[host].a.answer.outcome = outcome;
    made->host[host].aaaa.answer.outcome = outcome;
    made->host[host].tlsa.answer.outcome = outcome == DNS_FAILED ? DNS_FAILED : DNS_NXDOMAIN;
    made->host[host].evidence.address_secure = false;
    made->hosts[host].record_count = 0;
    made->hosts[host].address_count = 0;
}

SPOIL(one_host_is_gone)
{
    set_outcome(made, 1, DNS_NXDOMAIN);
}
SPOIL(all_hosts_are_gone)
{
    set_outcome(made, 0, DNS_NODATA);
    set_outcome(made, 1, DNS_NODATA);
    made->evidence.mx = MX_IMPLICIT; /* which counts for nothing then */
}
SPOIL(one_host_fails)
{
    set_outcome(made, 1, DNS_FAILED);
    made->host[1].a.answer.why = made->host[1].aaaa.answer.why = "timeout";
}
SPOIL(aaaa_fails)
{
    made->host[0].aaaa.answer.outcome = DNS_FAILED;
    made->hosts[0].address_count = 1;
}
SPOIL(aaaa_fails_here)
{
    made->hosts[0].aaaa.failed_here = true;
}
SPOIL(all_hosts_fail)
{
    one_host_fails(made);
    set_outcome(made, 0, DNS_FAILED);
}
SPOIL(private_address)
{
    assert_true(ip_parse(&made->hosts[0].addresses[0].ip, "10.0.0.1"));
    made->hosts[0].addresses[0].forbidden = "private (RFC 1918)";
    made->hosts[0].addresses[0].attempts[0] = (struct check_attempt){.made = false};
    made->host[0].reverse[0].answer.outcome = DNS_NXDOMAIN;
}
SPOIL(only_private)
{
    made->facts.host_count = 1;
    made->policy.mx_count = 1;
    private_address(made);
    made->hosts[0].address_count = 1;
    made->host[0].aaaa.answer.outcome = DNS_NODATA;
}
SPOIL(excluded)
{
    made->hosts[0].addresses[0].forbidden = "excluded by the operator";
}
SPOIL(no_v4)
{
    for (size_t i = 0; i < 2; i++) {
        made->host[i].a.answer.outcome = DNS_NODATA;
        made->hosts[i].addresses++;
        made->hosts[i].address_count = 1;
    }
}
SPOIL(no_v6)
{
    for (size_t i = 0; i < 2; i++) {
        made->host[i].aaaa.answer.outcome = DNS_NODATA;
        made->hosts[i].address_count = 1;
    }
}
SPOIL(v6_at_one_host)
{
    made->host[1].aaaa.answer.outcome = DNS_NODATA;
    made->hosts[1].address_count = 1;
}
SPOIL(no_reverse)
{
    for (size_t i = 0; i < 2; i++) {
        made->host[0].reverse[i].answer.outcome = DNS_NXDOMAIN;
        made->hosts[0].addresses[i].reverse_confirmed = false;
    }
}
SPOIL(reverse_elsewhere)
{
    made->hosts[0].addresses[0].reverse_confirmed = false;
    made->host[0].reverse[0].record.name = "dsl.example.net";
}
SPOIL(reverse_fails)
{
    made->hosts[0].addresses[0].reverse_confirmed = false;
    made->host[0].reverse[0].answer.outcome = DNS_FAILED;
}
SPOIL(reverse_unasked)
{
    made->hosts[0].addresses[0].reverse = (struct check_rrset){.name = NULL};
    made->hosts[0].addresses[0].reverse_confirmed = false;
}

static const struct judge_row mx_rows[] = {
    {"sound", nothing, ""},
    {"more hosts than are looked at", more_hosts, "unknown not-found-out"},
    {"the MX lookup fails", mx_fails, "critical mx-lookup-failed"},
    {"the domain does not exist", no_domain, "critical domain-missing"},
    {"the MX lookup failed here", mx_unknown, "unknown not-found-out"},
    {"an implicit MX", implicit, "notice mx-implicit"},
    {"a null MX alone is sound", null_alone, ""},
    {"a null MX among others", null_among, "critical mx-null-among-others"},
    {"an address as MX", bad_name, "warning mx-not-a-host"},
    {"an address as the only MX", bad_name_alone, "critical mx-not-a-host"},
    {"an alias as MX", alias, "warning mx-alias " H1},
    {"one host without an address", one_host_is_gone, "warning host-without-address " H2},
    {"no host with an address", all_hosts_are_gone,
     "critical host-without-address " H1 "\ncritical host-without-address " H2},
    {"one host fails", one_host_fails, "warning host-lookup-failed " H2},
    {"AAAA fails", aaaa_fails, "warning host-lookup-failed " H1},
    {"AAAA failed here", aaaa_fails_here, "unknown not-found-out " H1},
    {"all hosts fail", all_hosts_fail,
     "critical host-lookup-failed " H1 "\ncritical host-lookup-failed " H2},
    {"a private address", private_address, "warning address-not-public " H1 " [10.0.0.1]"},
    {"only private addresses", only_private,
     "critical address-not-public " H1 " [10.0.0.1]\nnotice no-ipv6"},
    {"an address that the operator excludes", excluded, "unknown not-found-out " H1 " [9.9.9.1]"},
    {"no IPv4", no_v4, "warning no-ipv4"},
    {"no IPv6", no_v6, "notice no-ipv6"},
    {"IPv6 at one host is enough", v6_at_one_host, ""},
    {"no reverse names", no_reverse, "notice reverse-name " BOTH1},
    {"a reverse name that leads elsewhere", reverse_elsewhere,
     "notice reverse-name " H1 " [9.9.9.1]"},
    {"a reverse lookup that fails", reverse_fails, "notice reverse-name " H1 " [9.9.9.1]"},
    {"reverse names were not asked for", reverse_unasked, ""},
};

/* ---- SMTP and TLS ---- */

static struct check_attempt *attempt(struct made *made, size_t host, size_t address,
                                     enum check_offer offer)
{
    return &made->hosts[host].addresses[address].attempts[offer];
}

/* Nothing but that state comes of connecting there. */
static void set_state(struct made *made, size_t host, size_t address, enum starttls state)
{
    for (enum check_offer offer = CHECK_OFFER_DEFAULT; offer < CHECK_OFFER_COUNT; offer++)
        *attempt(made, host, address, offer) = (struct check_attempt){.state = state};
    attempt(made, host, address, CHECK_OFFER_DEFAULT)->made = true;
}

static void set_states(struct made *made, size_t host, enum starttls state)
{
    set_state(made, host, 0, state);
    set_state(made, host, 1, state);
}

static void set_tls(struct made *made, enum check_offer offer, const char *protocol,
                    const char *cipher)
{
    for (size_t i = 0; i < MADE_ADDRESSES; i++) {
        made_tls(&made->host[0], H1, i, offer, '1');
        attempt(made, 0, i, offer)->protocol = protocol;
        attempt(made, 0, i, offer)->cipher = cipher;
    }
}

SPOIL(silent)
{
    set_state(made, 0, 1, STARTTLS_SILENT);
}
SPOIL(no_route)
{
    for (size_t i = 0; i < 2; i++) {
        set_state(made, i, 1, STARTTLS_SILENT);
        attempt(made, i, 1, CHECK_OFFER_DEFAULT)->detail = "connect: network is unreachable";
    }
}
SPOIL(no_route_to_one)
{
    no_route(made);
    made_tls(&made->host[1], H2, 1, CHECK_OFFER_DEFAULT, '1');
}
SPOIL(all_silent)
{
    set_states(made, 0, STARTTLS_SILENT);
    set_states(made, 1, STARTTLS_ERROR);
}
SPOIL(error)
{
    set_states(made, 0, STARTTLS_ERROR);
}
SPOIL(clear)
{
    set_states(made, 0, STARTTLS_CLEAR);
}
SPOIL(tempfail)
{
    set_states(made, 0, STARTTLS_TEMPFAIL);
}
SPOIL(refused)
{
    set_states(made, 0, STARTTLS_REFUSED);
}
SPOIL(broken)
{
    set_states(made, 0, STARTTLS_BROKEN);
}
SPOIL(not_tried)
{
    set_states(made, 0, STARTTLS_UNKNOWN);
}
SPOIL(failed_here)
{
    attempt(made, 0, 0, CHECK_OFFER_DEFAULT)->failed_here = true;
}
SPOIL(not_probed)
{
    made->facts.probed = false;
    set_states(made, 0, STARTTLS_UNKNOWN);
    set_states(made, 1, STARTTLS_UNKNOWN);
    made->hosts[0].addresses[0].forbidden = "probing is switched off";
}
SPOIL(old_only)
{
    set_states(made, 0, STARTTLS_BROKEN);
    set_tls(made, CHECK_OFFER_OLD, "TLSv1", "ECDHE-ECDSA-AES256-SHA");
}
SPOIL(old_by_default)
{
    set_tls(made, CHECK_OFFER_DEFAULT, "TLSv1.1", "ECDHE-ECDSA-AES256-SHA");
    set_tls(made, CHECK_OFFER_OLD, "TLSv1.1", "ECDHE-ECDSA-AES256-SHA");
}
SPOIL(old_too)
{
    set_tls(made, CHECK_OFFER_OLD, "TLSv1.1", "ECDHE-ECDSA-AES256-SHA");
}
SPOIL(rc4)
{
    set_tls(made, CHECK_OFFER_WEAK, "TLSv1.2", "ECDHE-RSA-RC4-SHA");
}
SPOIL(triple_des)
{
    set_tls(made, CHECK_OFFER_WEAK, "TLSv1.2", "DES-CBC3-SHA");
}
SPOIL(seed)
{
    set_tls(made, CHECK_OFFER_WEAK, "TLSv1.2", "DHE-RSA-SEED-SHA");
}
SPOIL(no_forward_secrecy)
{
    set_tls(made, CHECK_OFFER_WEAK, "TLSv1.2", "AES256-GCM-SHA384");
}
SPOIL(anonymous)
{
    set_tls(made, CHECK_OFFER_WEAK, "TLSv1.2", "ADH-AES256-GCM-SHA384");
    attempt(made, 0, 0, CHECK_OFFER_WEAK)->certificate_count = 0;
}

static const struct judge_row tls_rows[] = {
    {"an address is silent", silent, "warning smtp-silent " H1 " [2620:fe::1]"},
    {"no IPv6 here", no_route, "notice not-found-out"},
    {"an IPv6 network that is unreachable", no_route_to_one,
     "warning smtp-silent " H1 " [2620:fe::1]"},
    {"no address answers", all_silent,
     "critical smtp-silent " BOTH1 "\ncritical smtp-error " H2 " [9.9.9.2] [2620:fe::2]"},
    {"no SMTP", error, "warning smtp-error " BOTH1},
    {"no STARTTLS", clear, "critical starttls-missing " BOTH1},
    {"STARTTLS fails for now", tempfail, "critical starttls-refused " BOTH1},
    {"STARTTLS is refused", refused, "critical starttls-refused " BOTH1},
    {"no handshake", broken, "critical tls-broken " BOTH1},
    {"nothing came of it", not_tried, "unknown not-found-out " BOTH1},
    {"it failed here", failed_here, "unknown not-found-out " H1 " [9.9.9.1]"},
    {"nothing was connected to", not_probed, ""},
    {"old versions only", old_only, "critical tls-old-only " BOTH1},
    {"an old version is the usual one", old_by_default, "critical tls-old-only " BOTH1},
    {"old versions too", old_too, "notice tls-old-offered " BOTH1},
    {"RC4", rc4, "warning tls-weak-cipher " BOTH1},
    {"3DES", triple_des, "warning tls-weak-cipher " BOTH1},
    {"SEED", seed, "warning tls-weak-cipher " BOTH1},
    {"no forward secrecy", no_forward_secrecy, "notice tls-weak-cipher " BOTH1},
    {"no certificate needed", anonymous, "notice tls-weak-cipher " BOTH1},
};

static void every_code(void **state)
{
    static const char *const codes[] = {CHECK_MX_FINDINGS(JUDGE_CODE)};
    static const char *const tls_codes[] = {CHECK_TLS_FINDINGS(JUDGE_CODE)};

    (void)state;
    judge_covered(codes, COUNT(codes), mx_rows, COUNT(mx_rows));
    for (size_t i = 0; i < COUNT(tls_codes); i++)
        if (strncmp(tls_codes[i], "certificate-", 12) != 0)
            judge_covered(&tls_codes[i], 1, tls_rows, COUNT(tls_rows));
}

int main(void)
{
    ROWS_ADD(mx_rows, judge_test);
    ROWS_ADD(tls_rows, judge_test);
    ROWS_ADD_TEST(every_code);
    return rows_run("judge_mx");
}
