/*
 * tlsrpt_write: `mxcrypt audit --tlsrpt`: from the sessions of a day to files, one for each domain that
 * wants reports. What a report says is audit/tlsrpt's. A file that is there already stays as it is:
 * it may have been sent.
 */
#define _GNU_SOURCE /* strptime, timegm */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/tlsrpt/tlsrpt_file.h"
#include "audit/tlsrpt/tlsrpt_report.h"
#include "base/escape.h"
#include "base/hash.h"
#include "base/page/page_write.h"
#include "cli/audit.h"
#include "cli/judge.h"
#include "probe/submit/submit.h"

#define DAY_S     ((int64_t)24 * 60 * 60)
#define PATH_SIZE 4096
#define DAY_SIZE  16

/* ---- options ---- */

/* "2026-11-27", a day of UTC, as the second that it begins with. */
static bool parse_day(int64_t *out, const char *text)
{
    struct tm parts = {0}, same;
    char again[DAY_SIZE];
    const char *end = strptime(text, "%Y-%m-%d", &parts);
    time_t at;

    if (end == NULL || *end != '\0')
        return false;
    at = timegm(&parts);
    /* no 30th of February */
    if (at < 0 || gmtime_r(&at, &same) == NULL ||
        strftime(again, sizeof again, "%Y-%m-%d", &same) == 0 || strcmp(again, text) != 0)
        return false;
    *out = at;
    return true;
}

static void on_connection(void *context, const struct track_connection *connection)
{
    sessions_take(((struct audit *)context)->sessions, connection);
}

bool audit_tlsrpt_options(struct audit *audit)
{
    const struct config *config = &audit->cli->config;
    const char *day = audit->cli->audit.day, *wrong, *submitter;
    int64_t begin = (audit->now / DAY_S - 1) * DAY_S;

    wrong = tlsrpt_settings_wrong(
        config->tlsrpt_organization == NULL ? "" : config->tlsrpt_organization,
        config->tlsrpt_contact == NULL ? "" : config->tlsrpt_contact, &submitter);
    if (wrong == NULL && day != NULL && !parse_day(&begin, day))
        wrong = "--day must be a day like 2026-11-27";
    if (wrong == NULL && begin + DAY_S > audit->now)
        wrong = "that day is not over yet in UTC, by which reports go";
    if (wrong != NULL) {
        fprintf(stderr, "mxcrypt: %s\n", wrong);
        return false;
    }
    audit->options.since = begin;
    audit->options.until = begin + DAY_S;
    audit->options.reporter = config->tlsrpt_contact;
    audit->options.on_connection = on_connection;
    audit->options.context = audit;
    audit->sessions = sessions_new(&config->prober.filter);
    if (audit->sessions == NULL)
        fputs("mxcrypt: no memory\n", stderr);
    return audit->sessions != NULL;
}

/* ---- whether the log is whole ---- */

/* Says what the log lacks of the day. The number of faults. */
static int say_what_is_missing(const struct audit *audit)
{
    const struct track_options *day = &audit->options;
    bool given = audit->cli->words[0] != NULL;
    char at[TLSRPT_TIME_SIZE];
    int faults = 0;

    if (audit->first_at == 0 || audit->first_at > day->since) {
        fprintf(stderr, "mxcrypt: the log begins %s%s, after the day\n",
                audit->first_at == 0 ? "nowhere" : "at ",
                audit->first_at == 0 ? "" : tlsrpt_time(at, audit->first_at));
        faults++;
    }
    /* the log of this host goes on, even if nothing was logged since */
    if (given && audit->first_at != 0 && audit->last_at < day->until) {
        fprintf(stderr, "mxcrypt: the log ends at %s, before the day is over\n",
                tlsrpt_time(at, audit->last_at));
        faults++;
    }
    if (audit->reading.unread_places > 0 || audit->tally->suppressed > 0 ||
        audit->tally->no_memory || sessions_failed(audit->sessions)) {
        fputs("mxcrypt: not all lines of the log could be read and counted\n", stderr);
        faults++;
    }
    return faults;
}

/* False after a message: no report is to be written. */
static bool may_report(const struct audit *audit)
{
    if (audit->log.tlsrpt) {
        fputs("mxcrypt: Postfix reports by itself (smtp_tlsrpt_enable = yes): these reports would "
              "count its sessions again\n",
              stderr);
        return false;
    }
    if (audit->log.tls_loglevel == 0) {
        fputs("mxcrypt: Postfix logs no TLS: set smtp_tls_loglevel = 1\n", stderr);
        return false;
    }
    if (say_what_is_missing(audit) == 0 || audit->cli->audit.partial)
        return true;
    fputs("mxcrypt: no reports are written; --partial writes them for what there is\n", stderr);
    return false;
}

/* ---- the reports ---- */

struct writing {
    struct audit *audit;
    struct tlsrpt_day day;
    char unique[17];
    const struct session_domain *domains;
    size_t count;
    const char **names; /* owned: of all domains; then of those that want reports */
    size_t *wanted;     /* owned: indexes of these */
    size_t wanted_count, failed, unwanted;
    size_t written, there, empty, refused;
};

/* Several relays may report for one domain. */
static void set_unique(struct writing *writing)
{
    char host[256] = "";

    gethostname(host, sizeof host - 1);
    snprintf(writing->unique, sizeof writing->unique, "%016llx",
             (unsigned long long)hash_stable(host, strlen(host)));
    writing->day.unique = writing->unique;
}

static void set_day(struct writing *writing)
{
    const struct audit *audit = writing->audit;
    struct tlsrpt_day *day = &writing->day;

    day->organization = audit->cli->config.tlsrpt_organization;
    day->contact = audit->cli->config.tlsrpt_contact;
    day->submitter = strchr(day->contact, '@') + 1;
    day->now = audit->now;
    day->begin = audit->options.since;
    day->end = audit->options.until;
    if (audit->first_at > day->begin && audit->first_at < day->end)
        day->begin = audit->first_at;
    if (audit->cli->words[0] != NULL && audit->last_at < day->end && audit->last_at > day->begin)
        day->end = audit->last_at + 1;
    set_unique(writing);
}

static void take_record(void *context, size_t index, const struct tlsrpt *record)
{
    struct writing *writing = context;

    if (record->state == TLSRPT_VALID)
        writing->wanted[writing->wanted_count++] = index;
    else if (record->state == TLSRPT_ERROR)
        writing->failed++;
    else
        writing->unwanted++;
}

static int by_index(const void *one, const void *other)
{
    size_t a = *(const size_t *)one, b = *(const size_t *)other;

    return a < b ? -1 : a > b;
}

/* Which domains want reports. */
static int find_wanted(struct writing *writing)
{
    const char *why;
    struct submit *submit = submit_open(&writing->audit->cli->config.prober, &why);
    bool asked;

    if (submit == NULL) {
        fprintf(stderr, "mxcrypt: %s\n", why);
        return CLI_INTERNAL;
    }
    for (size_t i = 0; i < writing->count; i++)
        writing->names[i] = writing->domains[i].name;
    asked = submit_records(submit, writing->names, writing->count, SUBMIT_BUDGET_MS, take_record,
                           writing);
    submit_close(submit);
    if (!asked) {
        fputs("mxcrypt: no memory\n", stderr);
        return CLI_INTERNAL;
    }
    qsort(writing->wanted, writing->wanted_count, sizeof *writing->wanted, by_index);
    for (size_t i = 0; i < writing->wanted_count; i++)
        writing->names[i] = writing->domains[writing->wanted[i]].name;
    return CLI_OK;
}

static void ignore_verdict(void *context, size_t index, const json_t *line)
{
    (void)context, (void)index, (void)line;
}

/* What is said of a domain now; NULL after a message. */
static json_t *explained(struct cli *cli, const char *name, int *status)
{
    json_t *report;

    *status = CLI_OK;
    if (judge_by_daemon(cli)) {
        report = client_ask(cli, client_request("explain", name), status);
        client_leave(cli);
        return report;
    }
    report = local_explain(cli, name);
    *status = report == NULL ? CLI_INTERNAL : CLI_OK;
    return report;
}

static int write_file(struct writing *writing, const char *domain, const char *path,
                      const json_t *report)
{
    struct buf packed;
    int status = CLI_OK;

    buf_init(&packed, TLSRPT_GZIP_MAX);
    if (!tlsrpt_pack(&packed, report)) {
        fprintf(stderr, "mxcrypt: the report for %s is too long, or there is no memory\n", domain);
        status = CLI_INTERNAL;
    } else if (page_replace_text(path, &packed) != 0) {
        fprintf(stderr, "mxcrypt: cannot write %s: %s\n", path, strerror(errno));
        status = CLI_CANNOT_WRITE;
    } else {
        writing->written++;
        puts(path);
    }
    buf_fini(&packed);
    return status;
}

static int write_report(struct writing *writing, const struct session_domain *domain)
{
    char name[TLSRPT_NAME_MAX + 1], path[PATH_SIZE];
    json_t *explanation, *report;
    struct stat there;
    int status = CLI_OK;

    if (!tlsrpt_name_make(name, &writing->day, domain->name) ||
        snprintf(path, sizeof path, "%s/%s", writing->audit->cli->audit.tlsrpt, name) >=
            (int)sizeof path) {
        fprintf(stderr, "mxcrypt: %s: no file can have so long a name\n", domain->name);
        return CLI_OK;
    }
    if (lstat(path, &there) == 0) {
        writing->there++;
        return CLI_OK;
    }
    explanation = explained(writing->audit->cli, domain->name, &status);
    if (explanation == NULL && status == CLI_NO) { /* it says why; the others may do better */
        writing->refused++;
        return CLI_OK;
    }
    if (explanation == NULL)
        return status;
    report = tlsrpt_report(&writing->day, domain, explanation);
    writing->empty += report == NULL;
    if (report != NULL)
        status = write_file(writing, domain->name, path, report);
    json_decref(report);
    json_decref(explanation);
    return status;
}

static int write_reports(struct writing *writing)
{
    struct cli *cli = writing->audit->cli;
    int status = CLI_OK;

    /* all at once, so that the daemon has them when each is asked for */
    if (writing->wanted_count > 0 && judge_by_daemon(cli))
        status =
            judge_ask(cli, writing->names, writing->wanted_count, -1, NULL, ignore_verdict, NULL);
    for (size_t i = 0; i < writing->wanted_count && status == CLI_OK; i++)
        status = write_report(writing, &writing->domains[writing->wanted[i]]);
    printf("%zu reports written, %zu were there; of %zu domains %zu want none, %zu have nothing "
           "that counts\n",
           writing->written, writing->there, writing->count, writing->unwanted, writing->empty);
    if (writing->failed > 0)
        fprintf(stderr,
                "mxcrypt: of %zu domains it is not known whether they want reports: the "
                "lookup failed\n",
                writing->failed);
    if (sessions_lost(writing->audit->sessions) > 0)
        fprintf(stderr, "mxcrypt: %llu sessions to further domains are not reported\n",
                (unsigned long long)sessions_lost(writing->audit->sessions));
    if (status == CLI_OK && writing->failed * 2 > writing->count)
        status = CLI_TEMP; /* the resolver is away, rather than their name servers */
    if (status == CLI_OK && writing->refused > 0)
        status = CLI_NO;
    if (fflush(stdout) != 0 && status == CLI_OK)
        status = CLI_CANNOT_WRITE;
    return status;
}

/* DIR must be there before anybody is asked. */
static bool is_folder(const char *path)
{
    struct stat status;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return true;
    fprintf(stderr, "mxcrypt: %s is no directory\n", path);
    return false;
}

int audit_tlsrpt(struct audit *audit)
{
    struct writing writing = {.audit = audit};
    int status = CLI_INTERNAL;

    if (!is_folder(audit->cli->audit.tlsrpt))
        return CLI_CANNOT_WRITE;
    if (!may_report(audit))
        return CLI_DATA;
    set_day(&writing);
    writing.domains = sessions_domains(audit->sessions, &writing.count);
    writing.names = calloc(writing.count + 1, sizeof *writing.names);
    writing.wanted = calloc(writing.count + 1, sizeof *writing.wanted);
    if (writing.names == NULL || writing.wanted == NULL)
        fputs("mxcrypt: no memory\n", stderr);
    else
        status = find_wanted(&writing);
    if (status == CLI_OK)
        status = write_reports(&writing);
    free(writing.names);
    free(writing.wanted);
    return status;
}
