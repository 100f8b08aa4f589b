/*
 * tlsrpt_send: `mxcrypt tlsrpt send DIR`: sends every report of a directory to each address that its
 * domain publishes, unless that was done, and notes what became of it in DIR/journal
 * (audit/tlsrpt/tlsrpt_journal.h). One run at a time: the directory is locked. An attempt is noted when it has ended: a
 * report that was on its way when the program was killed is sent again, and no other.
 */
#define _GNU_SOURCE /* fallocate, memfd_create */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/tlsrpt/tlsrpt_journal.h"
#include "audit/tlsrpt/tlsrpt_mail.h"
#include "audit/tlsrpt/tlsrpt_rua.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/hash.h"
#include "base/page/page_write.h"
#include "cli/postfix/postfix.h"
#include "cli/tlsrpt/tlsrpt_command.h"
#include "probe/submit/submit.h"

#define PATH_SIZE    4096
#define WHY_SIZE     600
#define URI_SHOWN    300
#define SILENT_MAX   256
#define REPORTS_MAX  10000 /* of one run; the others wait for the next one */
#define SENDMAIL     "/usr/sbin/sendmail"
#define SENDMAIL_MS  60000
#define MAIL_MAX     (2 * TLSRPT_GZIP_MAX)
#define JOURNAL_LONG ((size_t)1024 * 1024) /* octets */
#define JOURNAL      "journal"

struct report {
    char name[TLSRPT_NAME_MAX + 1];
    struct tlsrpt_name about;
    enum tlsrpt_state state; /* of the record, looked up now */
    char *rua;               /* owned; NULL: none */
    unsigned failed;         /* attempts */
    uint64_t order;          /* among those with as many */
};

struct sending {
    struct cli *cli;
    const char *folder;
    struct tlsrpt_journal *journal;
    int fd;                 /* of its file; -1: --dry-run */
    int folder_fd;          /* locked, unless --dry-run */
    struct report *reports; /* that are due; owned */
    size_t count;
    struct submit *submit;
    const char *contact, *organization;
    size_t sent, failed, given_up;
    char silent[SILENT_MAX][HOSTNAME_MAX + 1]; /* hosts that answered nothing in this run */
    size_t silent_count;
};

/* ---- the journal ---- */

static int say(const char *what, const char *why, int status)
{
    fprintf(stderr, "mxcrypt: %s: %s\n", what, why);
    return status;
}

/* One at a time: the directory is locked, since the journal may be replaced. */
static int lock_folder(struct sending *sending)
{
    sending->folder_fd = open(sending->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (sending->folder_fd < 0)
        return say(sending->folder, strerror(errno), CLI_DATA);
    if (sending->cli->dry_run || flock(sending->folder_fd, LOCK_EX | LOCK_NB) == 0)
        return CLI_OK;
    return say(sending->folder,
               errno == EWOULDBLOCK ? "reports are being sent already" : strerror(errno), CLI_TEMP);
}

static bool is_there(void *context, const char *name)
{
    const struct sending *sending = context;

    return faccessat(sending->folder_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A long journal is replaced by one without the lines of reports that are gone, and the attempts at
 * those that are done with. */
static int shorten(struct sending *sending, const char *path, struct buf *text)
{
    struct buf kept;
    int status = CLI_OK;

    if (text->length < JOURNAL_LONG)
        return CLI_OK;
    buf_init(&kept, TLSRPT_JOURNAL_MAX);
    tlsrpt_journal_prune(&kept, sending->journal, buf_text(text), text->length, is_there, sending);
    if (kept.failed || page_replace_text(path, &kept) != 0)
        status = say(path, kept.failed ? "no memory" : strerror(errno), CLI_CANNOT_WRITE);
    buf_fini(&kept);
    return status;
}

static int read_journal(struct sending *sending, const char *path)
{
    struct buf text;
    int status = CLI_OK;

    buf_init(&text, TLSRPT_JOURNAL_MAX);
    if (file_read(&text, path) != 0)
        status = errno == ENOENT ? CLI_OK : say(path, strerror(errno), CLI_DATA);
    else if (!tlsrpt_journal_read(sending->journal, buf_text(&text), text.length))
        status = say(path, "no memory", CLI_INTERNAL);
    else if (!sending->cli->dry_run)
        status = shorten(sending, path, &text);
    buf_fini(&text);
    return status;
}

/* What root made in the directory of another user, such as the timer's, is that user's. */
static void give_away(const struct sending *sending)
{
    struct stat file, folder;

    if (sending->fd >= 0 && fstat(sending->fd, &file) == 0 && file.st_uid == 0 &&
        file.st_nlink == 1 && fstat(sending->folder_fd, &folder) == 0 && folder.st_uid != 0 &&
        fchown(sending->fd, folder.st_uid, folder.st_gid) != 0)
        fprintf(stderr, "mxcrypt: " JOURNAL ": %s\n", strerror(errno));
}

/* For adding; half a line at its end, of a program that was killed, is ended. */
static int open_journal(struct sending *sending)
{
    char path[PATH_SIZE], last = '\n';
    int status;

    snprintf(path, sizeof path, "%s/" JOURNAL, sending->folder);
    status = read_journal(sending, path);
    if (status != CLI_OK || sending->cli->dry_run)
        return status;
    sending->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    give_away(sending);
    if (sending->fd >= 0 && lseek(sending->fd, -1, SEEK_END) >= 0 &&
        read(sending->fd, &last, 1) == 1 && last != '\n' && write(sending->fd, "\n", 1) != 1)
        return say(path, strerror(errno), CLI_CANNOT_WRITE);
    return sending->fd >= 0 ? CLI_OK : say(path, strerror(errno), CLI_CANNOT_WRITE);
}

/* Room for the lines of a report, before it is sent: what cannot be noted would be sent again. */
static int reserve(const struct sending *sending)
{
    off_t end = lseek(sending->fd, 0, SEEK_END);

    if (fallocate(sending->fd, FALLOC_FL_KEEP_SIZE, end,
                  (off_t)TLSRPT_LINE_MAX * (TLSRPT_RUAS_MAX + 1)) == 0 ||
        errno == EOPNOTSUPP || errno == ENOSYS)
        return CLI_OK;
    return say(JOURNAL, strerror(errno), CLI_CANNOT_WRITE);
}

static int note(const struct sending *sending, struct tlsrpt_delivery delivery,
                enum tlsrpt_attempt_result result)
{
    int64_t now = clock_wall_s();
    struct buf line;
    int status = CLI_OK;

    if (sending->cli->dry_run)
        return CLI_OK;
    buf_init(&line, TLSRPT_LINE_MAX);
    tlsrpt_journal_line(&line, delivery, now, result);
    errno = 0;
    if (line.failed || write(sending->fd, line.data, line.length) != (ssize_t)line.length ||
        fdatasync(sending->fd) != 0)
        status = say(JOURNAL, errno == 0 ? "no space" : strerror(errno), CLI_CANNOT_WRITE);
    else if (!tlsrpt_journal_note(sending->journal, delivery, now, result))
        status = say(JOURNAL, "no memory", CLI_INTERNAL);
    buf_fini(&line);
    return status;
}

/* ---- what is due ---- */

/* New ones first, in an order that no receiver can foresee: hosts that take their time hold up no
 * others for long. */
static int by_turn(const void *one, const void *other)
{
    const struct report *a = one, *b = other;

    if (a->failed != b->failed)
        return a->failed < b->failed ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static bool is_due(const struct sending *sending, struct tlsrpt_delivery delivery, int64_t now)
{
    struct tlsrpt_attempts attempts = tlsrpt_journal_find(sending->journal, delivery);

    /* an attempt of the future: the clock was wrong */
    return !attempts.over && (attempts.last_at > now || tlsrpt_next_attempt(&attempts) <= now);
}

static int find_due(struct sending *sending)
{
    int64_t now = clock_wall_s();
    DIR *folder = opendir(sending->folder);
    struct tlsrpt_name about;
    struct dirent *entry;

    sending->reports = calloc(REPORTS_MAX, sizeof *sending->reports);
    if (sending->reports == NULL || folder == NULL) {
        int error = errno;

        if (folder != NULL)
            closedir(folder);
        return say(sending->folder, strerror(error), CLI_DATA);
    }
    while (sending->count < REPORTS_MAX && (entry = readdir(folder)) != NULL)
        if (tlsrpt_name_read(&about, entry->d_name) &&
            is_due(sending, (struct tlsrpt_delivery){entry->d_name, {"", 0}}, now)) {
            struct report *report = &sending->reports[sending->count++];

            /* no longer, or it would not have been read */
            memcpy(report->name, entry->d_name, strlen(entry->d_name) + 1);
            report->about = about;
            report->order = hash_bytes(report->name, strlen(report->name));
        }
    closedir(folder);
    return CLI_OK;
}

static void take_record(void *context, size_t index, const struct tlsrpt *record)
{
    struct report *report = &((struct sending *)context)->reports[index];

    report->state = record->state;
    report->rua = record->rua == NULL ? NULL : strdup(record->rua);
}

/* The next address of a record; false when there is none, or none that is tried. */
static bool next_uri(struct span *rest, unsigned *count, struct span *uri)
{
    if (rest->length == 0 || ++*count > TLSRPT_RUAS_MAX)
        return false;
    *uri = span_until(*rest, " ");
    span_skip(rest, uri->length);
    span_skip_set(rest, " ");
    return true;
}

static void sort(struct sending *sending)
{
    for (size_t i = 0; i < sending->count; i++) {
        struct report *report = &sending->reports[i];
        struct span rest = {report->rua, report->rua == NULL ? 0 : strlen(report->rua)};
        struct tlsrpt_delivery delivery = {report->name, {"", 0}};
        unsigned count = 0;

        do
            report->failed += tlsrpt_journal_find(sending->journal, delivery).failed;
        while (next_uri(&rest, &count, &delivery.uri));
    }
    qsort(sending->reports, sending->count, sizeof *sending->reports, by_turn);
}

static int look_up(struct sending *sending)
{
    const char **names = calloc(sending->count + 1, sizeof *names), *why = "no memory";
    bool asked = false;

    sending->submit = submit_open(&sending->cli->config.prober, &why);
    if (sending->submit != NULL && names != NULL) {
        for (size_t i = 0; i < sending->count; i++)
            names[i] = sending->reports[i].about.domain;
        asked = submit_records(sending->submit, names, sending->count, SUBMIT_BUDGET_MS,
                               take_record, sending);
        why = "no memory";
    }
    free(names);
    sort(sending);
    return asked ? CLI_OK : say("TLSRPT records", why, CLI_INTERNAL);
}

/* ---- one report ---- */

/* A file without a name, to be read from its beginning; -1 with errno. */
static int file_of(const struct buf *text)
{
    int fd = memfd_create("report", MFD_CLOEXEC);
    size_t done = 0;

    while (fd >= 0 && done < text->length) {
        ssize_t n = write(fd, text->data + done, text->length - done);

        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

static bool hand_over(const struct sending *sending, const char *recipient, const struct buf *text,
                      char why[WHY_SIZE])
{
    const char *program = sending->cli->sendmail;
    const char *words[] = {
        program == NULL ? SENDMAIL : program, "-i", "-f", sending->contact, "--", recipient, NULL};
    char error[POSTFIX_ERROR_MAX];
    int fd = file_of(text), status;

    if (fd < 0) {
        snprintf(why, WHY_SIZE, "%s", strerror(errno));
        return false;
    }
    status = postfix_feed(words, SENDMAIL_MS, fd, error);
    close(fd);
    if (status != 0) {
        char room[WHY_SIZE - 100];

        snprintf(why, WHY_SIZE, "%s: exit status %d: %s", words[0], status,
                 escape_bytes(room, sizeof room, error, strlen(error)));
    }
    return status == 0;
}

/* The report, as it is sent. */
struct payload {
    const struct report *report;
    struct buf octets;
    const char *id; /* of `json` */
    json_t *json;
};

static bool send_mail(const struct sending *sending, const struct payload *payload,
                      const struct tlsrpt_rua *rua, char why[WHY_SIZE])
{
    const struct tlsrpt_mail mail = {.name = payload->report->name,
                                     .recipient = rua->text,
                                     .contact = sending->contact,
                                     .organization = sending->organization,
                                     .id = payload->id,
                                     .about = payload->report->about,
                                     .now = clock_wall_s(),
                                     .data = payload->octets.data,
                                     .length = payload->octets.length};
    struct buf text;
    bool done = false;

    buf_init(&text, MAIL_MAX);
    if (tlsrpt_mail_write(&text, &mail))
        done = hand_over(sending, rua->text, &text, why);
    else
        snprintf(why, WHY_SIZE, "no memory");
    buf_fini(&text);
    return done;
}

static bool is_silent(const struct sending *sending, const char *host)
{
    for (size_t i = 0; i < sending->silent_count; i++)
        if (strcmp(sending->silent[i], host) == 0)
            return true;
    return false;
}

static bool send_https(struct sending *sending, const struct payload *payload,
                       const struct tlsrpt_rua *rua, char why[WHY_SIZE])
{
    const struct submit_post post = {.host = rua->host,
                                     .path = rua->text,
                                     .data = payload->octets.data,
                                     .length = payload->octets.length};
    char words[SUBMIT_WHY_MAX] = "its host gave no answer to another report";
    bool silent = false;

    if (!is_silent(sending, rua->host) && submit_post(sending->submit, &post, words, &silent))
        return true;
    if (silent && sending->silent_count < SILENT_MAX)
        memcpy(sending->silent[sending->silent_count++], rua->host, sizeof rua->host);
    snprintf(why, WHY_SIZE, "%s", words);
    return false;
}

/* Says what became of an attempt, and counts it. */
static enum tlsrpt_attempt_result tell(struct sending *sending,
                                       const struct tlsrpt_delivery *delivery,
                                       enum tlsrpt_attempt_result result, const char *why)
{
    static const char *const words[] = {"not sent", "", "given up"};
    char room[URI_SHOWN];

    escape_bytes(room, sizeof room, delivery->uri.text, delivery->uri.length);
    if (result != TLSRPT_SENT)
        fprintf(stderr, "mxcrypt: %s: %s: %s%s%s\n", delivery->name, words[result], room,
                room[0] == '\0' ? "" : ": ", why);
    else
        printf("%s: %s to %s\n", delivery->name, sending->cli->dry_run ? "would be sent" : "sent",
               room);
    sending->sent += result == TLSRPT_SENT;
    sending->failed += result == TLSRPT_FAILED;
    sending->given_up += result == TLSRPT_GIVEN_UP;
    return result;
}

/* A failure, which may be the last one. */
static enum tlsrpt_attempt_result fail(struct sending *sending,
                                       const struct tlsrpt_delivery *delivery, const char *why)
{
    struct tlsrpt_attempts attempts = tlsrpt_journal_find(sending->journal, *delivery);

    return tell(sending, delivery,
                tlsrpt_is_last_attempt(&attempts, clock_wall_s()) ? TLSRPT_GIVEN_UP : TLSRPT_FAILED,
                why);
}

static enum tlsrpt_attempt_result try_address(struct sending *sending,
                                              const struct payload *payload,
                                              const struct tlsrpt_delivery *delivery)
{
    char why[WHY_SIZE] = "";
    struct tlsrpt_rua rua;
    const char *refused;
    bool done;

    if (!tlsrpt_rua_read(&rua, delivery->uri.text, delivery->uri.length, &refused))
        return tell(sending, delivery, TLSRPT_GIVEN_UP, refused);
    if (sending->cli->dry_run)
        done = true;
    else if (rua.kind == TLSRPT_RUA_MAIL)
        done = send_mail(sending, payload, &rua, why);
    else
        done = send_https(sending, payload, &rua, why);
    return done ? tell(sending, delivery, TLSRPT_SENT, "") : fail(sending, delivery, why);
}

/* What became of a report at all of its addresses. */
struct outcome {
    bool open; /* one has to be tried again */
    bool sent; /* to one */
};

/* Each address, as with DMARC (RFC 8460 §3). */
static int try_addresses(struct sending *sending, const struct payload *payload,
                         struct outcome *outcome)
{
    struct span rest = {payload->report->rua, strlen(payload->report->rua)};
    struct tlsrpt_delivery delivery = {.name = payload->report->name};
    unsigned count = 0;
    int status = CLI_OK;

    *outcome = (struct outcome){false, false};
    while (status == CLI_OK && next_uri(&rest, &count, &delivery.uri)) {
        struct tlsrpt_attempts attempts;
        enum tlsrpt_attempt_result result;

        if (tlsrpt_rua_repeats(payload->report->rua, delivery.uri))
            continue;
        if (is_due(sending, delivery, clock_wall_s()) && delivery.uri.length <= TLSRPT_URI_MAX) {
            result = try_address(sending, payload, &delivery);
            status = note(sending, delivery, result);
        }
        attempts = tlsrpt_journal_find(sending->journal, delivery);
        outcome->open |= delivery.uri.length <= TLSRPT_URI_MAX && !attempts.over;
        outcome->sent |= attempts.sent;
    }
    return status;
}

/* The file is not there, or none that reports are in, and will not be. */
static bool is_for_good(int error)
{
    return error == 0 || error == ENOENT || error == EISDIR || error == EINVAL || error == EFBIG ||
           error == ELOOP || error == ENXIO;
}

static enum tlsrpt_attempt_result
drop(struct sending *sending, const struct tlsrpt_delivery *delivery, const char *why, int error)
{
    return is_for_good(error) ? tell(sending, delivery, TLSRPT_GIVEN_UP, why)
                              : fail(sending, delivery, why);
}

static int send_report(struct sending *sending, const struct report *report)
{
    const struct tlsrpt_delivery delivery = {report->name, {"", 0}};
    struct payload payload = {.report = report};
    struct tlsrpt_heading heading;
    char path[PATH_SIZE];
    const char *why;
    struct outcome outcome;
    int status;

    if (report->state == TLSRPT_NONE || report->state == TLSRPT_INVALID)
        return note(sending, delivery,
                    tell(sending, &delivery, TLSRPT_GIVEN_UP,
                         "the domain has no valid TLSRPT record any more"));
    if (report->rua == NULL)
        return note(sending, delivery,
                    fail(sending, &delivery, "the TLSRPT record could not be looked up"));
    snprintf(path, sizeof path, "%s/%s", sending->folder, report->name);
    buf_init(&payload.octets, TLSRPT_GZIP_MAX);
    payload.json = tlsrpt_load(path, &payload.octets, &why);
    if (payload.json != NULL && tlsrpt_heading_read(&heading, payload.json)) {
        payload.id = heading.id;
        status = try_addresses(sending, &payload, &outcome);
        if (status == CLI_OK && !outcome.open)
            status = note(sending, delivery, outcome.sent ? TLSRPT_SENT : TLSRPT_GIVEN_UP);
    } else {
        int error = errno;

        status = note(sending, delivery,
                      drop(sending, &delivery, why != NULL ? why : "it is no report", error));
    }
    json_decref(payload.json);
    buf_fini(&payload.octets);
    return status;
}

/* ---- all of them ---- */

static int send_all(struct sending *sending)
{
    bool dry = sending->cli->dry_run != 0;
    int status = CLI_OK;

    for (size_t i = 0; i < sending->count && status == CLI_OK; i++) {
        status = dry ? CLI_OK : reserve(sending);
        if (status == CLI_OK)
            status = send_report(sending, &sending->reports[i]);
        fflush(stdout);
    }
    printf(dry ? "%zu reports would be sent, %zu not now, %zu not at all\n"
               : "%zu reports sent, %zu failed and will be tried again, %zu given up\n",
           sending->sent, sending->failed, sending->given_up);
    if (status == CLI_OK && sending->failed > 0)
        return CLI_TEMP;
    return status == CLI_OK && sending->given_up > 0 ? CLI_NO : status;
}

static int run(struct sending *sending)
{
    const struct config *config = &sending->cli->config;
    const char *wrong, *submitter;
    int status;

    sending->contact = config->tlsrpt_contact == NULL ? "" : config->tlsrpt_contact;
    sending->organization = config->tlsrpt_organization == NULL ? "" : config->tlsrpt_organization;
    wrong = tlsrpt_settings_wrong(sending->organization, sending->contact, &submitter);
    if (wrong != NULL) {
        fprintf(stderr, "mxcrypt: %s\n", wrong);
        return CLI_USAGE;
    }
    sending->journal = tlsrpt_journal_new();
    if (sending->journal == NULL)
        return say("send", "no memory", CLI_INTERNAL);
    status = lock_folder(sending);
    if (status == CLI_OK)
        status = open_journal(sending);
    if (status == CLI_OK)
        status = find_due(sending);
    if (status == CLI_OK && sending->count > 0)
        status = look_up(sending);
    return status == CLI_OK ? send_all(sending) : status;
}

int do_tlsrpt_send(struct cli *cli)
{
    struct sending sending = {.cli = cli, .folder = cli->words[0], .fd = -1, .folder_fd = -1};
    int status = run(&sending);

    submit_close(sending.submit);
    for (size_t i = 0; i < sending.count; i++)
        free(sending.reports[i].rua);
    free(sending.reports);
    tlsrpt_journal_free(sending.journal);
    if (sending.fd >= 0)
        close(sending.fd);
    if (sending.folder_fd >= 0)
        close(sending.folder_fd);
    return status;
}
