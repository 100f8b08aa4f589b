/*
 * doctor_try: what smtp(8) would meet, really tried: a child process enters the chroot, becomes
 * user postfix with its groups, and does it. Bounded in time.
 */
#pragma once

#include <jansson.h>

#include "cli/doctor/doctor.h"

#define DOCTOR_TRY_S 10 /* smtp(8) itself waits for 100 s */

/* Where smtp(8) stands. */
struct doctor_place {
    const char *queue; /* its working directory, and its root when chrooted */
    const char *user;
    bool chrooted;
};

/* Asks mxcryptd by that map for a key that needs no lookup. NOT_TRIED without the right to. */
void doctor_try_map(struct doctor_try *out, const struct doctor_place *place,
                    const struct postfix_map *map);
/* Looks for hashed certificates in that folder, as OpenSSL does at each connection. */
void doctor_try_ca_path(struct doctor_try *out, const struct doctor_place *place, const char *path);
/* Looks for a certificate in that file, as we are: smtp(8) reads it as root, outside its chroot. */
void doctor_try_ca_file(struct doctor_try *out, const char *path);
/* Asks the daemon at its control socket; `key` may be NULL. A new reference, or NULL. */
json_t *doctor_ask(struct doctor_try *out, const char *path, const char *command, const char *key);
