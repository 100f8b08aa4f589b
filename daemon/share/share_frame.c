/* share_frame: see share_frame.h. */
#include "daemon/share/share_frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MARK_DIGITS (SHARE_MARK_MAX - 1)
#define MAC_DIGITS  (MAC_TEXT_MAX - 1)

static bool make_mac(char out[MAC_TEXT_MAX], const struct share_key *key, const char *name,
                     const struct share_frame *frame)
{
    const struct mac_piece pieces[] = {
        {name, strlen(name)}, {frame->mark, MARK_DIGITS}, {frame->text, frame->length}};

    return mac_make(out, key->octets, key->length, pieces, sizeof pieces / sizeof pieces[0]);
}

bool share_frame_write(struct buf *out, const struct share_key *key, const char *name,
                       uint64_t mark, const char *text, size_t length)
{
    struct share_frame frame = {.text = text, .length = length};
    char mac[MAC_TEXT_MAX] = "-";

    if (length > SHARE_TEXT_MAX)
        return false;
    snprintf(frame.mark, sizeof frame.mark, "%016" PRIx64, mark);
    if (key->length > 0 && !make_mac(mac, key, name, &frame))
        return false;
    buf_addf(out, "%s %s ", frame.mark, mac);
    buf_add(out, text, length);
    return !out->failed;
}

/* Takes a word and the blank behind it off the front; NULL where there is none. */
static const char *take_word(const char **at, const char *end, size_t length)
{
    const char *word = *at;

    if ((size_t)(end - word) <= length || word[length] != ' ' || memchr(word, ' ', length) != NULL)
        return NULL;
    *at = word + length + 1;
    return word;
}

const char *share_frame_read(struct share_frame *out, const struct share_key *key, const char *name,
                             const char *value, size_t length)
{
    const char *at = value, *end = value + length, *mark, *mac;
    char made[MAC_TEXT_MAX];

    if (length > SHARE_VALUE_MAX)
        return "it is too long";
    mark = take_word(&at, end, MARK_DIGITS);
    if (mark == NULL)
        return "it has no mark";
    memcpy(out->mark, mark, MARK_DIGITS);
    out->mark[MARK_DIGITS] = '\0';
    if (strspn(out->mark, "0123456789abcdef") != MARK_DIGITS)
        return "it has no mark";
    mac = take_word(&at, end, key->length > 0 ? MAC_DIGITS : 1);
    if (mac == NULL || (key->length == 0 && *mac != '-'))
        return key->length > 0 ? "it has no MAC" : "it has a MAC, and this relay has no key";
    out->text = at;
    out->length = (size_t)(end - at);
    if (out->length > SHARE_TEXT_MAX)
        return "it is too long";
    if (key->length > 0 && !make_mac(made, key, name, out))
        return "no memory";
    return key->length == 0 || mac_equal(mac, made) ? NULL : "its MAC is not by the farm's key";
}
