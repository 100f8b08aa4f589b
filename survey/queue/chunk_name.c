/* chunk_name: see chunk_name.h. */
#include "survey/queue/chunk_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define UNIT_WORD(constant, word, text) [constant] = (word),
static const char *const words[UNIT_KIND_COUNT] = {UNIT_KINDS(UNIT_WORD)};

const char *chunk_stream(char out[CHUNK_NAME_MAX], const struct results_chunk *chunk)
{
    if (chunk->kind == UNIT_ADDRESS)
        snprintf(out, CHUNK_NAME_MAX, "%s-%u", words[chunk->kind], chunk->part);
    else
        snprintf(out, CHUNK_NAME_MAX, "%s", words[chunk->kind]);
    return out;
}

const char *chunk_name(char out[CHUNK_NAME_MAX], const struct results_chunk *chunk)
{
    char stream[CHUNK_NAME_MAX];

    snprintf(out, CHUNK_NAME_MAX, "%.16s-%" PRId64, chunk_stream(stream, chunk), chunk->number);
    return out;
}

const char *chunk_entry(char out[CHUNK_NAME_MAX], const struct results_chunk *chunk)
{
    snprintf(out, CHUNK_NAME_MAX, "%" PRId64 "-0", chunk->number);
    return out;
}

/* Digits without a leading zero, but for 0 itself; what they take, 0: there are none, or too many. */
static size_t read_number(int64_t *out, const char *text, size_t length, int64_t most)
{
    size_t used = 0;

    *out = 0;
    while (used < length && text[used] >= '0' && text[used] <= '9') {
        *out = *out * 10 + (text[used++] - '0');
        if (*out > most)
            return 0;
    }
    return used > 1 && text[0] == '0' ? 0 : used;
}

bool chunk_entry_read(int64_t *number, const char *text, size_t length)
{
    size_t used = read_number(number, text, length, CHUNK_NUMBER_MAX);

    return used > 0 && *number > 0 && length - used == 2 && memcmp(text + used, "-0", 2) == 0;
}

bool chunk_name_read(struct results_chunk *out, const char *text, size_t length)
{
    const char *end = text + length;
    int64_t part = 0, number;
    size_t used;

    for (int kind = 0; kind < UNIT_KIND_COUNT; kind++) {
        size_t word = strlen(words[kind]);

        if (length <= word || memcmp(text, words[kind], word) != 0)
            continue;
        text += word;
        if (kind == UNIT_ADDRESS) {
            used = *text == '-'
                       ? read_number(&part, text + 1, (size_t)(end - text - 1), CHUNK_PARTS_MAX - 1)
                       : 0;
            if (used == 0)
                return false;
            text += 1 + used;
        }
        if (text == end || *text++ != '-')
            return false;
        used = read_number(&number, text, (size_t)(end - text), CHUNK_NUMBER_MAX);
        *out = (struct results_chunk){(enum unit_kind)kind, (unsigned)part, number};
        return used > 0 && number > 0 && text + used == end;
    }
    return false;
}
