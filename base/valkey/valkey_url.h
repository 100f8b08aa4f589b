/*
 * valkey_url: where a Valkey or Redis server is, as an operator writes it:
 *
 *   valkey://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]...][/DB]
 *   valkeys://...                     the same over TLS
 *   valkey+unix:///PATH[?db=DB]       a Unix socket; [[USER]:PASSWORD@] may stand before the path
 *   valkey+sentinel://HOST[:PORT][,...]/NAME[/DB]
 *   valkeys+sentinel://...            the primary that Sentinel knows as NAME; both over TLS
 *
 * redis:// and rediss:// are the same as valkey:// and valkeys://. Several addresses are tried one
 * after the other. An IPv6 address stands in brackets. In USER, PASSWORD and PATH an octet may be
 * written as %XX (RFC 3986 §2.1). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net/hostname.h"

#define VALKEY_URL_MAX       2048 /* octets of the text */
#define VALKEY_URL_TEXT_MAX  2600 /* with NUL: of valkey_url_text, which adds the ports */
#define VALKEY_SERVERS_MAX   8
#define VALKEY_USER_MAX      128
#define VALKEY_PASSWORD_MAX  512
#define VALKEY_NAME_MAX      128 /* that Sentinel knows a primary by */
#define VALKEY_PATH_MAX      107 /* sun_path, without NUL */
#define VALKEY_DB_MAX        15  /* of a server as it is installed */
#define VALKEY_PORT          6379
#define VALKEY_SENTINEL_PORT 26379

struct valkey_server {
    char host[HOSTNAME_MAX + 1]; /* a name, or an address without brackets */
    uint16_t port;
};

struct valkey_url {
    bool tls;
    char path[VALKEY_PATH_MAX + 1];         /* of a Unix socket; "": none */
    char sentinel[VALKEY_NAME_MAX + 1];     /* of the primary; "": the servers are no Sentinels */
    char user[VALKEY_USER_MAX + 1];         /* "": the default user */
    char password[VALKEY_PASSWORD_MAX + 1]; /* "": none */
    unsigned db;
    size_t server_count; /* 0 of a Unix socket */
    struct valkey_server servers[VALKEY_SERVERS_MAX];
};

/* Reads a URL. NULL, or why it is none (static; never with a part of the text, which may hold a
 * password); *out is then undefined. */
const char *valkey_url_parse(struct valkey_url *out, const char *text);

/* The URL without user and password, for people; returns `out`. */
const char *valkey_url_text(const struct valkey_url *url, char out[VALKEY_URL_TEXT_MAX]);
