/*
 * records: what a domain should publish, for its mail hosts as they are or for certificates to come:
 * TLSA, MTA-STS record and policy, TLSRPT. Pure.
 *
 * Every TLSA record is made from a certificate that a host showed in a handshake, or that is in a
 * file which was given: never from nothing. One that no sender can use, that is of an issuer which
 * issues no more, or of a form which mxcrypt check does not recommend is to be removed, where each
 * address of the host has shown its certificates for RSA and for ECDSA keys, and another record is
 * there, or told, for all that it matches. One that matches nothing may be of a key to come, and
 * stays.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "check/facts.h"

#define RECORDS_MAX       2000
#define RECORDS_NOTES_MAX 50

/* A certificate with its chain: tls_pem_read. */
struct records_certificate {
    const char *file;
    struct tls_shown shown;
};

struct records_wish {
    const struct records_certificate *certificates; /* to come, for every host that they name */
    size_t certificate_count;
    bool issuer;  /* a 2 1 1 record of the issuer too */
    bool mta_sts; /* false: no policy is wanted */
    enum sts_mode mode;
    bool mode_given;  /* it is wished, whatever is published */
    uint32_t max_age; /* seconds */
    const char *rua;  /* of TLSRPT; NULL: as published, else mailto:tls-reports@DOMAIN */
    uint32_t ttl;     /* seconds, of all records */
    bool missing;     /* leave out what is already right */
};

struct record {
    const char *name; /* owner, without a trailing dot */
    const char *type; /* "TLSA", "TXT" */
    const char *data; /* as in a zone file: "3 1 1 ab12...", "\"v=STSv1; id=...;\"" */
    const char *why;  /* a comment for people: which host and certificate */
    bool present;     /* it is published already */
    bool alone;       /* it takes the place of what is published at this name and type, if only
                         perhaps */
    bool remove;      /* it is published, and goes once the others of its name are there */
};

struct records {
    size_t count;
    struct record records[RECORDS_MAX];
    const char *policy;  /* the policy file, lines ended by CRLF; NULL: none */
    bool policy_present; /* it is served already */
    const char *policy_url;
    size_t note_count;
    const char *notes[RECORDS_NOTES_MAX]; /* why something is not recommended */
};

/* The id of a policy: a digest of the file, so that it changes exactly when that does. 20
 * characters of [0-9a-f] (RFC 8461 §3.1). */
void records_policy_id(char out[STS_ID_MAX + 1], const char *policy, size_t length);
/* False without memory. Strings are `arena`'s. */
bool records_make(struct records *out, struct arena *arena, const struct check_facts *facts,
                  const struct records_wish *wish);
/* As lines of a zone file (RFC 1035 §5.1), and as commands of nsupdate(1). */
void records_zone(struct buf *out, const struct records *records, uint32_t ttl);
void records_nsupdate(struct buf *out, const struct records *records, uint32_t ttl);
/* For programs. A new reference; NULL without memory. */
json_t *records_json(const struct records *records, uint32_t ttl);
