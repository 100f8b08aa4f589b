/* valkey_reply: see valkey_reply.h. A struct valkey_reply is a redisReply of hiredis. */
#include "base/valkey/valkey_reply.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"

static const redisReply *inside(const struct valkey_reply *reply)
{
    return (const redisReply *)(const void *)reply;
}

enum valkey_type valkey_type(const struct valkey_reply *reply)
{
    if (reply == NULL)
        return VALKEY_NIL;
    switch (inside(reply)->type) {
    case REDIS_REPLY_NIL:
        return VALKEY_NIL;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return VALKEY_TEXT;
    case REDIS_REPLY_INTEGER:
        return VALKEY_NUMBER;
    case REDIS_REPLY_ARRAY:
        return VALKEY_ARRAY;
    case REDIS_REPLY_ERROR:
        return VALKEY_ERROR;
    default:
        return VALKEY_OTHER;
    }
}

const char *valkey_text(const struct valkey_reply *reply, size_t *length)
{
    enum valkey_type type = valkey_type(reply);

    if (type != VALKEY_TEXT && type != VALKEY_ERROR)
        return NULL;
    if (length != NULL)
        *length = (size_t)inside(reply)->len;
    return inside(reply)->str;
}

bool valkey_is(const struct valkey_reply *reply, const char *text)
{
    size_t length;
    const char *found = valkey_type(reply) == VALKEY_TEXT ? valkey_text(reply, &length) : NULL;

    return found != NULL && length == strlen(text) && memcmp(found, text, length) == 0;
}

bool valkey_is_error(const struct valkey_reply *reply, const char *word)
{
    const char *found = valkey_type(reply) == VALKEY_ERROR ? valkey_text(reply, NULL) : NULL;
    size_t length = strlen(word);

    return found != NULL && strncmp(found, word, length) == 0 &&
           (found[length] == ' ' || found[length] == '\0');
}

bool valkey_number(const struct valkey_reply *reply, int64_t *out)
{
    size_t length = 0;
    const char *text;
    char *end;

    if (valkey_type(reply) == VALKEY_NUMBER) {
        *out = inside(reply)->integer;
        return true;
    }
    text = valkey_type(reply) == VALKEY_TEXT ? valkey_text(reply, &length) : NULL;
    if (text == NULL || length == 0 || length > 20 || (text[0] != '-' && !ascii_is_digit(text[0])))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end == text + length && end != text;
}

size_t valkey_count(const struct valkey_reply *reply)
{
    return valkey_type(reply) == VALKEY_ARRAY ? (size_t)inside(reply)->elements : 0;
}

const struct valkey_reply *valkey_at(const struct valkey_reply *reply, size_t index)
{
    if (index >= valkey_count(reply))
        return NULL;
    return (const struct valkey_reply *)(const void *)inside(reply)->element[index];
}
