/* doctor_sources: the source address that smtp(8) binds to without smtp_bind_address. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/net/ip.h"

#define DOCTOR_INTERFACES_MAX 64 /* addresses that inet_interfaces stands for */

/* Addresses of a host name: their number, at most `max`; -1 on failure. */
typedef int (*doctor_resolve)(const char *name, struct ip *out, size_t max);

/*
 * Fills out[0] for IPv4 and out[1] for IPv6: the one address of the family when inet_interfaces
 * stands for one only and it is no loopback address (postconf(5)), else family 0. False when a name
 * could not be resolved, or for too many addresses. As pure as `resolve`.
 */
bool doctor_sources(struct ip out[2], const char *inet_interfaces, doctor_resolve resolve);

/* Asks the system, as Postfix does at its start. */
int doctor_resolve_system(const char *name, struct ip *out, size_t max);
