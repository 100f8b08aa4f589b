/*
 * doctor_gather: the parts of the gathering that have a file of their own; see doctor.h.
 * doctor_try.c: what smtp(8) would meet, really tried: a child process enters the chroot, becomes
 * user postfix with its groups, and does it. doctor_net.c: what is tried on the network. All of it
 * blocks, bounded in time.
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
json_t *doctor_ask(struct doctor_try *out, const char *path, const char *command, const char *key);

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
