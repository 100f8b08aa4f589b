/* fuzz_share: a value of the share is refused, or comes back as it was; so is what its server says of
 * itself. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "daemon/share/share_frame.h"
#include "daemon/share/share_info.h"
#include "daemon/share/share_text.h"

#define NAME "mxcrypt:1:a:example.org"

static const struct share_key no_key = {.length = 0};

static void try_record(struct arena *arena, const char *text, size_t length)
{
    struct record *record, *again;
    char *written;

    if (share_record_read(&record, arena, text, length) != NULL)
        return;
    written = share_record_write(record);
    CHECK(written != NULL);
    CHECK(share_record_read(&again, arena, written, strlen(written)) == NULL);
    free(written);
}

static void try_word(const char *text, size_t length)
{
    struct share_word word, again;
    char *written;

    if (share_word_read(&word, text, length) != NULL)
        return;
    written = share_word_write(&word);
    CHECK(written != NULL && share_word_read(&again, written, strlen(written)) == NULL);
    CHECK(again.forgotten_at == word.forgotten_at && again.released_at == word.released_at);
    free(written);
}

static void try_news(struct arena *arena, const char *text, size_t length)
{
    struct share_news news, again;
    char *written;

    if (share_news_read(&news, arena, text, length) != NULL)
        return;
    written = share_news_write(&news);
    CHECK(written != NULL && share_news_read(&again, arena, written, strlen(written)) == NULL);
    CHECK(again.kind == news.kind && strcmp(again.name, news.name) == 0);
    free(written);
}

static void try_relay(const char *text, size_t length)
{
    struct share_relay relay, again;
    char *written;

    if (share_relay_read(&relay, text, length) != NULL)
        return;
    written = share_relay_write(&relay);
    CHECK(written != NULL && share_relay_read(&again, written, strlen(written)) == NULL);
    CHECK(share_relay_same(&relay, &again) && again.skew_ms == relay.skew_ms);
    free(written);
}

static void try_info(const char *text, size_t length)
{
    struct share_info info;

    if (share_info_read(&info, text, length) == NULL)
        CHECK(strlen(info.version) <= SHARE_WORD_MAX && strlen(info.policy) <= SHARE_WORD_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    struct arena *arena = arena_new(16 * 1024 * 1024);
    struct share_frame frame;

    CHECK(arena != NULL);
    if (share_frame_read(&frame, &no_key, NAME, (const char *)data, length) == NULL) {
        try_record(arena, frame.text, frame.length);
        try_word(frame.text, frame.length);
        try_news(arena, frame.text, frame.length);
        try_relay(frame.text, frame.length);
    }
    try_info((const char *)data, length);
    arena_free(arena);
    return 0;
}
