/* tlsrpt_journal: see tlsrpt_journal.h. */
#include "audit/tlsrpt/tlsrpt_journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/map.h"

#define DOUBLINGS_MAX 10 /* then a day is over */
#define DIGITS_MAX    12

static const char *const result_names[] = {
    [TLSRPT_FAILED] = "failed", [TLSRPT_SENT] = "sent", [TLSRPT_GIVEN_UP] = "given-up"};

struct entry {
    UT_hash_handle hh;
    struct tlsrpt_attempts attempts;
    char key[]; /* "FILE" or "FILE ADDRESS" */
};

struct tlsrpt_journal {
    struct entry *entries; /* by key; owned */
};

struct tlsrpt_journal *tlsrpt_journal_new(void)
{
    return calloc(1, sizeof(struct tlsrpt_journal));
}

void tlsrpt_journal_free(struct tlsrpt_journal *journal)
{
    struct entry *entry, *next;

    if (journal == NULL)
        return;
    HASH_ITER(hh, journal->entries, entry, next)
    {
        HASH_DELETE(hh, journal->entries, entry);
        free(entry);
    }
    free(journal);
}

/* Makes the key, and gives its length; 0 when it is too long. */
static size_t key_of(char out[TLSRPT_LINE_MAX], struct tlsrpt_delivery delivery)
{
    size_t length = strlen(delivery.name);

    if (length > TLSRPT_NAME_MAX || delivery.uri.length > TLSRPT_URI_MAX)
        return 0;
    memcpy(out, delivery.name, length);
    if (delivery.uri.length == 0)
        return length;
    out[length++] = ' ';
    memcpy(out + length, delivery.uri.text, delivery.uri.length);
    return length + delivery.uri.length;
}

static struct entry *find(const struct tlsrpt_journal *journal, const char *key, size_t length)
{
    struct entry *entry;

    HASH_FIND(hh, journal->entries, key, length, entry);
    return entry;
}

static struct entry *add(struct tlsrpt_journal *journal, const char *key, size_t length)
{
    struct entry *entry = calloc(1, sizeof *entry + length);

    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key, length);
    HASH_ADD_KEYPTR(hh, journal->entries, entry->key, length, entry);
    if (MAP_ADDED(entry))
        return entry;
    free(entry);
    return NULL;
}

bool tlsrpt_journal_note(struct tlsrpt_journal *journal, struct tlsrpt_delivery delivery,
                         int64_t at, enum tlsrpt_attempt_result result)
{
    char key[TLSRPT_LINE_MAX];
    size_t length = key_of(key, delivery);
    struct entry *entry = find(journal, key, length);

    if (entry == NULL && length > 0)
        entry = add(journal, key, length);
    if (entry == NULL)
        return false;
    if (result == TLSRPT_FAILED && entry->attempts.failed++ == 0)
        entry->attempts.first_failed = at;
    entry->attempts.over |= result != TLSRPT_FAILED;
    entry->attempts.sent |= result == TLSRPT_SENT;
    entry->attempts.last_at = at;
    return true;
}

struct tlsrpt_attempts tlsrpt_journal_find(const struct tlsrpt_journal *journal,
                                           struct tlsrpt_delivery delivery)
{
    char key[TLSRPT_LINE_MAX];
    const struct entry *entry = find(journal, key, key_of(key, delivery));

    return entry == NULL ? (struct tlsrpt_attempts){0} : entry->attempts;
}

void tlsrpt_journal_line(struct buf *out, struct tlsrpt_delivery delivery, int64_t at,
                         enum tlsrpt_attempt_result result)
{
    buf_addf(out, "%lld %s %s%s", (long long)at, result_names[result], delivery.name,
             delivery.uri.length > 0 ? " " : "");
    buf_add(out, delivery.uri.text, delivery.uri.length);
    buf_adds(out, "\n");
}

/* ---- reading ---- */

/* Takes what comes before the next blank, and the blank if there is one. */
static struct span take_word(struct span *line)
{
    struct span word = span_until(*line, " ");

    span_skip(line, word.length + (word.length < line->length));
    return word;
}

static bool read_moment(int64_t *out, struct span number)
{
    *out = 0;
    for (size_t i = 0; i < number.length && i < DIGITS_MAX; i++) {
        if (!ascii_is_digit(number.text[i]))
            return false;
        *out = *out * 10 + (number.text[i] - '0');
    }
    return number.length > 0 && number.length <= DIGITS_MAX;
}

/* An address is one word of printable ASCII, as a record has it. */
static bool is_uri(struct span uri)
{
    for (size_t i = 0; i < uri.length; i++)
        if (uri.text[i] <= ' ' || uri.text[i] > '~')
            return false;
    return uri.length <= TLSRPT_URI_MAX;
}

/* What a line says. */
struct journal_line {
    char name[TLSRPT_NAME_MAX + 1];
    struct tlsrpt_delivery delivery; /* of that name */
    int64_t at;
    enum tlsrpt_attempt_result result;
};

/* False for a line that makes no sense. */
static bool read_line(struct journal_line *out, struct span line)
{
    struct span number = take_word(&line), word = take_word(&line), file = take_word(&line);
    struct tlsrpt_name read;
    int result = 0, results = (int)(sizeof result_names / sizeof result_names[0]);

    if (!read_moment(&out->at, number) || file.length > TLSRPT_NAME_MAX ||
        memchr(file.text, '\0', file.length) != NULL || !is_uri(line))
        return false;
    memcpy(out->name, file.text, file.length);
    out->name[file.length] = '\0';
    out->delivery = (struct tlsrpt_delivery){out->name, line};
    while (result < results && !span_is(word, result_names[result]))
        result++;
    out->result = (enum tlsrpt_attempt_result)result;
    return result < results && tlsrpt_name_read(&read, out->name);
}

/* Takes the next whole line; false when there is none. */
static bool next_line(struct span *rest, struct span *line)
{
    const char *end = memchr(rest->text, '\n', rest->length);

    if (end == NULL)
        return false;
    *line = (struct span){rest->text, (size_t)(end - rest->text)};
    span_skip(rest, line->length + 1);
    return true;
}

bool tlsrpt_journal_read(struct tlsrpt_journal *journal, const char *text, size_t length)
{
    struct span rest = {text, length}, line;
    struct journal_line read;

    while (next_line(&rest, &line))
        if (read_line(&read, line) &&
            !tlsrpt_journal_note(journal, read.delivery, read.at, read.result))
            return false;
    return true;
}

/* Of a report that is done with, what led there says nothing any more. */
static bool is_past(const struct tlsrpt_journal *journal, const struct journal_line *line)
{
    struct tlsrpt_delivery report = {line->name, {"", 0}};

    return (line->delivery.uri.length > 0 || line->result == TLSRPT_FAILED) &&
           tlsrpt_journal_find(journal, report).over;
}

void tlsrpt_journal_prune(struct buf *out, const struct tlsrpt_journal *journal, const char *text,
                          size_t length, tlsrpt_wanted *wanted, void *context)
{
    struct span rest = {text, length}, line;
    struct journal_line read;

    while (next_line(&rest, &line))
        if (read_line(&read, line) && !is_past(journal, &read) && wanted(context, read.name))
            buf_add(out, line.text, line.length + 1);
}

/* ---- when ---- */

int64_t tlsrpt_next_attempt(const struct tlsrpt_attempts *attempts)
{
    unsigned doublings =
        attempts->failed - 1 < DOUBLINGS_MAX ? attempts->failed - 1 : DOUBLINGS_MAX;
    int64_t next, end = attempts->first_failed + TLSRPT_RETRY_END_S;

    if (attempts->failed == 0)
        return 0;
    next = attempts->last_at + ((int64_t)TLSRPT_RETRY_FIRST_S << doublings);
    return next < end ? next : end;
}

bool tlsrpt_is_last_attempt(const struct tlsrpt_attempts *attempts, int64_t at)
{
    return attempts->failed > 0 && at >= attempts->first_failed + TLSRPT_RETRY_END_S;
}
