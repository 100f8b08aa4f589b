/*
 * figures_report: the figures of one results file; see figures.h. mxcrypt-survey(5) prints the same
 * SELECTs, and tests/survey_figures.py compares both.
 *
 * total() is sum() that does not fail where whole numbers become too large.
 */
#include "survey/page/figures.h"

#define SHARES                                                                                     \
    " AS key, count(*) AS domains, total(operator_share) AS operators,\n"                          \
    "       total(weight) AS weight, total(1.0 * weight * weight) AS weight_squares\n"
/* Keys in an order of their own: a list between commas. */
#define ORDER(list, key) "ORDER BY instr('," list ",', ',' || " key " || ',')"
#define MOST             "ORDER BY domains DESC, key LIMIT 1000"
/* When the survey ended. */
#define END "(SELECT coalesce(max(ended), max(began)) FROM run)"

/* Leaf certificates in use, where, and seconds until they expire. The table of hosts and domains has
 * no index by hosts: SQLite makes one for what is materialized. */
#define LEAVES                                                                                     \
    "WITH of_host AS MATERIALIZED (SELECT host, domain FROM domain_mx),\n"                         \
    "leaf AS (\n"                                                                                  \
    "  SELECT c.sha256, c.subject, c.issuer, c.not_after,\n"                                       \
    "         c.not_after - " END " AS left,\n"                                                    \
    "         h.address, p.host\n"                                                                 \
    "  FROM handshake h JOIN chain ON chain.sha256 = h.chain\n"                                    \
    "       JOIN certificate c ON c.sha256 = chain.leaf\n"                                         \
    "       LEFT JOIN host_address p ON p.address = h.address AND p.sni = h.sni)\n"

/* Whether a pattern of the MTA-STS policy covers the host: by its name, or by all but its first
 * label. */
#define COVERED                                                                                    \
    "d.mx_unmatched = 0\n"                                                                         \
    "                    OR instr(' ' || lower(p.mx) || ' ', ' ' || h.name || ' ')\n"              \
    "                    OR instr(' ' || lower(p.mx) || ' ',\n"                                    \
    "                         ' *.' || substr(h.name, instr(h.name, '.') + 1) || ' ')"

/* For each domain: addresses that answered, and those that do what its verdict asks for. */
#define DEMANDS                                                                                    \
    "WITH shown AS (\n"                                                                            \
    "  SELECT p.host,\n"                                                                           \
    "         sum(p.starttls IN ('clear', 'tempfail', 'refused', 'broken', 'tls', 'verified'))\n"  \
    "           AS answered,\n"                                                                    \
    "         sum(p.starttls IN ('tls', 'verified')) AS tls,\n"                                    \
    "         sum(p.starttls = 'verified') AS verified,\n"                                         \
    "         sum(p.tlsa = 'match') AS matched\n"                                                  \
    "  FROM host_address p GROUP BY p.host),\n"                                                    \
    "demand AS (\n"                                                                                \
    "  SELECT d.*, count(*) AS hosts, total(answered) AS answered,\n"                              \
    "         total(CASE d.verdict\n"                                                              \
    "               WHEN 'dane-only' THEN matched\n"                                               \
    "               WHEN 'dane' THEN CASE h.dane WHEN 'usable' THEN matched ELSE answered END\n"   \
    "               WHEN 'encrypt' THEN tls\n"                                                     \
    "               WHEN 'secure' THEN CASE WHEN " COVERED "\n"                                    \
    "                    THEN verified ELSE 0 END\n"                                               \
    "               ELSE verified END) AS met\n"                                                   \
    "  FROM mail_domain d JOIN domain_mx m ON m.domain = d.id\n"                                   \
    "       JOIN host h ON h.id = m.host LEFT JOIN shown ON shown.host = m.host\n"                 \
    "       LEFT JOIN policy p ON p.domain = d.id\n"                                               \
    "  GROUP BY d.id),\n"                                                                          \
    "enforced AS (\n"                                                                              \
    "  SELECT *, CASE\n"                                                                           \
    "    WHEN verdict = 'notfound' THEN 'no-demand'\n"                                             \
    "    WHEN verdict = 'temp' THEN 'temp'\n"                                                      \
    "    WHEN verdict = 'secure' AND mx_unmatched >= hosts THEN 'all-fail'\n"                      \
    "    WHEN answered = 0 THEN 'unknown'\n"                                                       \
    "    WHEN met = 0 THEN 'all-fail'\n"                                                           \
    "    WHEN met < answered THEN 'some-fail'\n"                                                   \
    "    ELSE 'all-meet' END AS mail\n"                                                            \
    "  FROM demand)\n"

const struct figure figures_of_report[] = {
    {"runs", "Surveys", "How the file was made: a row for each survey that was merged into it.",
     "SELECT version, began, ended, list, names, lines_bad, names_read, sample, CAST(seed AS TEXT) "
     "AS seed,\n"
     "       shard, shards, dnssec, probe, dane AS option_dane, partial_dane,\n"
     "       testing_enforced, wildcard_hosts, verify AS option_verify, helo\n"
     "FROM run ORDER BY id LIMIT 1000",
     FIGURE_LIST},
    {"totals", "In all",
     "Rows of the tables, and how many of them are still to be looked up. An operator is a base "
     "domain of mail hosts.",
     "SELECT count(*) AS domains, count(*) - count(looked_up) AS domains_waiting,\n"
     "       count(looked_up) - count(verdict) AS domains_undecided,\n"
     "       (SELECT count(*) FROM mail_domain) AS mail_domains,\n"
     "       (SELECT count(DISTINCT operator) FROM mail_domain) AS operators,\n"
     "       total(weight) AS weight,\n"
     "       (SELECT count(*) FROM host) AS hosts,\n"
     "       (SELECT count(*) FROM host WHERE looked_up IS NULL) AS hosts_waiting,\n"
     "       (SELECT count(*) FROM host WHERE opted_out) AS hosts_opted_out,\n"
     "       (SELECT count(*) FROM address) AS addresses,\n"
     "       (SELECT count(*) FROM address WHERE looked_up IS NULL) AS addresses_waiting,\n"
     "       (SELECT coalesce(sum(connections), 0) FROM address) AS connections,\n"
     "       (SELECT count(*) FROM certificate) AS certificates\n"
     "FROM domain",
     FIGURE_ROW},
    {"mx", "MX records", "All domains that were looked up, by what stands in their MX records.",
     "SELECT coalesce(mx, 'unknown')" SHARES "FROM domain WHERE looked_up IS NOT NULL\n"
     "GROUP BY 1\n" ORDER("listed,implicit,null,nxdomain,unusable,error", "key"),
     FIGURE_SHARES},
    {"levels", "Levels",
     "Mail domains by verdict: what mxcryptd would have Postfix demand, with the options that the "
     "survey was made with.",
     "SELECT verdict" SHARES "FROM mail_domain\nGROUP BY 1\n" ORDER(
         "dane-only,secure,verify,dane,encrypt,notfound,temp", "key"),
     FIGURE_SHARES},
    {"reasons", "Reasons", "Mail domains by the reason of their verdict.",
     "SELECT coalesce(reason, 'unknown')" SHARES "FROM mail_domain\nGROUP BY 1\n" MOST,
     FIGURE_SHARES},
    {"starttls", "STARTTLS",
     "Mail domains by what all addresses of all their mail hosts do. Those that did not answer are "
     "left out.",
     "SELECT coalesce(starttls, 'unknown')" SHARES
     "FROM mail_domain\nGROUP BY 1\n" ORDER("verified,tls,partly,clear,refused,unknown", "key"),
     FIGURE_SHARES},
    {"dane", "DANE", "Mail domains by the TLSA records of all their mail hosts, and by DNSSEC.",
     "SELECT coalesce(dane, 'unknown')" SHARES "FROM mail_domain\nGROUP BY 1\n" ORDER(
         "full,mixed,unusable,unsigned,error,none,unknown", "key"),
     FIGURE_SHARES},
    {"mx_signed", "DNSSEC", "Mail domains whose MX records, or their absence, DNSSEC proves.",
     "SELECT CASE mx_secure WHEN 1 THEN 'signed' ELSE 'not-signed' END" SHARES
     "FROM mail_domain\nGROUP BY 1\n" ORDER("signed,not-signed", "key"),
     FIGURE_SHARES},
    {"mta_sts", "MTA-STS", "Mail domains by the mode of their policy, or by why they have none.",
     "SELECT coalesce(mta_sts, 'unknown')" SHARES "FROM mail_domain\nGROUP BY 1\n" ORDER(
         "enforce,testing,none,bad-record,dns-error,fetch-failed,bad-policy,not-asked,no-record",
         "key"),
     FIGURE_SHARES},
    {"policy_faults", "Faults of MTA-STS policies",
     "Mail domains with an MTA-STS record, by what kept the policy from being read.",
     "SELECT CASE p.state WHEN 'policy' THEN 'none' WHEN 'dns-error' THEN p.state\n"
     "       ELSE coalesce(p.failure, p.state) END" SHARES
     "FROM mail_domain d JOIN policy p ON p.domain = d.id\n"
     "GROUP BY 1\n" MOST,
     FIGURE_SHARES},
    {"policy_hosts", "Mail hosts that MTA-STS policies cover",
     "Mail domains with a policy in mode enforce or testing, by how many of their mail hosts a "
     "pattern of it covers.",
     "SELECT CASE WHEN mx_unmatched = 0 THEN 'all'\n"
     "       WHEN mx_unmatched < (SELECT count(*) FROM domain_mx m WHERE m.domain = d.id)\n"
     "       THEN 'some' ELSE 'none' END" SHARES
     "FROM mail_domain d WHERE mta_sts IN ('enforce', 'testing')\n"
     "GROUP BY 1\n" ORDER("all,some,none", "key"),
     FIGURE_SHARES},
    {"tlsrpt", "TLSRPT", "Mail domains by their TLSRPT record.",
     "SELECT coalesce(tlsrpt, 'unknown')" SHARES
     "FROM mail_domain\nGROUP BY 1\n" ORDER("valid,invalid,error,none,unknown", "key"),
     FIGURE_SHARES},
    {"enforcing", "What enforcing would do",
     "Mail domains by what would become of mail to them, were their verdict enforced now: how many "
     "of the addresses that answered do what it demands.",
     DEMANDS "SELECT mail" SHARES "FROM enforced\nGROUP BY 1\n" ORDER(
         "all-meet,some-fail,all-fail,temp,no-demand,unknown", "key"),
     FIGURE_SHARES},
    {"waiting", "Mail that would wait",
     "Mail domains whose mail would wait: all-fail and temp in the figure enforcing, the heaviest "
     "first.",
     DEMANDS "SELECT name, verdict, reason, mail, weight\n"
             "FROM enforced WHERE mail IN ('all-fail', 'temp')\n"
             "ORDER BY weight DESC, name LIMIT 1000",
     FIGURE_LIST},
    {"operators", "Largest operators",
     "Operators by their mail domains, with the verdicts of these.",
     "SELECT operator, count(*) AS domains, total(weight) AS weight,\n"
     "       sum(verdict = 'dane-only') AS dane_only, sum(verdict = 'secure') AS secure,\n"
     "       sum(verdict = 'verify') AS verify, sum(verdict = 'dane') AS dane,\n"
     "       sum(verdict = 'encrypt') AS encrypt, sum(verdict = 'notfound') AS notfound,\n"
     "       sum(verdict = 'temp') AS temp\n"
     "FROM mail_domain WHERE operator IS NOT NULL\n"
     "GROUP BY operator ORDER BY domains DESC, operator LIMIT 1000",
     FIGURE_LIST},
    {"address_states", "Addresses", "Addresses of mail hosts by what one connection showed.",
     "SELECT coalesce(starttls, 'unknown') AS key, count(*) AS addresses\n"
     "FROM address WHERE looked_up IS NOT NULL\n"
     "GROUP BY 1\n" ORDER("tls,verified,clear,tempfail,refused,broken,error,silent,skipped", "key"),
     FIGURE_COUNTS},
    {"address_failures", "Failures at addresses",
     "Addresses by the kind of failure, where the connection failed.",
     "SELECT failure AS key, count(*) AS addresses\n"
     "FROM address WHERE failure IS NOT NULL\n"
     "GROUP BY 1 ORDER BY addresses DESC, key LIMIT 1000",
     FIGURE_COUNTS},
    {"errors", "Failures at domains", "All domains that were looked up, by what failed.",
     "SELECT coalesce(error, 'none')" SHARES "FROM domain WHERE looked_up IS NOT NULL\n"
     "GROUP BY 1\n" MOST,
     FIGURE_SHARES},
    {"hosts", "Mail hosts", "Mail hosts by their TLSA records, as far as DNSSEC proves them.",
     "SELECT dane AS key, count(*) AS hosts\n"
     "FROM host WHERE looked_up IS NOT NULL\n"
     "GROUP BY 1\n" ORDER("usable,unusable,none,error,dead,lost", "dane"),
     FIGURE_COUNTS},
    {"host_failures", "Failures at mail hosts",
     "Mail hosts by the kind of the lookup that failed, of those where one did.",
     "SELECT error AS key, count(*) AS hosts\n"
     "FROM host WHERE error IS NOT NULL\n"
     "GROUP BY 1 ORDER BY hosts DESC, key LIMIT 1000",
     FIGURE_COUNTS},
    {"certificates", "Certificate and name",
     "Pairs of a mail host and an address with TLS: whether the chain ends at a trust anchor, and "
     "whether the certificate names the host.",
     "SELECT CASE WHEN chain_ok AND name_ok THEN 'valid' WHEN chain_ok THEN 'wrong-name'\n"
     "       WHEN name_ok THEN 'bad-chain' ELSE 'neither' END AS key,\n"
     "       count(*) AS pairs, count(DISTINCT host) AS hosts,\n"
     "       count(DISTINCT address) AS addresses\n"
     "FROM host_address WHERE starttls IN ('tls', 'verified')\n"
     "GROUP BY 1\n" ORDER("valid,wrong-name,bad-chain,neither", "key"),
     FIGURE_COUNTS},
    {"chain_faults", "Faults of chains",
     "Addresses with a certificate, by the fault of the chain shown in the first handshake.",
     "SELECT coalesce(c.fault, 'unknown') AS key, count(*) AS addresses\n"
     "FROM address a JOIN chain c ON c.sha256 = a.chain\n"
     "GROUP BY 1\n" ORDER("none", "key") " DESC, addresses DESC, key LIMIT 1000",
     FIGURE_COUNTS},
    {"expiry", "Expiry",
     "Certificates of servers that were in use, by when they expire after the end of the survey, "
     "with the addresses that showed them and the domains of these.",
     LEAVES "SELECT CASE WHEN left < 0 THEN 'expired' WHEN left < 14 * 86400 THEN '14-days'\n"
            "       WHEN left < 30 * 86400 THEN '30-days' WHEN left < 90 * 86400 THEN '90-days'\n"
            "       ELSE 'later' END AS key,\n"
            "       count(DISTINCT sha256) AS certificates,\n"
            "       count(DISTINCT address) AS addresses, count(DISTINCT m.domain) AS domains\n"
            "FROM leaf LEFT JOIN of_host m ON m.host = leaf.host\n"
            "WHERE left IS NOT NULL\n"
            "GROUP BY 1\n" ORDER("expired,14-days,30-days,90-days,later", "key"),
     FIGURE_COUNTS},
    {"expiring", "Next to expire",
     "The certificates of servers that expire within 90 days of the end of the survey, the nearest "
     "first.",
     LEAVES "SELECT subject, issuer, not_after, left / 86400 AS days,\n"
            "       count(DISTINCT address) AS addresses, count(DISTINCT m.domain) AS domains,\n"
            "       min(d.name) AS example\n"
            "FROM leaf LEFT JOIN of_host m ON m.host = leaf.host\n"
            "     LEFT JOIN domain d ON d.id = m.domain\n"
            "WHERE left >= 0 AND left < 90 * 86400\n"
            "GROUP BY sha256 ORDER BY not_after, sha256 LIMIT 1000",
     FIGURE_LIST},
    {"tls_versions", "Versions of TLS", "Addresses with TLS, by version.",
     "SELECT coalesce(protocol, 'unknown') AS key, count(*) AS addresses\n"
     "FROM address WHERE starttls IN ('tls', 'verified')\n"
     "GROUP BY 1 ORDER BY key DESC LIMIT 1000",
     FIGURE_COUNTS},
    {"ciphers", "Ciphers", "Addresses with TLS, by cipher.",
     "SELECT coalesce(cipher, 'unknown') AS key, count(*) AS addresses\n"
     "FROM address WHERE starttls IN ('tls', 'verified')\n"
     "GROUP BY 1 ORDER BY addresses DESC, key LIMIT 1000",
     FIGURE_COUNTS},
    {"keys", "Keys", "Certificates of servers by type and size of their key.",
     "SELECT coalesce(c.key_type || ' ' || c.key_bits, 'unknown') AS key,\n"
     "       count(DISTINCT c.sha256) AS certificates, count(DISTINCT h.address) AS addresses\n"
     "FROM handshake h JOIN chain ON chain.sha256 = h.chain\n"
     "     JOIN certificate c ON c.sha256 = chain.leaf\n"
     "GROUP BY 1 ORDER BY certificates DESC, key LIMIT 1000",
     FIGURE_COUNTS},
    {"signatures", "Signatures", "Certificates of servers by the algorithm of their signature.",
     "SELECT coalesce(c.signature, 'unknown') AS key,\n"
     "       count(DISTINCT c.sha256) AS certificates, count(DISTINCT h.address) AS addresses\n"
     "FROM handshake h JOIN chain ON chain.sha256 = h.chain\n"
     "     JOIN certificate c ON c.sha256 = chain.leaf\n"
     "GROUP BY 1 ORDER BY certificates DESC, key LIMIT 1000",
     FIGURE_COUNTS},
    {"issuers", "Issuers", "Certificates of servers by issuer.",
     "SELECT coalesce(c.issuer, 'unknown') AS key,\n"
     "       count(DISTINCT c.sha256) AS certificates, count(DISTINCT h.address) AS addresses\n"
     "FROM handshake h JOIN chain ON chain.sha256 = h.chain\n"
     "     JOIN certificate c ON c.sha256 = chain.leaf\n"
     "GROUP BY 1 ORDER BY certificates DESC, key LIMIT 1000",
     FIGURE_COUNTS},
    {"tlsa", "TLSA records",
     "TLSA records by usage, selector and matching type, and whether they match at every address "
     "of the host that showed a certificate.",
     "SELECT usage || ' ' || selector || ' ' || matching_type AS key, count(*) AS records,\n"
     "       count(DISTINCT host) AS hosts, sum(usable) AS usable,\n"
     "       coalesce(sum(matched = 1), 0) AS matched,\n"
     "       coalesce(sum(matched = 0), 0) AS not_matched, sum(matched IS NULL) AS not_tried\n"
     "FROM tlsa GROUP BY 1 ORDER BY records DESC, key LIMIT 1000",
     FIGURE_COUNTS},
    {"tlsa_pairs", "TLSA at addresses",
     "Pairs of a mail host with usable TLSA records and an address with TLS, by whether a record "
     "matches there. A host may publish records for a key to come, so that one is enough.",
     "SELECT p.tlsa AS key, count(*) AS pairs, count(DISTINCT p.host) AS hosts\n"
     "FROM host_address p JOIN host h ON h.id = p.host\n"
     "WHERE h.dane = 'usable' AND p.starttls IN ('tls', 'verified')\n"
     "GROUP BY 1\n" ORDER("match,mismatch,none", "p.tlsa"),
     FIGURE_COUNTS},
    {"software", "Software", "Addresses with a greeting, by what it says the server is.",
     "SELECT coalesce(software, 'unknown') AS key, count(*) AS addresses\n"
     "FROM address WHERE greeting IS NOT NULL\n"
     "GROUP BY 1 ORDER BY addresses DESC, key LIMIT 1000",
     FIGURE_COUNTS},
    {"requiretls", "REQUIRETLS", "Addresses with TLS, by whether they offer REQUIRETLS (RFC 8689).",
     "SELECT CASE requiretls WHEN 1 THEN 'offered' ELSE 'not-offered' END AS key,\n"
     "       count(*) AS addresses\n"
     "FROM address WHERE starttls IN ('tls', 'verified')\n"
     "GROUP BY 1\n" ORDER("offered,not-offered", "key"),
     FIGURE_COUNTS},
    {"sni", "Further connections",
     "How often another name was tried at an address, because the certificate shown does not cover "
     "a host there; and what came of it.",
     "SELECT (SELECT count(*) FROM address WHERE connections > 0) AS addresses,\n"
     "       count(DISTINCT s.address) AS addresses_retried, count(*) AS names_tried,\n"
     "       coalesce(sum(s.chain IS NOT NULL AND s.chain IS NOT a.chain), 0) AS other_chains,\n"
     "       (SELECT count(*) FROM host_address p JOIN address b ON b.id = p.address\n"
     "        WHERE p.starttls = 'verified' AND p.sni <> b.sni) AS pairs_verified\n"
     "FROM sni s LEFT JOIN address a ON a.id = s.address\n"
     "WHERE s.looked_up IS NOT NULL",
     FIGURE_ROW},
    {NULL, NULL, NULL, NULL, FIGURE_ROW},
};
