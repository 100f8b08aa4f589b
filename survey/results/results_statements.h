/* results_statements: the SQL of the results file that is run more than once, in one table. */
#pragma once

/* X(word, text) */
#define RESULTS_RUN_STATEMENTS(X)                                                                  \
    X(RUN_GET, "SELECT list, seed, sample, shard, shards, dnssec, helo, dane, partial_dane, "      \
               "testing_enforced, wildcard_hosts, probe, verify, began, ended, names, lines_bad, " \
               "names_read FROM run ORDER BY id LIMIT 1")                                          \
    X(RUN_PUT,                                                                                     \
      "INSERT INTO run (id, version, list, seed, sample, shard, shards, dnssec, helo, dane, "      \
      "partial_dane, testing_enforced, wildcard_hosts, probe, verify, began, ended, names, "       \
      "lines_bad, names_read) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "      \
      "?13, ?14, ?15, ?16, ?17, ?18, ?19) ON CONFLICT (id) DO UPDATE SET list = "                  \
      "excluded.list, seed = excluded.seed, sample = excluded.sample, shard = "                    \
      "excluded.shard, shards = excluded.shards, dnssec = excluded.dnssec, helo = "                \
      "excluded.helo, dane = excluded.dane, partial_dane = excluded.partial_dane, "                \
      "testing_enforced = excluded.testing_enforced, wildcard_hosts = "                            \
      "excluded.wildcard_hosts, probe = excluded.probe, verify = excluded.verify, began = "        \
      "excluded.began, ended = excluded.ended, names = excluded.names, lines_bad = "               \
      "excluded.lines_bad, names_read = excluded.names_read")

#define RESULTS_NAME_STATEMENTS(X)                                                                 \
    X(DOMAIN_AT, "SELECT name, weight FROM domain WHERE id = ?1")                                  \
    X(DOMAIN_ADD, "INSERT INTO domain (id, name, weight, run) VALUES (?1, ?2, ?3, 1) "             \
                  "ON CONFLICT (id) DO NOTHING")                                                   \
    X(DOMAIN_WEIGH, "UPDATE domain SET weight = ?2 WHERE id = ?1")                                 \
    X(DOMAIN_FIND, "SELECT id FROM domain WHERE name = ?1")                                        \
    X(SAMPLE_END, "SELECT id FROM domain ORDER BY id LIMIT 1 OFFSET ?1 - 1")                       \
    X(SAMPLE_DROP, "DELETE FROM domain WHERE id > ?1")                                             \
    X(DOMAINS_DROP, "DELETE FROM domain")                                                          \
    X(DOMAINS_IN, "SELECT id, name FROM domain WHERE looked_up IS NULL")                           \
    X(DOMAIN_DROP, "DELETE FROM domain WHERE id = ?1")                                             \
    X(HOSTS_IN, "SELECT id, name FROM host WHERE opted_out = 0")                                   \
    X(HOST_OPT_OUT, "UPDATE host SET opted_out = 1 WHERE id = ?1")                                 \
    X(ADDRESSES_OPT_OUT, "UPDATE address SET opted_out = 1 WHERE opted_out = 0 "                   \
                         "AND id IN (SELECT address FROM host_address WHERE host = ?1)")           \
    X(HOST_AT, "SELECT name, 0 FROM host WHERE id = ?1")                                           \
    X(HOST_ADD, "INSERT INTO host (id, name, operator, opted_out) VALUES (?1, ?2, ?3, ?4) "        \
                "ON CONFLICT (id) DO NOTHING")                                                     \
    X(ADDRESS_AT, "SELECT ip, host, host_dane, opted_out FROM address WHERE id = ?1")              \
    X(ADDRESS_ADD, "INSERT INTO address (id, ip, prefix, host, host_dane, opted_out) "             \
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                              \
    X(ADDRESS_LEAD, "UPDATE address SET host = ?2, host_dane = ?3, opted_out = ?4 WHERE id = ?1")

#define RESULTS_NEXT_STATEMENTS(X)                                                                 \
    X(NEXT_DOMAINS,                                                                                \
      "SELECT id, name FROM domain WHERE id > ?1 AND looked_up IS NULL ORDER BY id LIMIT ?2")      \
    X(NEXT_HOSTS,                                                                                  \
      "SELECT id, name, opted_out FROM host WHERE id > ?1 AND looked_up IS NULL ORDER BY id "      \
      "LIMIT ?2")                                                                                  \
    X(NEXT_ADDRESSES,                                                                              \
      "SELECT a.id, coalesce(h.tlsa_base, h.name), h.name, a.ip, 0, a.opted_out "                  \
      "FROM address a JOIN host h ON h.id = a.host WHERE a.looked_up IS NULL AND a.id > ?1 "       \
      "UNION ALL SELECT a.id, s.name, h.name, a.ip, 1, a.opted_out "                               \
      "FROM sni s JOIN address a ON a.id = s.address JOIN host h ON h.id = s.host "                \
      "WHERE s.looked_up IS NULL AND s.address > ?1 ORDER BY 1 LIMIT ?2")                          \
    X(COUNT_DOMAINS, "SELECT count(*), count(looked_up) FROM domain")                              \
    X(COUNT_HOSTS, "SELECT count(*), count(looked_up) FROM host")                                  \
    X(COUNT_ADDRESSES, "SELECT a.n + s.n, a.done + s.done "                                        \
                       "FROM (SELECT count(*) AS n, count(looked_up) AS done FROM address) a, "    \
                       "(SELECT count(*) AS n, count(looked_up) AS done FROM sni) s")

#define RESULTS_PUT_STATEMENTS(X)                                                                  \
    X(DOMAIN_PUT,                                                                                  \
      "UPDATE domain SET looked_up = ?2, mx = ?3, mx_secure = ?4, mx_ttl = ?5, "                   \
      "mx_truncated = ?6, mx_expanded = ?7, mta_sts = ?8, mx_unmatched = ?9, tlsrpt = ?10, "       \
      "tlsrpt_rua = ?11, operator = ?12, error = ?13, error_detail = ?14 WHERE id = ?1 "           \
      "AND (looked_up IS NULL OR ?15)")                                                            \
    X(MX_DROP, "DELETE FROM domain_mx WHERE domain = ?1")                                          \
    X(MX_PUT, "INSERT OR IGNORE INTO domain_mx (domain, host, preference) VALUES (?1, ?2, ?3)")    \
    X(POLICY_DROP, "DELETE FROM policy WHERE domain = ?1")                                         \
    X(POLICY_PUT,                                                                                  \
      "INSERT INTO policy (domain, state, id, ttl, mode, max_age, mx, lines, failure, error) "     \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                                          \
    X(HOST_PUT,                                                                                    \
      "UPDATE host SET looked_up = ?2, dane = ?3, address_secure = ?4, addresses_known = ?5, "     \
      "tlsa_base = ?6, tlsa_short = ?7, tlsa_truncated = ?8, expanded = ?9, ttl = ?10, "           \
      "error = ?11, error_detail = ?12 WHERE id = ?1 AND (looked_up IS NULL OR ?13)")              \
    X(TLSA_DROP, "DELETE FROM tlsa WHERE host = ?1")                                               \
    X(TLSA_PUT, "INSERT INTO tlsa (host, position, usage, selector, matching_type, usable, data) " \
                "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                             \
    X(PAIR_DROP, "DELETE FROM host_address WHERE host = ?1")                                       \
    X(PAIR_ADD, "INSERT OR IGNORE INTO host_address (host, address, position, secure) "            \
                "VALUES (?1, ?2, ?3, ?4)")                                                         \
    X(ADDRESS_PUT,                                                                                 \
      "UPDATE address SET looked_up = ?2, sni = ?3, starttls = ?4, code = ?5, protocol = ?6, "     \
      "cipher = ?7, strong = ?8, nameless = ?9, requiretls = ?10, chain = ?11, failure = ?12, "    \
      "detail = ?13, connections = ?14, greeting = ?15, software = ?16 WHERE id = ?1 "             \
      "AND (looked_up IS NULL OR ?17)")                                                            \
    X(SNI_PUT,                                                                                     \
      "UPDATE sni SET looked_up = ?2, starttls = ?4, code = ?5, protocol = ?6, cipher = ?7, "      \
      "strong = ?8, nameless = ?9, requiretls = ?10, chain = ?11, failure = ?12, detail = ?13, "   \
      "connections = ?14 WHERE address = ?1 AND name = ?3 AND (looked_up IS NULL OR ?15)")         \
    X(ADDRESS_CONNECTED, "UPDATE address SET connections = connections + ?2 WHERE id = ?1")        \
    X(CHAIN_ADD, "INSERT OR IGNORE INTO chain (sha256, leaf, fault, only_dates, why) "             \
                 "VALUES (?1, ?2, ?3, ?4, ?5)")                                                    \
    X(CHAIN_LINK, "INSERT OR IGNORE INTO chain_certificate (chain, position, certificate) "        \
                  "VALUES (?1, ?2, ?3)")                                                           \
    X(CERTIFICATE_KNOWN, "SELECT count(*) FROM certificate WHERE sha256 = ?1")                     \
    X(CERTIFICATE_ADD,                                                                             \
      "INSERT INTO certificate (sha256, subject, issuer, names, name_count, not_before, "          \
      "not_after, key_type, key_bits, signature, self_signed, der) "                               \
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")

#define RESULTS_PAIR_STATEMENTS(X)                                                                 \
    X(HANDSHAKES,                                                                                  \
      "SELECT sni, starttls, code, protocol, cipher, strong, nameless, requiretls, chain, "        \
      "failure, detail, connections, 0, greeting, software "                                       \
      "FROM address WHERE id = ?1 AND looked_up IS NOT NULL "                                      \
      "UNION ALL SELECT name, starttls, code, protocol, cipher, strong, nameless, requiretls, "    \
      "chain, failure, detail, connections, 1, NULL, NULL "                                        \
      "FROM sni WHERE address = ?1 AND looked_up IS NOT NULL ORDER BY 13, 1")                      \
    X(CHAIN_FINDING, "SELECT fault, only_dates, why FROM chain WHERE sha256 = ?1")                 \
    X(CHAIN_CERTIFICATES,                                                                          \
      "SELECT c.der FROM chain_certificate l JOIN certificate c ON c.sha256 = l.certificate "      \
      "WHERE l.chain = ?1 ORDER BY l.position")                                                    \
    X(PAIRS,                                                                                       \
      "SELECT h.id, h.name, h.tlsa_base, h.dane "                                                  \
      "FROM host_address p JOIN host h ON h.id = p.host WHERE p.address = ?1 ORDER BY p.host")     \
    X(TLSA_GET, "SELECT usage, selector, matching_type, usable, data FROM tlsa WHERE host = ?1 "   \
                "ORDER BY position")                                                               \
    X(PAIR_PUT,                                                                                    \
      "UPDATE host_address SET sni = ?3, starttls = ?4, chain_ok = ?5, name_ok = ?6, "             \
      "expired = ?7, tlsa = ?8, code = ?9, detail = ?10 WHERE host = ?1 AND address = ?2")         \
    X(TLSA_MATCHED,                                                                                \
      "UPDATE tlsa SET matched = CASE WHEN matched IS NULL THEN ?3 ELSE min(matched, ?3) END "     \
      "WHERE host = ?1 AND position = ?2")                                                         \
    X(RETRY_ADD, "INSERT OR IGNORE INTO sni (address, name, host) VALUES (?1, ?2, ?3)")

/* The domain's, by what was counted; NULL without an operator. */
#define RESULTS_SHARE "(SELECT 1.0 / domains FROM temp.operators o WHERE o.name = domain.operator)"

#define RESULTS_DECIDE_STATEMENTS(X)                                                               \
    X(EVIDENCE_DOMAIN,                                                                             \
      "SELECT name, looked_up, mx, mx_secure, mx_truncated, mx_ttl, mx_expanded, mta_sts, "        \
      "error_detail FROM domain WHERE id = ?1")                                                    \
    X(EVIDENCE_POLICY, "SELECT state, id, ttl, lines, error FROM policy WHERE domain = ?1")        \
    X(EVIDENCE_MX, "SELECT host, preference FROM domain_mx WHERE domain = ?1 LIMIT 50")            \
    X(EVIDENCE_HOST, "SELECT name, dane, address_secure, addresses_known, tlsa_base, tlsa_short, " \
                     "tlsa_truncated, expanded, ttl, error_detail FROM host WHERE id = ?1")        \
    X(EVIDENCE_ADDRESSES,                                                                          \
      "SELECT a.ip, p.secure, p.position, p.starttls, p.chain_ok, p.name_ok, p.expired, p.tlsa, "  \
      "p.code, p.detail, coalesce(s.protocol, a.protocol), coalesce(s.cipher, a.cipher), "         \
      "coalesce(s.requiretls, a.requiretls), c.subject, c.not_after "                              \
      "FROM host_address p JOIN address a ON a.id = p.address "                                    \
      "LEFT JOIN sni s ON s.address = p.address AND s.name = p.sni AND p.sni <> a.sni "            \
      "LEFT JOIN chain l ON l.sha256 = CASE WHEN s.name IS NULL THEN a.chain ELSE s.chain END "    \
      "LEFT JOIN certificate c ON c.sha256 = l.leaf "                                              \
      "WHERE p.host = ?1 LIMIT 32")                                                                \
    X(EVIDENCE_ADDRESSES_ALONE,                                                                    \
      "SELECT a.ip, p.secure, p.position FROM host_address p JOIN address a ON a.id = p.address "  \
      "WHERE p.host = ?1 LIMIT 32")                                                                \
    X(DECIDED, "SELECT EXISTS (SELECT 1 FROM domain WHERE verdict IS NOT NULL)")                   \
    X(UNDECIDED,                                                                                   \
      "SELECT id FROM domain WHERE id > ?1 AND looked_up IS NOT NULL AND verdict IS NULL "         \
      "ORDER BY id LIMIT ?2")                                                                      \
    X(VERDICT_PUT,                                                                                 \
      "UPDATE domain SET dane = ?2, starttls = ?3, verdict = ?4, reason = ?5, answer = ?6 "        \
      "WHERE id = ?1")                                                                             \
    X(VERDICT_SHARE_PUT,                                                                           \
      "UPDATE domain SET dane = ?2, starttls = ?3, verdict = ?4, reason = ?5, answer = ?6, "       \
      "operator_share = " RESULTS_SHARE " WHERE id = ?1")                                          \
    X(SHARE_DOUBT, "INSERT OR IGNORE INTO temp.doubtful SELECT operator FROM domain "              \
                   "WHERE id = ?1 AND operator IS NOT NULL")                                       \
    X(SHARES_DOUBTFUL, "SELECT count(*) FROM temp.doubtful")                                       \
    X(SHARES_PUT, "UPDATE domain SET operator_share = " RESULTS_SHARE                              \
                  " WHERE id >= ?1 AND id <= ?2 AND operator IN (SELECT name FROM "                \
                  "temp.operators) AND verdict IS NOT NULL AND mx IN ('listed', 'implicit') "      \
                  "AND reason <> 'no-mx-host'")

#define RESULTS_CHUNK_STATEMENTS(X)                                                                \
    X(DOMAINS_AFTER, "SELECT id, name, weight FROM domain WHERE id > ?1 ORDER BY id LIMIT ?2")     \
    X(ADDRESSES_BY_PREFIX, "SELECT id, ip FROM address ORDER BY prefix, id")                       \
    X(OPT_OUTS_SPREAD, "UPDATE address SET opted_out = 1 WHERE opted_out = 0 AND id IN "           \
                       "(SELECT p.address FROM host h JOIN host_address p ON p.host = h.id "       \
                       "WHERE h.opted_out = 1)")                                                   \
    X(CHUNK_PUT, "INSERT INTO temp.chunk (number, part, unit) VALUES (?1, ?2, ?3)")                \
    X(CHUNK_HOSTS_CUT, "INSERT INTO temp.chunk (number, part, unit) "                              \
                       "SELECT (row_number() OVER (ORDER BY id) - 1) / ?1 + 1, 0, id FROM host")   \
    X(CHUNK_NEXT_HOSTS, "SELECT c.number, c.part FROM temp.chunk c CROSS JOIN host u "             \
                        "ON u.id = c.unit WHERE (c.number, c.part) > (?1, ?2) "                    \
                        "AND u.looked_up IS NULL ORDER BY c.number, c.part LIMIT 1")               \
    X(CHUNK_NEXT_ADDRESSES, "SELECT c.number, c.part FROM temp.chunk c CROSS JOIN address u "      \
                            "ON u.id = c.unit WHERE (c.number, c.part) > (?1, ?2) "                \
                            "AND u.looked_up IS NULL ORDER BY c.number, c.part LIMIT 1")           \
    X(CHUNK_FORGET, "DELETE FROM temp.chunk WHERE number = ?1 AND part = ?2")                      \
    X(CHUNK_UNITS, "SELECT unit FROM temp.chunk WHERE number = ?1 AND part = ?2")                  \
    X(CHUNK_HOSTS, "SELECT h.name FROM temp.chunk c CROSS JOIN host h ON h.id = c.unit "           \
                   "WHERE c.number = ?1 AND c.part = ?2")                                          \
    X(CHUNK_WAITS_HOSTS, "SELECT count(*) - count(u.looked_up) + (count(*) = 0) "                  \
                         "FROM temp.chunk c CROSS JOIN host u ON u.id = c.unit "                   \
                         "WHERE c.number = ?1 AND c.part = ?2")                                    \
    X(CHUNK_WAITS_ADDRESSES, "SELECT count(*) - count(u.looked_up) + (count(*) = 0) "              \
                             "FROM temp.chunk c CROSS JOIN address u ON u.id = c.unit "            \
                             "WHERE c.number = ?1 AND c.part = ?2")

#define RESULTS_ALL_STATEMENTS(X)                                                                  \
    RESULTS_RUN_STATEMENTS(X)                                                                      \
    RESULTS_NAME_STATEMENTS(X)                                                                     \
    RESULTS_NEXT_STATEMENTS(X)                                                                     \
    RESULTS_PUT_STATEMENTS(X)                                                                      \
    RESULTS_PAIR_STATEMENTS(X) RESULTS_DECIDE_STATEMENTS(X) RESULTS_CHUNK_STATEMENTS(X)

#define RESULTS_WORD(word, text) RESULTS_##word,
enum results_statement { RESULTS_ALL_STATEMENTS(RESULTS_WORD) RESULTS_STATEMENTS };
#undef RESULTS_WORD
