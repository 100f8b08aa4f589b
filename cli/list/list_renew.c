/*
 * list_renew: `mxcrypt list renew`: looks at every domain of a list again, for a timer. What qualifies
 * stays, what has failed for some days is dropped, what was good for some days in testing mode is
 * enforced. The days are kept beside the list (survey/member/renewal.h).
 *
 * A domain that is good, but at hosts that its entry does not cover, has moved: it gets the new hosts,
 * in testing mode, so that nobody can put a host of his own into an entry that is enforced. Of an entry
 * that is enforced this counts as a failed day first, as anything else that is wrong: nobody can end it
 * by one forged answer.
 *
 * All are judged before any is counted, as many that fail at once are taken for a fault of this host.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/list/list_draft.h"
#include "cli/list/list_look.h"
#include "policy/sts_match.h"
#include "survey/member/members.h"
#include "survey/member/renewal.h"

#define DAY_S         INT64_C(86400)
#define DROP_AFTER    7  /* days */
#define ENFORCE_AFTER 30 /* days */
#define MOVED         "its mail hosts are others, good ones"
#define WHY_MAX       4096
#define UNSEEN        "it was not looked up: it stays as it is"
#define PATH_SIZE     4096
#define LOST_MIN      3 /* fewer that fail at once are always taken for faults of their own */

struct renewing {
    struct cli *cli;
    struct list_file file;
    char state_path[PATH_SIZE];
    struct renewals *before, *after; /* owned */
    struct renewal_rules rules;
    int64_t now_s, life_s;
    struct list_look look;
    struct list_draft draft;
    struct list_report report;
    struct policy_list_entry entry; /* the one that is looked at */
    size_t good, failing, dropped, enforced, moved, unseen;
    bool refused; /* nothing is counted */
    /* of all, before any is counted */
    struct {
        size_t seen, left;
        size_t sound,
            lost; /* that did not fail the last time; those of them that are not good now */
        bool answered;
    } tally;
};

/* What follows for the entry that is looked at. */
struct finding {
    struct renewal days; /* with this look */
    bool sound;          /* it did not fail the last time, or there was none */
    bool unseen, good, moved;
    bool drop, enforce, move;
};

/* ---- options, and what was before ---- */

static bool is_too_long(const char *path)
{
    return path != NULL && strlen(path) >= PATH_SIZE;
}

static bool read_options(struct renewing *all)
{
    const struct cli *cli = all->cli;
    long drop_after = DROP_AFTER, enforce_after = ENFORCE_AFTER, expires = 0;

    if (!cli_number(&drop_after, "--drop-after", cli->list.drop_after, 1, RENEWAL_DAYS_MAX) ||
        !cli_number(&enforce_after, "--enforce-after", cli->list.enforce_after, 0,
                    RENEWAL_DAYS_MAX) ||
        !cli_number(&expires, "--expires", cli->list.expires, 1, LIST_EXPIRES_MAX))
        return false;
    if (strlen(cli->words[0]) > PATH_SIZE - 8 || is_too_long(cli->check.state) ||
        is_too_long(cli->list.report)) {
        fputs("mxcrypt: the path of a file is too long\n", stderr);
        return false;
    }
    all->rules = (struct renewal_rules){(unsigned)drop_after, (unsigned)enforce_after};
    all->life_s = expires * DAY_S;
    if (cli->check.state != NULL)
        snprintf(all->state_path, sizeof all->state_path, "%s", cli->check.state);
    else
        snprintf(all->state_path, sizeof all->state_path, "%s.state", cli->words[0]);
    return true;
}

/* ---- files ---- */

/* The folder that the file is in, or will be. */
static void folder_of(char out[PATH_SIZE], const char *path)
{
    const char *slash = strrchr(path, '/');

    snprintf(out, PATH_SIZE, "%.*s", slash == NULL ? 1 : (int)(slash + 1 - path),
             slash == NULL ? "." : path);
}

/* One name for a file, however it is written, also for one that is not there yet. */
static void resolve(char out[2 * PATH_SIZE], const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_SIZE], *found = realpath(path, NULL);

    if (found != NULL) {
        snprintf(out, 2 * PATH_SIZE, "%s", found);
    } else {
        folder_of(folder, path);
        found = realpath(folder, NULL);
        snprintf(out, 2 * PATH_SIZE, "%s/%s", found == NULL ? folder : found,
                 slash == NULL ? path : slash + 1);
    }
    free(found);
}

static bool is_same(const char *a, const char *b)
{
    char one[2 * PATH_SIZE], other[2 * PATH_SIZE];

    resolve(one, a);
    resolve(other, b);
    return strcmp(one, other) == 0;
}

/* Whether list_replace will be able to, as far as one can see before it is tried. */
static int check_writable(const char *path)
{
    char folder[PATH_SIZE];
    struct stat status;

    folder_of(folder, path);
    errno = 0;
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode))
        errno = S_ISLNK(status.st_mode) ? ELOOP : EINVAL;
    else if (access(folder, W_OK | X_OK) == 0)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: cannot write %s: %s\n", path, strerror(errno));
    return CLI_CANNOT_WRITE;
}

/* List, state and report are three files that can be written. The exit status, after a message. */
static int check_files(const struct renewing *all)
{
    const char *paths[] = {all->cli->words[0], all->state_path, all->cli->list.report};
    const size_t count = all->cli->list.report == NULL ? 2 : 3;
    int status = CLI_OK;

    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (is_same(paths[i], paths[j])) {
                fprintf(stderr, "mxcrypt: %s: list, state and report must be different files\n",
                        paths[i]);
                return CLI_USAGE;
            }
    for (size_t i = 0; i < count && status == CLI_OK; i++)
        status = check_writable(paths[i]);
    return status;
}

/* Days are counted from nothing where there is no file yet. */
static int read_state(struct renewing *all)
{
    char error[RENEWAL_ERROR_MAX] = "no memory";
    struct buf text;

    buf_init(&text, RENEWAL_TEXT_MAX);
    if (file_read(&text, all->state_path) == 0)
        all->before = renewals_read(text.data, text.length, error);
    else if (errno == ENOENT)
        all->before = renewals_new();
    else
        snprintf(error, sizeof error, "%s", strerror(errno));
    buf_fini(&text);
    all->after = renewals_new();
    if (all->before != NULL && all->after != NULL)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: %s: %s\n", all->state_path, error);
    return CLI_DATA;
}

/* The next timestamp: later than the last one, which must not be ahead of our clock. */
static bool read_clock(struct renewing *all)
{
    const struct policy_list_header *header = all->file.header;

    all->now_s = clock_wall_s();
    if (all->life_s == 0)
        all->life_s = header->expires_s - header->timestamp_s;
    if (all->now_s == header->timestamp_s)
        all->now_s++;
    if (all->now_s > header->timestamp_s)
        return true;
    fprintf(stderr,
            "mxcrypt: %s: its timestamp is in the future: set the clock of this host. If that is "
            "right now, put the former list back, or make it anew with mxcrypt list build\n",
            all->file.path);
    return false;
}

/* ---- looking ---- */

static int write_names(struct renewing *all)
{
    FILE *out = fopen(all->look.names, "wx");
    struct policy_list_entry entry;
    bool whole = out != NULL;
    size_t at = 0;

    while (out != NULL && policy_list_next(&entry, all->file.list, &at))
        fprintf(out, "%s\n", entry.domain);
    if (out != NULL)
        whole = !ferror(out) && fclose(out) == 0;
    if (whole)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: %s: %s\n", all->look.names, strerror(errno));
    return CLI_CANNOT_WRITE;
}

static int look_up(struct renewing *all)
{
    int status = list_look_begin(&all->look);

    if (status == CLI_OK)
        status = write_names(all);
    return status == CLI_OK ? list_look_up(&all->look, all->cli, NULL) : status;
}

/* ---- one domain ---- */

/* Whether the entry covers all the hosts that the domain has now. */
static bool all_covered(const struct policy_list_entry *entry, const struct evidence *evidence)
{
    const struct list_evidence list = {.mx = entry->mx, .mx_count = entry->mx_count};

    for (size_t i = 0; i < evidence->host_count; i++)
        if (evidence->hosts[i].dane != HOST_DANE_DEAD &&
            !sts_match_listed(&list, evidence->hosts[i].name))
            return false;
    return true;
}

static bool has_suffix(const struct policy_list_entry *entry)
{
    const char *mx = entry->mx;

    for (size_t i = 0; i < entry->mx_count; i++, mx += strlen(mx) + 1)
        if (mx[0] == '*')
            return true;
    return false;
}

/* False without memory. */
static bool find(struct finding *out, const struct renewing *all, const struct member *member,
                 const struct evidence *evidence)
{
    const struct policy_list_entry *entry = &all->entry;
    enum renewal_step step;

    *out = (struct finding){.days = renewals_find(all->before, entry->domain),
                            .unseen = member->fault == MEMBER_UNSEEN};
    if (!renewal_begin(&out->days, entry->mode, entry->mx, entry->mx_count))
        return false;
    out->sound = out->days.failed == 0;
    if (out->unseen)
        return true;
    out->moved = member->fault == MEMBER_GOOD && !all_covered(entry, evidence);
    out->good = member->fault == MEMBER_GOOD && !out->moved;
    step = renewal_count(&out->days, out->good, all->now_s / DAY_S, &all->rules);
    out->move = out->moved && (entry->mode == LIST_TESTING || step == RENEWAL_DROP);
    out->drop = step == RENEWAL_DROP && !out->move;
    out->enforce = step == RENEWAL_ENFORCE;
    return true;
}

static bool tally_member(void *context, const char *domain, const struct member *member,
                         const struct evidence *evidence)
{
    struct renewing *all = context;
    struct finding finding;

    (void)domain;
    if (!find(&finding, all, member, evidence))
        return false;
    all->tally.left += !finding.drop;
    if (finding.unseen)
        return true;
    all->tally.seen++;
    all->tally.answered |= member->answered;
    all->tally.sound += finding.sound;
    all->tally.lost += finding.sound && !finding.good;
    return true;
}

/* Adds what is left of the entry, and its days. */
static bool keep(struct renewing *all, const struct policy_list_entry *entry,
                 const struct renewal *days)
{
    return list_draft_add(&all->draft, entry) && renewals_put(all->after, entry->domain, days);
}

static bool keep_moved(struct renewing *all, const struct evidence *evidence)
{
    struct policy_list_entry entry = all->entry;
    struct renewal days = {0};
    struct buf hosts;
    bool kept;

    buf_init(&hosts, POLICY_LIST_VALUE_MAX);
    entry.mx_count =
        member_hosts(&hosts, evidence, all->cli->list.fold != 0 || has_suffix(&all->entry));
    entry.mx = hosts.data;
    entry.mode = LIST_TESTING;
    entry.alias = NULL;
    kept = !hosts.failed && renewal_begin(&days, entry.mode, entry.mx, entry.mx_count);
    days.day = all->now_s / DAY_S;
    days.good = 1;
    kept = kept && keep(all, &entry, &days);
    buf_fini(&hosts);
    all->moved++;
    list_report_add(&all->report, entry.domain, "moved", MOVED ": in testing mode");
    return kept;
}

static void report_failure(struct renewing *all, const struct member *member,
                           const struct finding *finding)
{
    const char *word = finding->moved ? "moving" : member_fault_name(member->fault);
    struct buf why;

    buf_init(&why, WHY_MAX);
    if (finding->moved)
        buf_adds(&why, MOVED);
    else
        member_why(&why, member);
    if (!all->refused)
        buf_addf(&why, " (day %u of %u)", finding->days.failed, all->rules.drop_after);
    list_report_add(&all->report, all->entry.domain,
                    finding->drop && !all->refused ? "dropped" : word, buf_text(&why));
    buf_fini(&why);
}

/* What becomes of an entry that was looked up. */
static bool take_found(struct renewing *all, const struct member *member, struct finding *finding)
{
    struct policy_list_entry entry = all->entry;

    if (!finding->good)
        report_failure(all, member, finding);
    if (finding->drop) {
        all->dropped++;
        return true;
    }
    if (finding->enforce) {
        entry.mode = finding->days.mode = LIST_ENFORCE;
        all->enforced++;
        list_report_add(&all->report, entry.domain, "enforced", "it was good for long enough");
    }
    all->good += finding->good;
    all->failing += !finding->good;
    return keep(all, &entry, &finding->days);
}

static bool take_member(void *context, const char *domain, const struct member *member,
                        const struct evidence *evidence)
{
    struct renewing *all = context;
    struct finding finding;

    if (!find(&finding, all, member, evidence))
        return false;
    if (finding.unseen) {
        all->unseen++;
        list_report_add(&all->report, domain, member_fault_name(member->fault), UNSEEN);
        return keep(all, &all->entry, &finding.days);
    }
    return finding.move ? keep_moved(all, evidence) : take_found(all, member, &finding);
}

/* For the report of a run that changes nothing. */
static bool tell_member(void *context, const char *domain, const struct member *member,
                        const struct evidence *evidence)
{
    struct renewing *all = context;
    struct finding finding;

    (void)domain;
    if (!find(&finding, all, member, evidence))
        return false;
    if (!finding.good)
        report_failure(all, member, &finding);
    return true;
}

/* ---- the list ---- */

static int each(struct renewing *all, members_taker *take)
{
    size_t at = 0;

    while (policy_list_next(&all->entry, all->file.list, &at)) {
        if (members_one(all->look.results, all->entry.domain, take, all))
            continue;
        fprintf(stderr, "mxcrypt: %s\n",
                *results_error(all->look.results) == '\0' ? "no memory"
                                                          : results_error(all->look.results));
        return CLI_INTERNAL;
    }
    return CLI_OK;
}

/* Whether what was found may be counted; CLI_TEMP after a message. */
static int judge_all(const struct renewing *all)
{
    size_t sound = all->tally.sound, lost = all->tally.lost;

    if (all->tally.seen == 0)
        fputs("mxcrypt: no domain was looked up: the list is left as it is\n", stderr);
    else if (!all->tally.answered)
        fputs("mxcrypt: no mail host gave a usable answer: the list is left as it is. Is port 25 "
              "open for this host?\n",
              stderr);
    else if (lost >= LOST_MIN && 2 * lost > sound && !all->cli->list.really)
        fprintf(stderr,
                "mxcrypt: of %zu domains that were good the last time %zu fail, or have moved: "
                "this is taken for a fault of this host or its network, and the list is left as "
                "it is. --really: count it all the same\n",
                sound, lost);
    else if (all->tally.left == 0)
        fputs("mxcrypt: no domain would stay in the list: it is left as it is\n", stderr);
    else
        return CLI_OK;
    return CLI_TEMP;
}

static int write_state(const struct renewing *all)
{
    struct buf text;
    int status;

    buf_init(&text, RENEWAL_TEXT_MAX);
    renewals_write(&text, all->after);
    status = list_replace(all->state_path, &text);
    buf_fini(&text);
    return status;
}

/* The state comes first: its days are those of the new entries, and what is lost in between begins
 * anew. */
static int write_list(struct renewing *all)
{
    struct policy_list_header header = *all->file.header;
    int status = write_state(all);

    header.timestamp_s = all->now_s;
    header.expires_s = all->now_s + all->life_s;
    return status == CLI_OK ? list_draft_write(&all->draft, &header, all->file.path) : status;
}

static void print_renewed(const json_t *json)
{
    printf("%s: %lld domains are good, %lld failing, %lld dropped, %lld enforced from now on, %lld "
           "moved, %lld not looked up\n",
           string_of(json, "list"), number_of(json, "good"), number_of(json, "failing"),
           number_of(json, "dropped"), number_of(json, "enforced"), number_of(json, "moved"),
           number_of(json, "unseen"));
}

static int show(const struct renewing *all)
{
    return cli_show(all->cli,
                    json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "list", all->file.path, "good",
                              (json_int_t)all->good, "failing", (json_int_t)all->failing, "dropped",
                              (json_int_t)all->dropped, "enforced", (json_int_t)all->enforced,
                              "moved", (json_int_t)all->moved, "unseen", (json_int_t)all->unseen),
                    print_renewed, NULL);
}

/* Counts what was found, or only tells it. */
static int count_all(struct renewing *all)
{
    int status, report;

    list_report_begin(&all->report, all->cli->list.report);
    status = each(all, all->refused ? tell_member : take_member);
    report = list_report_end(&all->report);
    return status == CLI_OK ? report : status;
}

static int renew(struct renewing *all)
{
    int status = look_up(all), judged;

    if (status == CLI_OK)
        status = each(all, tally_member);
    if (status != CLI_OK)
        return status;
    judged = judge_all(all);
    all->refused = judged != CLI_OK;
    status = count_all(all);
    if (judged != CLI_OK)
        return judged;
    if (status == CLI_OK)
        status = write_list(all);
    return status == CLI_OK ? show(all) : status;
}

int list_renew(struct cli *cli)
{
    struct renewing all = {.cli = cli};
    int status = CLI_USAGE;

    if (!read_options(&all))
        return status;
    status = list_open(&all.file, cli->words[0]);
    if (status == CLI_OK)
        status = check_files(&all);
    if (status == CLI_OK)
        status = read_state(&all);
    if (status == CLI_OK && !read_clock(&all))
        status = CLI_DATA;
    if (status == CLI_OK)
        status = list_draft_init(&all.draft) ? renew(&all) : CLI_INTERNAL;
    list_draft_fini(&all.draft);
    list_look_end(&all.look);
    renewals_free(all.before);
    renewals_free(all.after);
    list_close(&all.file);
    return status;
}
