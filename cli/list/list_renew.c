/*
 * list_renew: `mxcrypt list renew`: looks at every domain of a list again, for a timer. What qualifies
 * stays, what has failed for some days is dropped, what was good for some days in testing mode is
 * enforced. The days are kept beside the list (survey/member/renewal.h).
 *
 * A domain that is good, but at hosts that its entry does not cover, has moved: it gets the new hosts,
 * in testing mode, so that nobody can put a host of his own into an entry that is enforced. Of an entry
 * that is enforced this counts as a failed day first, as anything else that is wrong: nobody can end it
 * by one forged answer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

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
#define PATH_SIZE     4096

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
    size_t good, failing, dropped, enforced, moved;
    bool answered;
};

/* ---- options, and what was before ---- */

static bool read_options(struct renewing *all)
{
    const struct cli *cli = all->cli;
    long drop_after = DROP_AFTER, enforce_after = ENFORCE_AFTER, expires = 0;

    if (!cli_number(&drop_after, "--drop-after", cli->list.drop_after, 1, RENEWAL_DAYS_MAX) ||
        !cli_number(&enforce_after, "--enforce-after", cli->list.enforce_after, 0,
                    RENEWAL_DAYS_MAX) ||
        !cli_number(&expires, "--expires", cli->list.expires, 1, LIST_EXPIRES_MAX))
        return false;
    if (strlen(cli->words[0]) > PATH_SIZE - 8) {
        fputs("mxcrypt: the path of the list is too long\n", stderr);
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

/* Adds what is left of the entry, and its days. */
static bool keep(struct renewing *all, const struct policy_list_entry *entry,
                 const struct renewal *days)
{
    return list_draft_add(&all->draft, entry) && renewals_put(all->after, entry->domain, days);
}

static bool keep_moved(struct renewing *all, const struct evidence *evidence, int64_t day)
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
    days.day = day;
    days.good = 1;
    kept = kept && keep(all, &entry, &days);
    buf_fini(&hosts);
    all->moved++;
    list_report_add(&all->report, entry.domain, "moved", MOVED ": in testing mode");
    return kept;
}

static void report_failure(struct renewing *all, const struct member *member, const char *word,
                           unsigned days)
{
    char sentence[WHY_MAX];
    struct buf why;

    buf_init(&why, WHY_MAX / 2);
    if (member->fault == MEMBER_GOOD)
        buf_adds(&why, MOVED);
    else
        member_why(&why, member);
    snprintf(sentence, sizeof sentence, "%s (day %u of %u)", buf_text(&why), days,
             all->rules.drop_after);
    list_report_add(&all->report, all->entry.domain, word, sentence);
    buf_fini(&why);
}

static bool take_member(void *context, const char *domain, const struct member *member,
                        const struct evidence *evidence)
{
    struct renewing *all = context;
    struct policy_list_entry entry = all->entry;
    struct renewal days = renewals_find(all->before, domain);
    int64_t day = all->now_s / DAY_S;
    bool moved = member->fault == MEMBER_GOOD && !all_covered(&entry, evidence);
    bool good = member->fault == MEMBER_GOOD && !moved;

    if (!renewal_begin(&days, entry.mode, entry.mx, entry.mx_count))
        return false;
    all->answered |= member->answered;
    if (moved && entry.mode == LIST_TESTING)
        return keep_moved(all, evidence, day);
    switch (renewal_count(&days, good, day, &all->rules)) {
    case RENEWAL_DROP:
        if (moved)
            return keep_moved(all, evidence, day);
        all->dropped++;
        report_failure(all, member, "dropped", days.failed);
        return true;
    case RENEWAL_ENFORCE:
        all->enforced++;
        entry.mode = days.mode = LIST_ENFORCE;
        list_report_add(&all->report, domain, "enforced", "it was good for long enough");
        break;
    case RENEWAL_KEEP:
        if (!good)
            report_failure(all, member, moved ? "moving" : member_fault_name(member->fault),
                           days.failed);
        break;
    }
    all->good += good;
    all->failing += !good;
    return keep(all, &entry, &days);
}

/* ---- the list ---- */

static int take_all(struct renewing *all)
{
    size_t at = 0;

    while (policy_list_next(&all->entry, all->file.list, &at)) {
        if (members_one(all->look.results, all->entry.domain, take_member, all))
            continue;
        fprintf(stderr, "mxcrypt: %s\n",
                *results_error(all->look.results) == '\0' ? "no memory"
                                                          : results_error(all->look.results));
        return CLI_INTERNAL;
    }
    return CLI_OK;
}

static int write_list(struct renewing *all)
{
    struct policy_list_header header = *all->file.header;
    struct buf text;
    int status;

    header.timestamp_s = all->now_s;
    header.expires_s = all->now_s + all->life_s;
    status = list_draft_write(&all->draft, &header, all->file.path);
    if (status != CLI_OK)
        return status;
    buf_init(&text, RENEWAL_TEXT_MAX);
    renewals_write(&text, all->after);
    status = list_replace(all->state_path, &text);
    buf_fini(&text);
    return status;
}

static void print_renewed(const json_t *json)
{
    printf("%s: %lld domains are good, %lld failing, %lld dropped, %lld enforced from now on, %lld "
           "moved\n",
           string_of(json, "list"), number_of(json, "good"), number_of(json, "failing"),
           number_of(json, "dropped"), number_of(json, "enforced"), number_of(json, "moved"));
}

static int show(const struct renewing *all)
{
    return cli_show(all->cli,
                    json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "list", all->file.path, "good",
                              (json_int_t)all->good, "failing", (json_int_t)all->failing, "dropped",
                              (json_int_t)all->dropped, "enforced", (json_int_t)all->enforced,
                              "moved", (json_int_t)all->moved),
                    print_renewed, NULL);
}

static int renew(struct renewing *all)
{
    int status = look_up(all), report;

    if (status != CLI_OK)
        return status;
    list_report_begin(&all->report, all->cli->list.report);
    status = take_all(all);
    report = list_report_end(&all->report);
    if (status == CLI_OK && !all->answered) {
        fputs("mxcrypt: no mail host has answered at all: the list is left as it is. Is port 25 "
              "open for this host?\n",
              stderr);
        status = CLI_TEMP;
    }
    if (status == CLI_OK)
        status = report;
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
