/* audit: `mxcrypt audit`: reads a mail log, has it counted and judged, and writes what came of it.
 * The work is done in audit/ and judge.c; see mxcrypt(1). */
#include "cli/audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/page/page.h"
#include "base/clock.h"
#include "base/escape.h"
#include "cli/judge.h"

#define ARENA_MAX      ((size_t)64 * 1024 * 1024)
#define JUDGED_MAX     ((size_t)1024 * 1024 * 1024)
#define PROGRESS_LINES 4096 /* between two looks at the clock */
#define MESSAGES_MAX   1000000000
#define DAYS_MAX       100000
#define LIST_BLANKS    ", \t"
#define FILE_SHOWN_MAX 600
#define DAY_S          ((int64_t)24 * 60 * 60)

/* ---- options ---- */

static bool take_moment(int64_t *out, const char *option, const char *text, int64_t now)
{
    if (text == NULL || stamp_parse_when(out, text, now))
        return true;
    fprintf(stderr,
            "mxcrypt: %s must be a time like 2026-11-01, \"2026-11-01 12:00\", yesterday or "
            "\"7 days ago\": %s\n",
            option, text);
    return false;
}

/* Standard input, or output. */
static bool is_dash(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

/* What can only be given one without the other; false after a message. */
static bool check_together(const struct cli *cli)
{
    const struct cli_audit *given = &cli->audit;
    int printed = is_dash(given->html) + is_dash(given->prometheus) + (cli->json != 0) +
                  (given->suggest != 0);
    bool reported = given->until || given->top || given->html || given->prometheus ||
                    given->verdicts || given->rollout || given->rules || given->queue ||
                    given->suggest || given->min_messages || given->min_days;

    if (given->follow && reported)
        fputs("mxcrypt: --follow takes no other options than --since, --postfix and --json\n",
              stderr);
    else if (printed > 1)
        fputs("mxcrypt: only one of --json, --suggest-rules, --html - and --prometheus - can be "
              "printed\n",
              stderr);
    else if (given->tlsrpt != NULL && (reported || given->follow || given->since || cli->json))
        fputs("mxcrypt: --tlsrpt takes no other options than --day, --partial, --fresh and "
              "--postfix\n",
              stderr);
    else if (given->tlsrpt == NULL && (given->day != NULL || given->partial))
        fputs("mxcrypt: --day and --partial go with --tlsrpt\n", stderr);
    else
        return true;
    return false;
}

static bool read_options(struct audit *audit)
{
    const struct cli_audit *given = &audit->cli->audit;
    struct suggest_options *suggest = &audit->suggest;
    long top = PAGE_TOP_DEFAULT, messages = SUGGEST_MESSAGES, days = SUGGEST_DAYS;

    audit->rollout = -1;
    if (!check_together(audit->cli) ||
        !take_moment(&audit->options.since, "--since", given->since, audit->now) ||
        !take_moment(&audit->options.until, "--until", given->until, audit->now) ||
        !cli_number(&top, "--top", given->top, 0, PAGE_TOP_MAX) ||
        !cli_number(&messages, "--min-messages", given->min_messages, 0, MESSAGES_MAX) ||
        !cli_number(&days, "--min-days", given->min_days, 0, DAYS_MAX) ||
        !cli_number(&audit->rollout, "--rollout", given->rollout, 0, 100))
        return false;
    if (audit->options.until != 0 && audit->options.until <= audit->options.since) {
        fputs("mxcrypt: --until must be after --since\n", stderr);
        return false;
    }
    audit->top = (size_t)top;
    suggest->min_messages = (uint32_t)messages;
    suggest->min_days = (uint32_t)days;
    suggest->now = audit->now;
    suggest->smtp_port = audit->cli->config.prober.smtp_port;
    return given->tlsrpt == NULL || audit_tlsrpt_options(audit);
}

/* The rules in force, which suggestions are held against. */
static bool read_rules_in_force(struct audit *audit)
{
    char error[CONFIG_ERROR_MAX];

    if (!audit->cli->audit.suggest ||
        config_read_rules(&audit->rules, &audit->cli->config, error) == 0) {
        audit->suggest.rules = audit->rules;
        return true;
    }
    fprintf(stderr, "mxcrypt: %s\n", error);
    return false;
}

/* ---- the log ---- */

/* Splits relayhost, which may be a list since Postfix 3.7. */
static void take_relayhosts(struct audit *audit)
{
    const char *text = audit->log.relayhost;
    struct track_options *options = &audit->options;

    while (text != NULL && options->relayhost_count < TRACK_RELAYHOSTS) {
        size_t length;
        char *name;

        text += strspn(text, LIST_BLANKS);
        length = strcspn(text, LIST_BLANKS);
        name = length == 0 ? NULL : arena_strndup(audit->arena, text, length);
        if (name == NULL)
            return;
        options->relayhosts[options->relayhost_count++] = name;
        text += length;
    }
}

static bool take_files(struct audit *audit, size_t count, char error[POSTFIX_ERROR_MAX])
{
    const struct cli *cli = audit->cli;
    struct postfix_log *log = &audit->log;
    const char *first;

    /* of another machine, unless the operator says whose they are */
    if (cli->postfix_directory != NULL &&
        postfix_log_settings(log, audit->arena, cli->postfix_directory, error) != 0)
        return false;
    log->count = count;
    log->places = arena_array(audit->arena, count, sizeof *log->places);
    first = is_dash(cli->words[0]) ? "standard input" : cli->words[0];
    log->description = count == 1 ? first
                                  : arena_printf(audit->arena, "%s and %zu other file%s", first,
                                                 count - 1, count == 2 ? "" : "s");
    for (size_t i = 0; log->places != NULL && i < count; i++)
        log->places[i].path = cli->words[i];
    if (arena_failed(audit->arena))
        snprintf(error, POSTFIX_ERROR_MAX, "no memory");
    return !arena_failed(audit->arena);
}

/* A report needs the connections that were there when its day began. */
static int64_t since_of_log(const struct audit *audit)
{
    return audit->options.since - (audit->sessions != NULL ? DAY_S : 0);
}

static int find_log(struct audit *audit)
{
    const bool follow = audit->cli->audit.follow != 0;
    const struct postfix_log_options options = {
        .directory = audit->cli->postfix_directory,
        .since = follow && audit->options.since == 0 ? audit->now : since_of_log(audit),
        .until = audit->sessions != NULL ? 0 : audit->options.until,
        .follow = follow,
    };
    char error[POSTFIX_ERROR_MAX];
    size_t count = 0;
    bool found;

    audit->log.tls_loglevel = -1;
    while (audit->cli->words[count] != NULL)
        count++;
    found = count > 0 ? take_files(audit, count, error)
                      : postfix_log_find(&audit->log, audit->arena, &options, error) == 0;
    if (audit->log.fault != NULL)
        fprintf(stderr, "mxcrypt: Postfix's configuration is not known: %s\n", audit->log.fault);
    if (!found) {
        fprintf(stderr, "mxcrypt: %s\n", error);
        return CLI_DATA;
    }
    take_relayhosts(audit);
    audit->options.tls_logged = audit->log.tls_loglevel > 0;
    audit->reading.tls_is_logged = audit->options.tls_logged;
    audit->options.logged_since = audit->log.changed_at;
    return CLI_OK;
}

static void on_warning(void *context, const char *file, uint64_t line, const char *text)
{
    struct audit *audit = context;
    char name[FILE_SHOWN_MAX];

    progress_clear(&audit->progress);
    escape_bytes(name, sizeof name, file, strlen(file));
    if (line == 0)
        fprintf(stderr, "mxcrypt: %s: %s\n", name, text);
    else
        fprintf(stderr, "mxcrypt: %s:%llu: %s\n", name, (unsigned long long)line, text);
}

void audit_take(struct audit *audit, const struct source_line *line)
{
    struct line read; /* line_read sets what counts: clearing it would cost as much */
    size_t stamp;
    int64_t at;

    if (line->first)
        stamp_file(&audit->stamps, line->newest, line->begin);
    audit->stamps.newest = line->newest; /* later, in a log that grows */
    stamp = stamp_read(&audit->stamps, line->text, line->length, &at);
    read.kind = LINE_UNREAD;
    if (stamp > 0 && audit->first_at == 0)
        audit->first_at = at;
    if (stamp > 0 && at > audit->last_at)
        audit->last_at = at;
    if (stamp > 0)
        line_read(&audit->heads, &read, line->text + stamp, line->length - stamp);
    audit->reading.cut_lines += line->cut;
    track_line(audit->track, &read, at);
}

static void read_log(struct audit *audit)
{
    struct source_line line;
    uint64_t done, all;

    progress_begin(&audit->progress, stderr);
    for (uint64_t count = 1; source_next(audit->source, &line); count++) {
        audit_take(audit, &line);
        if (count % PROGRESS_LINES == 0) {
            source_progress(audit->source, &done, &all);
            progress_show(&audit->progress, done, all);
        }
    }
    progress_clear(&audit->progress);
    audit->reading.unread_places = source_failures(audit->source);
}

/* ---- judging ---- */

static void on_judged(void *context, size_t done, size_t of)
{
    struct audit *audit = context;

    progress_show(&audit->progress, done, of);
}

static int judge(struct audit *audit, struct judged *judged)
{
    const struct cli_audit *given = &audit->cli->audit;
    bool all = given->verdicts || given->rules != NULL || audit->rollout >= 0;
    const struct judge_options options = {
        .rollout = (int)audit->rollout,
        .rules_path = given->rules,
        .suggest = all ? NULL : &audit->suggest,
        .progress = on_judged,
        .context = audit,
    };
    int status = CLI_OK;

    if (all || given->suggest) {
        progress_begin(&audit->progress, stderr);
        audit->progress.unit = "domains";
        status = judge_domains(audit->cli, judged, audit->tally, &options);
        progress_clear(&audit->progress);
    }
    if (status == CLI_OK && given->queue)
        status = judge_queue(audit->cli, judged, audit->tally);
    return status;
}

/* ---- pages ---- */

static int say_cannot_write(const char *path)
{
    fprintf(stderr, "mxcrypt: cannot write %s: %s\n", path, strerror(errno));
    return CLI_CANNOT_WRITE;
}

static int write_file(const char *path, const struct page *page, page_writer *write)
{
    if (page_write_file(path, page, write) == 0)
        return CLI_OK;
    if (errno != ELOOP && errno != EINVAL)
        return say_cannot_write(path);
    fprintf(stderr, "mxcrypt: cannot write %s: %s\n", path,
            errno == ELOOP ? "it is a symbolic link" : "it is no plain file");
    return CLI_CANNOT_WRITE;
}

static int write_page(const char *path, const struct page *page, page_writer *write)
{
    bool whole;

    if (path == NULL)
        return CLI_OK;
    errno = 0;
    if (!is_dash(path))
        return write_file(path, page, write);
    whole = write(stdout, page);
    return fflush(stdout) == 0 && whole ? CLI_OK : say_cannot_write("standard output");
}

static int write_suggestions(struct audit *audit, const struct judged *judged)
{
    size_t count = suggest_write(stdout, audit->tally, judged, &audit->suggest);

    if (fflush(stdout) != 0 || ferror(stdout))
        return say_cannot_write("standard output");
    return count > 0 ? CLI_OK : CLI_NO;
}

static int worse(int status, int other)
{
    return status != CLI_OK ? status : other;
}

static int write_pages(struct audit *audit, const struct judged *judged)
{
    const struct cli_audit *given = &audit->cli->audit;
    const char *remarks[REMARKS_MAX];
    const struct page page = {
        .tally = audit->tally,
        .judged = judged->asked || judged->queue_read ? judged : NULL,
        .source = audit->log.description,
        .remarks = remarks,
        .top = audit->top,
        .now = audit->now,
    };
    bool files = given->html != NULL || given->prometheus != NULL;
    int status;

    remarks_of(remarks, audit->arena, audit->tally, &audit->reading);
    status = write_page(given->html, &page, page_html);
    status = worse(status, write_page(given->prometheus, &page, page_prometheus));
    if (given->suggest)
        return worse(status, write_suggestions(audit, judged));
    if (audit->cli->json || !files)
        status = worse(status, write_page("-", &page, audit->cli->json ? page_json : page_text));
    return status;
}

/* ---- the command ---- */

/* Reading failed in part, or there was nothing to count. */
static int exit_of_reading(const struct audit *audit)
{
    if (audit->reading.unread_places > 0)
        return CLI_DATA;
    return audit->tally->total.recipients == 0 ? CLI_NO : CLI_OK;
}

static int run(struct audit *audit)
{
    struct judged judged = {.arena = arena_new(JUDGED_MAX)};
    int status;

    if (audit->cli->audit.follow) {
        arena_free(judged.arena);
        return audit_follow(audit);
    }
    read_log(audit);
    track_finish(audit->track);
    if (audit->sessions != NULL) {
        arena_free(judged.arena);
        return audit_tlsrpt(audit);
    }
    status = judged.arena == NULL ? CLI_INTERNAL : judge(audit, &judged);
    status = worse(status, write_pages(audit, &judged));
    arena_free(judged.arena);
    return worse(status, exit_of_reading(audit));
}

static int start(struct audit *audit)
{
    static const struct tally_limits limits = TALLY_LIMITS_DEFAULT;
    int status = read_options(audit) && read_rules_in_force(audit) ? find_log(audit) : CLI_USAGE;

    if (status != CLI_OK)
        return status;
    if (audit->cli->audit.follow) {
        audit->options.on_event = audit_tell;
        audit->options.context = audit;
    }
    audit->tally = tally_new(&limits);
    audit->track = audit->tally == NULL ? NULL : track_new(audit->tally, &audit->options);
    if (audit->track != NULL)
        audit->source = source_open(audit->log.places, audit->log.count, on_warning, audit);
    if (audit->source != NULL)
        return run(audit);
    fputs("mxcrypt: no memory\n", stderr);
    return CLI_INTERNAL;
}

int do_audit(struct cli *cli)
{
    struct audit audit = {.cli = cli, .now = clock_wall_s(), .arena = arena_new(ARENA_MAX)};
    int status;

    status = audit.arena == NULL ? CLI_INTERNAL : start(&audit);
    source_close(audit.source);
    track_free(audit.track);
    tally_free(audit.tally);
    sessions_free(audit.sessions);
    rules_free(audit.rules);
    arena_free(audit.arena);
    return status;
}
