/* share_check_uv: see share_check_uv.h. */
#include "daemon/share/share_check_uv.h"

#include <stdio.h>
#include <string.h>

#include "daemon/share/share_internal.h"

/* ARGV: commands, their words with blanks between. Of each: 1 when the user may, 0 when not; -1 for
 * a command that the server has not. */
static const char script[] =
    "if redis.acl_check_cmd==nil then return 'it is older than Redis 7' end\n"
    "local out={}\n"
    "for i=1,#ARGV do\n"
    "local words={}\n"
    "for word in string.gmatch(ARGV[i],'[^ ]+') do words[#words+1]=word end\n"
    "local known,may=pcall(redis.acl_check_cmd,unpack(words))\n"
    "out[i]=known and (may and 1 or 0) or -1\n"
    "end\n"
    "return out";

/* "EVAL", the script, "0", and the commands */
#define WORDS_MAX (3 + SHARE_RIGHTS_MAX)

static void note_why(char out[SHARE_WHY_MAX + 1], const struct valkey_reply *reply,
                     const char *fallback)
{
    const char *text = valkey_text(reply, NULL);

    snprintf(out, SHARE_WHY_MAX + 1, "%s",
             reply == NULL ? "the connection ended" : (text != NULL ? text : fallback));
}

/* INFO is sent first. */
static void on_info(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share_check *check = request->context;
    struct share_server *server = &check->server;
    size_t length = 0;
    const char *text = valkey_text(reply, &length), *why;

    if (valkey_type(reply) != VALKEY_TEXT) {
        note_why(server->info_why, reply, "it is no text");
        return;
    }
    why = share_info_read(&server->info, text, length);
    server->info_known = why == NULL;
    if (why != NULL)
        snprintf(server->info_why, sizeof server->info_why, "%s", why);
}

static void on_rights(struct valkey_request *request, const struct valkey_reply *reply)
{
    struct share_check *check = request->context;
    struct share_server *server = &check->server;
    size_t count = 0;
    int64_t may;

    while (share_right_at(count) != NULL)
        count++;
    server->rights_known = valkey_count(reply) == count;
    for (size_t i = 0; i < count && server->rights_known; i++)
        server->may[i] = valkey_number(valkey_at(reply, i), &may) && may == 1;
    if (!server->rights_known)
        note_why(server->rights_why, reply, "it is no list");
    share_check_cancel(check);
    check->done(check, server);
}

static int ask_rights(struct share_check *check)
{
    struct share *share = check->share;
    char room[SHARE_RIGHTS_MAX][SHARE_RIGHT_TEXT_MAX];
    const char *words[WORDS_MAX] = {"EVAL", script, "0"};
    const struct share_right *right;
    size_t count = 0;

    while ((right = share_right_at(count)) != NULL) {
        if (!share_right_text(room[count], right, share->options.prefix, false))
            return UV_ENAMETOOLONG;
        words[3 + count] = room[count];
        count++;
    }
    return valkey_send(share->commands, &check->rights, 3 + count, words, NULL, on_rights, check);
}

int share_check(struct share_check *check, struct share *share, share_checked done, void *context)
{
    const char *const info[] = {"INFO"};
    int error;

    *check = (struct share_check){.share = share, .done = done, .context = context};
    error = valkey_send(share->commands, &check->info, 1, info, NULL, on_info, check);
    if (error == 0)
        error = ask_rights(check);
    if (error != 0)
        share_check_cancel(check);
    return error;
}

void share_check_cancel(struct share_check *check)
{
    valkey_request_cancel(&check->info);
    valkey_request_cancel(&check->rights);
    check->share = NULL;
}
