/* share_rights: see share_rights.h. */
#include "daemon/share/share_rights.h"

#include <string.h>

#include "base/buf.h"
#include "daemon/share/share_uv.h"

static const struct share_right rights[] = {
    {SHARE_RIGHT_NEEDED, "AUTH", "x"},
    {SHARE_RIGHT_NEEDED, "SELECT", "0"},
    {SHARE_RIGHT_NEEDED, "ROLE", ""},
    {SHARE_RIGHT_NEEDED, "CLIENT SETNAME", "x"},
    {SHARE_RIGHT_NEEDED, "TIME", ""},
    {SHARE_RIGHT_NEEDED, "EVAL", "x 4 :a:x :p:x :w:x :news"},
    {SHARE_RIGHT_NEEDED, "GET", ":epoch"},
    {SHARE_RIGHT_NEEDED, "SET", ":epoch x NX"},
    {SHARE_RIGHT_NEEDED, "MGET", ":a:x :p:x :r:x :w:x"},
    {SHARE_RIGHT_NEEDED, "DEL", ":a:x :p:x :l:x :q:x"},
    {SHARE_RIGHT_NEEDED, "PEXPIRE", ":x:x 1"},
    {SHARE_RIGHT_NEEDED, "ZADD", ":x:x 1 x"},
    {SHARE_RIGHT_NEEDED, "ZCARD", ":x:x"},
    {SHARE_RIGHT_NEEDED, "ZREM", ":x:x x"},
    {SHARE_RIGHT_NEEDED, "ZREMRANGEBYSCORE", ":x:x -inf 1"},
    {SHARE_RIGHT_NEEDED, "LPUSH", ":h:x x"},
    {SHARE_RIGHT_NEEDED, "LTRIM", ":h:x 0 1"},
    {SHARE_RIGHT_NEEDED, "LRANGE", ":h:x 0 1"},
    {SHARE_RIGHT_NEEDED, "XADD", ":news * n x"},
    {SHARE_RIGHT_NEEDED, "XREAD", "COUNT 1 BLOCK 1 STREAMS :news 0-0"},
    {SHARE_RIGHT_NEEDED, "XRANGE", ":news - +"},
    {SHARE_RIGHT_NEEDED, "XREVRANGE", ":news + -"},
    {SHARE_RIGHT_NEEDED, "HSET", ":relays x x"},
    {SHARE_RIGHT_NEEDED, "HGET", ":relays x"},
    {SHARE_RIGHT_NEEDED, "HGETALL", ":relays"},
    {SHARE_RIGHT_NEEDED, "HDEL", ":relays x"},
    {SHARE_RIGHT_USEFUL, "INFO", ""},
    {SHARE_RIGHT_EXCESS, "FLUSHALL", ""},
    {SHARE_RIGHT_EXCESS, "FLUSHDB", ""},
    {SHARE_RIGHT_EXCESS, "SWAPDB", "0 1"},
    {SHARE_RIGHT_EXCESS, "KEYS", "*"},
    {SHARE_RIGHT_EXCESS, "CONFIG SET", "x x"},
    {SHARE_RIGHT_EXCESS, "ACL SETUSER", "x"},
    {SHARE_RIGHT_EXCESS, "CLIENT KILL", "x"},
    {SHARE_RIGHT_EXCESS, "MODULE LOAD", "x"},
    {SHARE_RIGHT_EXCESS, "REPLICAOF", "NO ONE"},
    {SHARE_RIGHT_EXCESS, "DEBUG", "SLEEP 0"},
    {SHARE_RIGHT_EXCESS, "SHUTDOWN", ""},
    {SHARE_RIGHT_EXCESS, "GET", "!x"},
    {SHARE_RIGHT_EXCESS, "SET", "!x x"},
};
#define RIGHTS (sizeof rights / sizeof rights[0])
_Static_assert(RIGHTS <= SHARE_RIGHTS_MAX, "SHARE_RIGHTS_MAX");

const struct share_right *share_right_at(size_t index)
{
    return index < RIGHTS ? &rights[index] : NULL;
}

static void add_word(struct buf *out, const char *word, size_t length, const char *prefix)
{
    if (*word == ':')
        buf_addf(out, " %s:" SHARE_VERSION "%.*s", prefix, (int)length, word);
    else if (*word == '!')
        buf_addf(out, " not-%s:%.*s", prefix, (int)length - 1, word + 1);
    else
        buf_addf(out, " %.*s", (int)length, word);
}

bool share_right_text(char out[SHARE_RIGHT_TEXT_MAX], const struct share_right *right,
                      const char *prefix, bool brief)
{
    const char *word = right->words, *key = strpbrk(word, ":!");
    struct buf text;
    bool fits;

    buf_init(&text, SHARE_RIGHT_TEXT_MAX - 1);
    buf_adds(&text, right->command);
    if (brief)
        word = key == NULL ? "" : key;
    while (*word != '\0') {
        size_t length = strcspn(word, " ");

        add_word(&text, word, length, prefix);
        word = brief ? "" : word + length + strspn(word + length, " ");
    }
    fits = !text.failed;
    if (fits)
        memcpy(out, buf_text(&text), text.length + 1);
    buf_fini(&text);
    return fits;
}
