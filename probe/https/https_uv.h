/*
 * https_uv: one HTTPS GET, or POST, to given addresses, by libcurl on our loop. No redirects, no cookies, no
 * proxy, no reuse, no decompression, HTTP/1.1, TLS 1.2 or later; the only file that knows libcurl.
 */
#pragma once

#include <uv.h>

#include "base/net/address_filter.h"
#include "probe/https/https.h"

#define HTTPS_QUEUE_MAX 10000

struct https;
struct tls_context;
struct https_fetch;

/*
 * `tls` has the trust anchors for policy hosts; `filter` is asked about each address before it is
 * connected to. Both are borrowed. 0 or UV_ENOMEM.
 */
int https_new(struct https **out, uv_loop_t *loop, struct tls_context *tls,
              const struct address_filter *filter, const struct https_options *options);
/* Ends every fetch without a callback; frees itself once its handles are closed. */
void https_close(struct https *https);

typedef void (*https_done)(void *context, const struct https_result *result);
/*
 * Calls `done` exactly once, later, with a borrowed result, unless an error (UV_ENOMEM, UV_ENOBUFS)
 * is returned or https_cancel comes first. Copies the request except its path, without addresses
 * that the filter forbids and with only a few of each family. Fetches take turns by first address;
 * at most a quarter of `in_flight_max` goes to one of them at a time. The fetch frees itself after
 * `done` has returned.
 */
int https_start(struct https_fetch **out, struct https *https, const struct https_request *request,
                https_done done, void *context);
void https_cancel(struct https_fetch *fetch);
