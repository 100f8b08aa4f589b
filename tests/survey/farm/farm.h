/*
 * farm: thousands of SMTP hosts in one program, for the proofs of `mxcrypt survey`.
 *
 * A table says what listens where, one address a line:
 *
 *   ADDRESS TEMPER CERTIFICATE NAME...
 *
 * TEMPER is one of farm_tempers; CERTIFICATE one of farm_certificate_kinds, made for all the names,
 * or with "-sni" behind it one for each name, by SNI, the first name's for others.
 */
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define FARM_NAMES_MAX 64 /* of one address */

struct farm_temper {
    const char *name;
    const char *greeting; /* NULL: says nothing, ever; "": closes the connection */
    const char *ehlo, *starttls;
    const char *ehlo_over_tls;
    bool garbage; /* no TLS follows the 220 */
    int version;  /* the highest of TLS; 0: any */
};

/* One address. Strings and certificates live as long as the program. */
struct farm_host {
    struct sockaddr_storage address;
    socklen_t address_length;
    char text[INET6_ADDRSTRLEN];
    const struct farm_temper *temper;
    const char *kind; /* of certificate */
    bool by_sni;
    size_t name_count;
    char **names;
    X509 **certificates; /* by_sni: one for each name; else one */
    int listener;
};

/* Reads the table and keeps the hosts of worker number `worker`, from 0, of `workers`: hosts of one
 * prefix have one worker. Ends the program when the table is wrong. */
size_t farm_read(const char *path, unsigned worker, unsigned workers, struct farm_host **out);

struct farm_keys {
    X509 *ca;
    EVP_PKEY *ca_key, *leaf_key;
    X509 *stranger; /* a CA that nobody trusts, made here */
    EVP_PKEY *stranger_key;
};
/* Ends the program when a file is wrong. */
void farm_keys_load(struct farm_keys *keys, const char *ca, const char *ca_key,
                    const char *leaf_key);
/* Makes the certificates of a host; ends the program when they cannot be made. */
void farm_certify(struct farm_host *host, const struct farm_keys *keys);
/* The certificate for this SNI, NULL allowed. */
X509 *farm_certificate(const struct farm_host *host, const char *sni);

_Noreturn void farm_die(const char *what, const char *which);
