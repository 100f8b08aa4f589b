/*
 * doctor_gather: the parts of the gathering that have a file of their own; see doctor.h.
 * doctor_try.c: what smtp(8) would meet, really tried: a child process enters the chroot, becomes
 * user postfix with its groups, and does it. doctor_ask.c: questions to mxcryptd. doctor_net.c: what is tried
 * on the network. All of it blocks, bounded in time.
 */
#pragma once

#include <jansson.h>

#include "cli/doctor/doctor.h"

/* Tries what the settings of a client lead to: maps, one question to mxcryptd that needs no lookup,
 * trust anchors. NOT_TRIED without the right to. */
void doctor_try_client(struct doctor_client *client);
/* Looks for a certificate in that file, as we are: smtp(8) reads it as root, outside its chroot. */
void doctor_try_ca_file(struct doctor_try *out, const char *path);
/* Asks the daemon at its control socket; `key` may be NULL. A new reference, or NULL. */
json_t *doctor_ask(struct doctor_try *out, const struct doctor_facts *facts, const char *command,
                   const char *key);

/* A key that is answered at once, without a lookup: a parent key. */
#define DOCTOR_KEY ".doctor.invalid"

/* For DOCTOR_KEY, at a connection to a policy listener. */
struct doctor_question {
    int fd;
    enum listen_protocol protocol;
    const char *map; /* its name, for a protocol that has names */
    int64_t wait_s;  /* for the whole answer */
};
/* The answer, without what ends it and a netstring's length; false with `out`. */
bool doctor_ask_listener(struct doctor_try *out, struct buf *reply,
                         const struct doctor_question *question);
/* The same, and whether that is an answer of mxcryptd's. */
void doctor_ask_policy(struct doctor_try *out, const struct doctor_question *question);
/* DOCTOR_BAD: another program answers. */
void doctor_not_ours(struct doctor_try *out, const char *reply);
/* Asks each `listen` address of the configuration. */
void doctor_gather_listeners(struct doctor_facts *facts);

#define DOCTOR_TRY_S 10 /* that one wait may take; smtp(8) itself waits for 100 s */

/* How long a wait that begins now may take, in seconds, by facts->end_ms; 0: no time is left. */
int64_t doctor_wait_s(const struct doctor_facts *facts);

/* What came of something that was tried; `error`: errno, 0 when it is none. */
void doctor_good(struct doctor_try *out);
void doctor_bad(struct doctor_try *out, int error, const char *what);
void doctor_not_tried(struct doctor_try *out, const char *why);

/* What is known of the share, if the configuration has one. */
void doctor_gather_share(struct doctor_facts *facts);

/* What is known of the policy lists, if the configuration has any. */
void doctor_gather_lists(struct doctor_facts *facts);

/* Asks for the NS records of the root, which are signed. `options` need not outlive the call. */
void doctor_net_resolver(struct doctor_resolver *out, const struct dns_options *options);
/* Tries port 25 at facts->mail_hosts; without any, at hosts that mxcryptd knows and at some
 * well-known ones. */
void doctor_net_port25(struct doctor_facts *facts);
/* Tries probe-bind-address and probe-bind-address6. */
void doctor_net_sources(struct doctor_facts *facts);
/* Looks helo-name up, or this host's own name. */
void doctor_net_helo(struct doctor_facts *facts);
