/* list_read: see list_read.h. */
#include "daemon/lists/list_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "daemon/lists/verifier.h"
#include "policy/list/policy_list_judge.h"
#include "probe/tls/tls.h"

#define KEY_FILE_MAX   (OPENPGP_KEY_MAX + OPENPGP_FINGERPRINT_MAX)
#define COPY_MAX       (POLICY_LIST_TEXT_MAX + SIGNATURE_MAX + 64)
#define VERIFY_MS      10000 /* for gpgv */
#define RACY_MS        2000  /* a change within it may not show in a later mark */
#define KEEP_S         600   /* for less, it is not written that the source was good again */
#define SOURCE_END_MAX 4096

/* One list that is looked at. */
struct attempt {
    enum list_outcome outcome;
    enum list_refusal refusal;
    char why[LIST_WHY_MAX];
    struct policy_list *list; /* owned; NULL: none, or the one in memory */
    struct list_identity identity;
    int64_t timestamp_s, ready_s;
};

__attribute__((format(printf, 4, 5))) static void refuse(struct attempt *attempt,
                                                         enum list_outcome outcome,
                                                         enum list_refusal refusal,
                                                         const char *format, ...)
{
    va_list args;

    attempt->outcome = outcome;
    attempt->refusal = refusal;
    va_start(args, format);
    vsnprintf(attempt->why, sizeof attempt->why, format, args);
    va_end(args);
}

/* ---- the key ---- */

static bool key_fits(const struct list_reading *reading, struct attempt *attempt)
{
    const struct config_list *line = reading->line;

    if ((reading->kind == SIGNATURE_OPENPGP) == (line->fingerprint != NULL))
        return true;
    refuse(attempt, LIST_REFUSED, LIST_REFUSAL_KEY,
           reading->kind == SIGNATURE_OPENPGP
               ? "%s is an OpenPGP key: fingerprint= of its primary key is missing"
               : "%s is a minisign key: fingerprint= is for OpenPGP keys",
           line->key_path);
    return false;
}

static bool read_key_file(struct list_reading *reading, struct buf *text, struct attempt *attempt)
{
    const struct config_list *line = reading->line;
    char why[OPENPGP_WHY_MAX];

    if (file_read(text, line->key_path) != 0) {
        refuse(attempt, LIST_REFUSED, LIST_REFUSAL_KEY, "%s: %s%s", line->key_path, strerror(errno),
               errno == EACCES ? " (mxcryptd reads it as its own user)" : "");
        return false;
    }
    if (line->fingerprint != NULL)
        buf_adds(text, line->fingerprint);
    attempt->identity.key = hash_stable(buf_text(text), text->length);
    if (!signature_kind_of(&reading->kind, line->key_path, why)) {
        refuse(attempt, LIST_REFUSED, LIST_REFUSAL_KEY, "%s", why);
        return false;
    }
    if (!key_fits(reading, attempt))
        return false;
    signature_key_name(reading->key_text, reading->kind, line->key_path, line->fingerprint);
    return !text->failed;
}

/* A key is given up because it leaked: then a list that only the old key vouches for may not stay,
 * also when the new key is no key. A file that cannot be read is another key if it has another name. */
static bool key_is_another(const struct list_reading *reading, uint64_t key)
{
    if (reading->identity.key == 0)
        return false;
    return key == 0 ? reading->key_renamed : key != reading->identity.key;
}

/* False, with the attempt refused, when there is no key to verify with. */
static bool read_key(struct list_reading *reading, struct attempt *attempt)
{
    struct buf text;

    buf_init(&text, KEY_FILE_MAX);
    reading->key_known = read_key_file(reading, &text, attempt);
    reading->key_changed = key_is_another(reading, attempt->identity.key);
    buf_fini(&text);
    return reading->key_known;
}

/* ---- one list ---- */

static const char *verify(const struct list_reading *reading, const struct buf *text,
                          const struct buf *signature, char why[OPENPGP_WHY_MAX])
{
    const struct signature_check check = {
        .kind = reading->kind,
        .data = buf_text(text),
        .signature = buf_text(signature),
        .length = text->length,
        .signature_length = signature->length,
        .key_path = reading->line->key_path,
        .fingerprint = reading->line->fingerprint,
        .deadline_ms = VERIFY_MS,
    };
    const struct openpgp_check openpgp = {
        check.data,     check.signature,   check.length,     check.signature_length,
        check.key_path, check.fingerprint, check.deadline_ms};

    /* gpgv is a program, and this process may not run any */
    return check.kind == SIGNATURE_OPENPGP ? verifier_check(reading->verifier, &openpgp, why)
                                           : signature_verify(&check, why);
}

/* The header of a list whose signature is good: of the one in memory when it is the same. NULL with
 * the attempt refused. */
static const struct policy_list_header *read_text(const struct list_reading *reading,
                                                  const struct buf *text, struct attempt *attempt)
{
    char error[POLICY_LIST_ERROR_MAX];

    if (reading->list != NULL && attempt->identity.text == reading->identity.text)
        return policy_list_header(reading->list);
    if (policy_list_read(&attempt->list, buf_text(text), text->length, error) == 0)
        return policy_list_header(attempt->list);
    attempt->list = NULL;
    refuse(attempt, LIST_REFUSED, LIST_REFUSAL_SYNTAX, "%s", error);
    return NULL;
}

static int64_t min_age_s(const struct list_reading *reading)
{
    return reading->line->min_age_ms / 1000;
}

/* A list that was in force is not too new: then the clock was set back, or min-age is another now. */
static enum policy_list_state judge(const struct list_reading *reading,
                                    const struct policy_list_header *header, char *why)
{
    int64_t now_s = clock_wall_s();
    bool was_in_force = header->timestamp_s == reading->kept.newest_s;
    enum policy_list_state state = policy_list_judge(
        header, reading->kept.newest_s, was_in_force ? 0 : min_age_s(reading), now_s, why);

    return state == POLICY_LIST_TOO_NEW && was_in_force ? POLICY_LIST_IN_FORCE : state;
}

static void judge_times(const struct list_reading *reading, const struct policy_list_header *header,
                        struct attempt *attempt)
{
    char why[POLICY_LIST_ERROR_MAX] = "";
    int64_t skew_s = min_age_s(reading) > 0 ? 0 : POLICY_LIST_SKEW_S;

    switch (judge(reading, header, why)) {
    case POLICY_LIST_IN_FORCE:
        attempt->outcome = attempt->list == NULL ? LIST_SAME : LIST_TAKEN;
        attempt->why[0] = '\0';
        break;
    case POLICY_LIST_TOO_NEW:
        refuse(attempt, LIST_WAITS, LIST_REFUSAL_TIMES, "%s", why);
        attempt->ready_s = header->timestamp_s + min_age_s(reading) - skew_s;
        break;
    case POLICY_LIST_EXPIRED:
        refuse(attempt, LIST_EXPIRED, LIST_REFUSAL_TIMES, "%s", why);
        break;
    case POLICY_LIST_ROLLED_BACK:
        refuse(attempt, LIST_REFUSED, LIST_REFUSAL_ROLLBACK, "%s", why);
        break;
    case POLICY_LIST_ABSURD:
        refuse(attempt, LIST_REFUSED, LIST_REFUSAL_TIMES, "%s", why);
        break;
    }
}

/* Fills the attempt, of which the key is known. Its list is there only when it may be used now. */
static void look_at(const struct list_reading *reading, const struct buf *text,
                    const struct buf *signature, struct attempt *attempt)
{
    const struct policy_list_header *header;
    char why[OPENPGP_WHY_MAX];
    const char *wrong = verify(reading, text, signature, why);

    attempt->list = NULL;
    if (wrong != NULL) {
        refuse(attempt, LIST_REFUSED, LIST_REFUSAL_SIGNATURE, "signature: %s", wrong);
        return;
    }
    attempt->identity.text = hash_stable(buf_text(text), text->length);
    attempt->identity.signature = hash_stable(buf_text(signature), signature->length);
    header = read_text(reading, text, attempt);
    if (header == NULL)
        return;
    attempt->timestamp_s = header->timestamp_s;
    if (header->timestamp_s == reading->kept.newest_s &&
        attempt->identity.text != reading->kept.text)
        refuse(
            attempt, LIST_REFUSED, LIST_REFUSAL_ROLLBACK,
            "it has the timestamp of a list that was in force, and is another one: its maker has "
            "to give it a later one");
    else
        judge_times(reading, header, attempt);
    if (attempt->outcome != LIST_TAKEN) {
        policy_list_free(attempt->list);
        attempt->list = NULL;
    }
}

static bool is_good(const struct attempt *attempt)
{
    return attempt->outcome == LIST_TAKEN || attempt->outcome == LIST_SAME;
}

/* ---- where they are ---- */

static bool read_file(struct buf *out, const char *path, struct attempt *attempt)
{
    if (file_read(out, path) == 0)
        return true;
    if (errno == EFBIG)
        refuse(attempt, LIST_REFUSED, LIST_REFUSAL_SIZE, "%s has more than %zu octets", path,
               out->limit);
    else
        refuse(attempt, LIST_MISSING, LIST_REFUSAL_SIZE, "%s: %s%s", path, strerror(errno),
               errno == EACCES ? " (mxcryptd reads it as its own user)" : "");
    return false;
}

static void mark_files(struct list_reading *reading, const char *signature_path)
{
    struct file_mark mark = {0};

    file_mark_add(&mark, reading->line->path);
    file_mark_add(&mark, signature_path);
    file_mark_add(&mark, reading->line->key_path);
    reading->unchanged =
        reading->only_changed && !reading->key_changed && reading->mark == mark.identity;
    reading->mark = mark.changed_ms > clock_wall_ms() - RACY_MS ? 0 : mark.identity;
}

/* The mark is taken first: what is replaced meanwhile has another one the next time. */
static void read_files(struct list_reading *reading, struct attempt *attempt)
{
    char signature_path[SOURCE_END_MAX];

    snprintf(signature_path, sizeof signature_path, "%s%s", reading->line->path,
             signature_suffix(reading->kind));
    mark_files(reading, signature_path);
    if (reading->unchanged)
        return;
    if (read_file(&reading->text, reading->line->path, attempt) &&
        read_file(&reading->signature, signature_path, attempt))
        look_at(reading, &reading->text, &reading->signature, attempt);
}

/* ---- what is kept ---- */

static bool copy_attempt(struct list_reading *reading, struct attempt *attempt)
{
    struct buf text, signature;
    bool there;

    buf_init(&text, COPY_MAX);
    buf_init(&signature, SIGNATURE_MAX);
    there = list_copy_read(&text, &signature, reading->kept_path);
    if (there)
        look_at(reading, &text, &signature, attempt);
    buf_fini(&signature);
    buf_fini(&text);
    return there;
}

/* What the disk has. Where the state is damaged, the copy tells the newest timestamp, if its
 * signature is good. False, with the attempt refused, when it cannot be known. */
static bool learn_kept(struct list_reading *reading, struct attempt *attempt)
{
    struct attempt copy = {.identity = attempt->identity};
    char why[LIST_KEPT_WHY_MAX];

    if (reading->kept_known || reading->kept_path == NULL ||
        list_kept_read(&reading->kept, reading->kept_path, reading->line->source, why)) {
        reading->kept_known = true;
        return true;
    }
    if (copy_attempt(reading, &copy) && copy.timestamp_s != 0) {
        reading->kept = (struct list_kept){copy.timestamp_s, copy.identity.text, 0, 0};
        reading->kept_known = true;
    } else {
        refuse(attempt, LIST_REFUSED, LIST_REFUSAL_ROLLBACK,
               "whether this list is older than one that was in force cannot be known: %s; remove "
               "that file to begin anew",
               why);
    }
    policy_list_free(copy.list);
    return reading->kept_known;
}

static bool is_kept(const struct list_kept *a, const struct list_kept *b)
{
    return a->text == b->text && a->signature == b->signature;
}

/* A copy that could not be written is tried again with the next reading. */
static void keep_copy(struct list_reading *reading)
{
    reading->kept_tried = true;
    if (!list_copy_write(&reading->text, &reading->signature, reading->kept_path,
                         reading->kept_why))
        reading->kept.signature = 0;
}

/* `used`: what may be used, from wherever; NULL: nothing. */
static void keep(struct list_reading *reading, const struct attempt *used, bool source_good)
{
    const struct list_kept before = reading->kept;
    struct list_kept *kept = &reading->kept;

    if (source_good)
        kept->good_s = clock_wall_s();
    if (used != NULL) {
        kept->newest_s = used->timestamp_s;
        kept->text = used->identity.text;
        kept->signature = used->identity.signature;
    }
    if (reading->kept_path == NULL)
        return;
    if (used != NULL && !reading->from_copy && reading->text.length > 0 &&
        (!is_kept(kept, &before) || !list_copy_exists(reading->kept_path)))
        keep_copy(reading);
    if (is_kept(kept, &before) && kept->good_s - before.good_s < KEEP_S &&
        kept->good_s >= before.good_s)
        return;
    reading->kept_tried = true;
    list_kept_write(kept, reading->kept_path, reading->line->source, reading->kept_why);
}

/* ---- all of it ---- */

static void same_again(struct list_reading *reading, struct attempt *attempt)
{
    const struct policy_list_header *header = policy_list_header(reading->list);

    attempt->identity = reading->identity;
    attempt->timestamp_s = header->timestamp_s;
    judge_times(reading, header, attempt);
}

static void look_at_source(struct list_reading *reading, struct attempt *attempt)
{
    if (reading->want == LIST_READ_FETCHED || reading->want == LIST_READ_WAITING)
        look_at(reading, &reading->text, &reading->signature, attempt);
    else if (reading->line->host == NULL)
        read_files(reading, attempt);
    else if (reading->list != NULL && !reading->key_changed)
        same_again(reading, attempt);
    else
        refuse(attempt, LIST_MISSING, LIST_REFUSAL_SIZE, "it has not been fetched yet");
}

/* The copy counts when there is nothing better: at start, and when the key has changed. */
static void look_at_copy(struct list_reading *reading, struct attempt *attempt,
                         struct attempt *copy)
{
    bool not_fetched = reading->line->host != NULL && attempt->outcome == LIST_MISSING;

    if (reading->kept_path == NULL || (reading->list != NULL && !reading->key_changed) ||
        !copy_attempt(reading, copy))
        return;
    reading->from_copy = is_good(copy);
    if (!not_fetched)
        return;
    attempt->outcome = copy->outcome;
    attempt->refusal = copy->refusal;
    memcpy(attempt->why, copy->why, sizeof attempt->why);
}

static void read_list(struct list_reading *reading, struct attempt *attempt, struct attempt *copy)
{
    bool source_good, waited = reading->want == LIST_READ_WAITING;

    if (!read_key(reading, attempt) || !learn_kept(reading, attempt))
        return;
    copy->identity.key = attempt->identity.key;
    look_at_source(reading, attempt);
    if (reading->unchanged)
        return;
    if (reading->signature.length > 0)
        reading->signature_seen =
            hash_stable(buf_text(&reading->signature), reading->signature.length);
    source_good = is_good(attempt) || attempt->outcome == LIST_WAITS;
    if (waited || (reading->line->host != NULL && reading->want == LIST_READ_LOCAL))
        source_good = false; /* that is known when it has been read or fetched */
    if (!is_good(attempt))
        look_at_copy(reading, attempt, copy);
    if (source_good || reading->from_copy || waited)
        keep(reading, reading->from_copy ? copy : is_good(attempt) ? attempt : NULL, source_good);
}

static size_t count_enforced(const struct policy_list *list)
{
    struct policy_list_entry entry;
    size_t at = 0, count = 0;

    while (list != NULL && policy_list_next(&entry, list, &at))
        count += entry.mode == LIST_ENFORCE;
    return count;
}

static void give_result(struct list_reading *reading, const struct attempt *attempt,
                        struct attempt *used)
{
    reading->outcome = attempt->outcome;
    reading->refusal = attempt->refusal;
    memcpy(reading->why, attempt->why, sizeof reading->why);
    reading->ready_s = attempt->ready_s;
    reading->usable = is_good(used);
    reading->taken = used->list;
    reading->enforced = count_enforced(used->list);
    reading->taken_identity = used->identity;
}

void list_read(struct list_reading *reading)
{
    struct attempt attempt = {.outcome = LIST_MISSING}, copy = {.outcome = LIST_MISSING};

    reading->unchanged = reading->from_copy = reading->key_changed = reading->kept_tried = false;
    reading->signature_seen = 0;
    reading->kept_why[0] = '\0';
    read_list(reading, &attempt, &copy);
    give_result(reading, &attempt, reading->from_copy ? &copy : &attempt);
    if (reading->outcome != LIST_WAITS && reading->want != LIST_READ_WAITING) {
        buf_fini(&reading->text);
        buf_fini(&reading->signature);
    }
    tls_thread_end();
}

void list_reading_init(struct list_reading *reading)
{
    memset(reading, 0, sizeof *reading);
    buf_init(&reading->text, POLICY_LIST_TEXT_MAX);
    buf_init(&reading->signature, SIGNATURE_MAX);
}

void list_reading_fini(struct list_reading *reading)
{
    policy_list_free(reading->taken);
    policy_list_free(reading->replaced);
    reading->taken = reading->replaced = NULL;
    buf_fini(&reading->text);
    buf_fini(&reading->signature);
}

const char *list_outcome_name(enum list_outcome outcome)
{
    static const char *const words[] = {LIST_OUTCOMES(ENUM_WORD)};

    return words[outcome];
}

const char *list_refusal_name(enum list_refusal refusal)
{
    static const char *const words[] = {LIST_REFUSALS(ENUM_WORD)};

    return words[refusal];
}
