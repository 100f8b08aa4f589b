/* resolv_conf: the nameserver lines of resolv.conf(5), read as text. */
#pragma once

#include <stddef.h>

#include "base/net/ip.h"

/* Fills up to `max` addresses in order and returns their number. Never fails. */
size_t resolv_conf_parse(struct ip *out, size_t max, const char *text, size_t length);
