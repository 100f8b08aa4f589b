/*
 * share_check_uv: what the server of a share says of itself, and of what this relay may do there;
 * for `mxcrypt farm` and `mxcrypt doctor`. Nothing is changed, and no command is tried: the server
 * is asked whether it would allow it (Lua's redis.acl_check_cmd, of Redis 7 and Valkey).
 */
#pragma once

#include "daemon/share/share_info.h"
#include "daemon/share/share_rights.h"
#include "daemon/share/share_uv.h"

#define SHARE_WHY_MAX 127 /* octets of a reason; the rest is cut off */

struct share_server {
    bool info_known;
    struct share_info info;
    char info_why[SHARE_WHY_MAX + 1]; /* why it is not known */
    bool rights_known;
    bool may[SHARE_RIGHTS_MAX]; /* by the rows of share_rights.h */
    char rights_why[SHARE_WHY_MAX + 1];
};

/* Who asks; embedded in its owner. */
struct share_check;
typedef void (*share_checked)(struct share_check *check, const struct share_server *server);
struct share_check {
    struct valkey_request info, rights;
    struct share *share; /* NULL: nothing is asked */
    share_checked done;
    void *context;
    struct share_server server;
};

/* Calls `done` once, later, unless share_check_cancel comes first; also where the connection ends
 * meanwhile. UV_ENOTCONN when there is none, or another error. */
int share_check(struct share_check *check, struct share *share, share_checked done, void *context);
void share_check_cancel(struct share_check *check);
