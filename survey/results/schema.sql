-- The tables of a results file; mxcrypt-survey(5) describes every column. Built into the program by
-- results/embed.cmake. Times are seconds since 1970, truths 0 or 1; NULL: not known.

CREATE TABLE run (
    id INTEGER PRIMARY KEY,       -- 1; after a merge one row for each survey
    version TEXT NOT NULL,        -- of mxcrypt
    began INTEGER NOT NULL,
    ended INTEGER,                -- NULL: not finished
    list TEXT NOT NULL,           -- where the names came from
    names INTEGER,                -- different domains in the list
    lines_bad INTEGER NOT NULL,   -- lines of it that are no domain
    names_read INTEGER NOT NULL,  -- the whole list is in this file
    sample INTEGER NOT NULL,      -- 0: all
    seed INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    shards INTEGER NOT NULL,
    dnssec INTEGER NOT NULL,      -- the resolver validates
    probe INTEGER NOT NULL,       -- mail hosts were connected to
    dane INTEGER NOT NULL,        -- the options the verdicts were made with
    partial_dane TEXT NOT NULL,
    testing_enforced INTEGER NOT NULL,
    wildcard_hosts INTEGER NOT NULL,
    verify INTEGER NOT NULL,
    helo TEXT
) STRICT;

CREATE TABLE domain (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    weight INTEGER NOT NULL,
    run INTEGER NOT NULL,         -- run.id
    looked_up INTEGER,            -- NULL: not yet
    mx TEXT,                      -- listed, implicit, null, nxdomain, unusable, error
    mx_secure INTEGER,
    mx_ttl INTEGER,
    mx_truncated INTEGER,
    mx_expanded TEXT,             -- where a CNAME leads
    mta_sts TEXT,                 -- enforce, testing, none; else no-record, bad-record, dns-error, fetch-failed, bad-policy, not-asked
    mx_unmatched INTEGER,         -- MX hosts that no pattern of the policy covers
    tlsrpt TEXT,                  -- none, valid, invalid, error
    tlsrpt_rua TEXT,
    dane TEXT,                    -- full, mixed, unusable, unsigned, none, error
    starttls TEXT,                -- verified, tls, partly, clear, refused, unknown
    verdict TEXT,                 -- dane-only, secure, verify, dane, encrypt, notfound, temp
    reason TEXT,
    answer TEXT,                  -- what Postfix would be told
    operator TEXT,                -- base domain of the MX host with the lowest preference
    operator_share REAL,          -- 1 / domains of this operator: an operator's domains sum to 1
    error TEXT,                   -- the kind of what failed: mx-servfail, ...; NULL: nothing
    error_detail TEXT
) STRICT;

CREATE TABLE domain_mx (
    domain INTEGER NOT NULL,
    host INTEGER NOT NULL,
    preference INTEGER NOT NULL,
    PRIMARY KEY (domain, host)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy (
    domain INTEGER PRIMARY KEY,   -- only domains with an MTA-STS record, or whose lookup failed
    state TEXT NOT NULL,          -- policy, bad-record, dns-error, fetch-failed, bad-policy
    id TEXT,                      -- of the record
    ttl INTEGER,
    mode TEXT,
    max_age INTEGER,
    mx TEXT,                      -- patterns, joined by blanks
    lines TEXT,                   -- the policy's lines, joined by line feeds
    failure TEXT,                 -- dns, connect, tls, certificate, timeout, status, response, policy, local
    error TEXT                    -- in words
) STRICT;

CREATE TABLE host (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    operator TEXT NOT NULL,       -- base domain
    opted_out INTEGER NOT NULL,
    looked_up INTEGER,
    dane TEXT,                    -- usable, unusable, none, error, dead, lost
    address_secure INTEGER,
    addresses_known INTEGER,
    tlsa_base TEXT,
    tlsa_short INTEGER,
    tlsa_truncated INTEGER,
    expanded TEXT,
    ttl INTEGER,
    error TEXT,                   -- the kind of the lookup that failed, where one did
    error_detail TEXT             -- in words; also why a host is dead
) STRICT;

CREATE TABLE tlsa (
    host INTEGER NOT NULL,
    position INTEGER NOT NULL,
    usage INTEGER NOT NULL,
    selector INTEGER NOT NULL,
    matching_type INTEGER NOT NULL,
    usable INTEGER NOT NULL,
    data BLOB NOT NULL,
    matched INTEGER,              -- at every address that showed a certificate; NULL: none did
    PRIMARY KEY (host, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE host_address (
    host INTEGER NOT NULL,
    address INTEGER NOT NULL,
    position INTEGER NOT NULL,    -- among the host's addresses
    secure INTEGER NOT NULL,
    sni TEXT,                     -- the name sent in the handshake that was judged
    starttls TEXT,                -- skipped, silent, error, clear, tempfail, refused, broken, tls, verified
    chain_ok INTEGER,
    name_ok INTEGER,
    expired INTEGER,
    tlsa TEXT,                    -- none, match, mismatch
    code INTEGER,
    detail TEXT,
    PRIMARY KEY (host, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE address (
    id INTEGER PRIMARY KEY,
    ip TEXT NOT NULL,
    prefix TEXT NOT NULL,         -- IPv4 /24, IPv6 /48
    host INTEGER NOT NULL,        -- whose name is sent first: one with usable TLSA, then the smallest id
    host_dane INTEGER NOT NULL,   -- that host has usable TLSA
    opted_out INTEGER NOT NULL,   -- a host there is
    looked_up INTEGER,
    sni TEXT,                     -- sent in the first handshake
    starttls TEXT,                -- as in host_address; tls also where the certificate is valid
    code INTEGER,                 -- the SMTP reply that decided
    protocol TEXT,
    cipher TEXT,
    strong INTEGER,
    nameless INTEGER,
    requiretls INTEGER,
    chain TEXT,                   -- chain.sha256
    greeting TEXT,
    software TEXT,
    failure TEXT,                 -- connect-refused, connect-timeout, ...
    detail TEXT,
    connections INTEGER           -- made in all
) STRICT;

CREATE TABLE sni (                -- other names that were tried at an address
    address INTEGER NOT NULL,
    name TEXT NOT NULL,
    host INTEGER NOT NULL,
    looked_up INTEGER,
    starttls TEXT,
    code INTEGER,
    protocol TEXT,
    cipher TEXT,
    strong INTEGER,
    nameless INTEGER,
    requiretls INTEGER,
    chain TEXT,
    failure TEXT,
    detail TEXT,
    connections INTEGER,
    PRIMARY KEY (address, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX sni_waiting ON sni (address) WHERE looked_up IS NULL;

CREATE TABLE chain (              -- what servers showed
    sha256 TEXT PRIMARY KEY,      -- of the digests of its certificates
    leaf TEXT,                    -- certificate.sha256
    fault TEXT,                   -- none, self-signed, unknown-issuer, expired, ...
    only_dates INTEGER,           -- the dates are all that is wrong with it
    why TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE chain_certificate (
    chain TEXT NOT NULL,
    position INTEGER NOT NULL,    -- 0: the leaf
    certificate TEXT NOT NULL,
    PRIMARY KEY (chain, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE certificate (
    sha256 TEXT PRIMARY KEY,
    subject TEXT,
    issuer TEXT,
    names TEXT,
    name_count INTEGER,
    not_before INTEGER,
    not_after INTEGER,
    key_type TEXT,
    key_bits INTEGER,
    signature TEXT,
    self_signed INTEGER,
    der BLOB NOT NULL
) STRICT;

-- Domains that mail can be sent to, as far as the DNS says: what shares are of.
CREATE VIEW mail_domain AS
SELECT * FROM domain
WHERE verdict IS NOT NULL AND mx IN ('listed', 'implicit') AND reason <> 'no-mx-host';

-- Every handshake: the first one at each address, and those with another name.
CREATE VIEW handshake AS
SELECT id AS address, sni, looked_up, starttls, code, protocol, cipher, strong, nameless,
       requiretls, chain, failure, detail, connections
FROM address
UNION ALL
SELECT address, name, looked_up, starttls, code, protocol, cipher, strong, nameless,
       requiretls, chain, failure, detail, connections
FROM sni;
