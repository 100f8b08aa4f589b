/* survey_remarks: what the figures lack, in sentences; see survey_page.h. */
#include <stdarg.h>
#include <string.h>

#include "survey/page/survey_page.h"

struct remark_list {
    const char **out;
    struct arena *arena;
    size_t count;
};

/* Adds a sentence, unless there is no memory or no room for it. */
static void remark(struct remark_list *list, const char *sentence)
{
    if (sentence != NULL && list->count < SURVEY_REMARKS_MAX - 1)
        list->out[list->count++] = sentence;
    list->out[list->count] = NULL;
}

static const char *plural(double number)
{
    return number == 1 ? "" : "s";
}

/* A number in groups, in the arena. */
static const char *in_words(const struct remark_list *list, double number)
{
    char room[PAGE_FIGURE_MAX];
    const char *text =
        arena_strdup(list->arena, page_grouped(room, number > 0 ? (uint64_t)number : 0));

    return text == NULL ? "?" : text;
}

static double count_runs(const struct figure_data *runs, const char *column, double value)
{
    double count = 0;

    for (size_t i = 0; i < runs->row_count; i++)
        count += figure_at(runs, i, column).known && figure_number(runs, i, column) == value;
    return count;
}

static bool is_unfinished(const struct figure_data *runs)
{
    for (size_t i = 0; i < runs->row_count; i++) {
        if (!figure_at(runs, i, "ended").known)
            return true;
    }
    return runs->row_count == 0;
}

/* ---- what the surveys could not do ---- */

static void remark_unfinished(struct remark_list *list, const struct figures *figures)
{
    const struct figure_data *totals = figures_find(figures, "totals");

    if (!is_unfinished(figures_find(figures, "runs")))
        return;
    remark(list,
           arena_printf(list->arena,
                        "The survey has not ended: %s domains, %s mail hosts and %s addresses "
                        "are to be looked up still, and %s domains have no verdict. The "
                        "figures are of the others. `mxcrypt survey run --resume' goes on.",
                        in_words(list, figure_number(totals, 0, "domains_waiting")),
                        in_words(list, figure_number(totals, 0, "hosts_waiting")),
                        in_words(list, figure_number(totals, 0, "addresses_waiting")),
                        in_words(list, figure_number(totals, 0, "domains_undecided"))));
}

/* A shard alone decides only for domains whose addresses are all its own. */
static void remark_shard(struct remark_list *list, const struct figures *figures)
{
    const struct figure_data *runs = figures_find(figures, "runs");
    double undecided = figure_number(figures_find(figures, "totals"), 0, "domains_undecided");
    double alone = count_runs(runs, "shards", 1) + count_runs(runs, "shards", 0);

    if (!is_unfinished(runs) && undecided > 0 && alone < (double)runs->row_count)
        remark(list, arena_printf(list->arena,
                                  "%s domain%s no verdict, because other shards connect to some of "
                                  "%s addresses. The figures are of the others, which are no "
                                  "random part. `mxcrypt survey merge' joins the shards.",
                                  in_words(list, undecided), undecided == 1 ? " has" : "s have",
                                  undecided == 1 ? "its" : "their"));
}

/* `whose`: "", or which of two files is meant. */
static void remark_run(struct remark_list *list, const struct figure_data *runs, const char *whose)
{
    if (count_runs(runs, "dnssec", 0) > 0)
        remark(list,
               arena_printf(list->arena,
                            "%sThe resolver did not validate (--no-dnssec). Nothing counts as "
                            "signed: the figures of DANE and DNSSEC say nothing, and the "
                            "levels dane and dane-only are missing.",
                            whose));
    if (count_runs(runs, "probe", 0) > 0)
        remark(list,
               arena_printf(list->arena,
                            "%sNo mail host was connected to (--no-probe). STARTTLS is not "
                            "known, and no level rests on it: encrypt and verify are missing.",
                            whose));
    if (count_runs(runs, "names_read", 0) > 0)
        remark(list, arena_printf(list->arena, "%sThe list of names has not been read to its end.",
                                  whose));
}

static void remark_sample(struct remark_list *list, const struct figures *figures)
{
    const struct figure_data *runs = figures_find(figures, "runs");
    double sampled = survey_sampled(figures);

    if (sampled < 1)
        remark(list,
               arena_printf(list->arena,
                            "A random sample of %s of the %s domains of the list. Intervals "
                            "are at 95 %%, for the whole list. Shares by operators have none: "
                            "a sample of domains is not a sample of operators.",
                            in_words(list, figure_number(runs, 0, "sample")),
                            in_words(list, figure_number(runs, 0, "names"))));
    else if (runs->row_count > 1 && (double)runs->row_count != count_runs(runs, "sample", 0))
        remark(list, "Files with different samples were merged: there are no intervals.");
}

static void remark_merged(struct remark_list *list, const struct figures *figures)
{
    const struct figure_data *runs = figures_find(figures, "runs");

    if (runs->row_count > 1)
        remark(list, arena_printf(list->arena,
                                  "The file was merged from %s surveys: see the list of them.",
                                  in_words(list, (double)runs->row_count)));
}

static void remark_names(struct remark_list *list, const struct figures *figures)
{
    double bad = figure_sum(figures_find(figures, "runs"), "lines_bad");
    double opted_out = figure_number(figures_find(figures, "totals"), 0, "hosts_opted_out");
    double errors = figure_of_key(figures_find(figures, "mx"), "error", "domains");

    if (bad > 0)
        remark(list, arena_printf(list->arena, "%s line%s of the list %s no domain.",
                                  in_words(list, bad), plural(bad), bad == 1 ? "is" : "are"));
    if (errors > 0)
        remark(list,
               arena_printf(list->arena,
                            "The MX lookup of %s domain%s failed: not counted as mail domains.",
                            in_words(list, errors), plural(errors)));
    if (opted_out > 0)
        remark(list,
               arena_printf(list->arena,
                            "%s mail host%s opted out, and not connected to: what %s is not known.",
                            in_words(list, opted_out), opted_out == 1 ? " is" : "s are",
                            opted_out == 1 ? "it does" : "they do"));
}

/* What says nothing about anybody else. */
static void remark_local(struct remark_list *list, const struct figures *figures)
{
    double failed = figure_of_key(figures_find(figures, "errors"), "local", "domains") +
                    figure_of_key(figures_find(figures, "address_failures"), "local", "addresses") +
                    figure_of_key(figures_find(figures, "host_failures"), "local", "hosts");

    if (failed > 0)
        remark(list,
               arena_printf(list->arena,
                            "%s lookup%s failed on the survey's own side (local), and %s "
                            "nothing.",
                            in_words(list, failed), plural(failed), failed == 1 ? "says" : "say"));
}

static void remark_weights(struct remark_list *list, const struct figures *figures)
{
    const struct figure_data *totals = figures_find(figures, "totals");
    const struct figure_data *levels = figures_find(figures, "levels");
    double whole = figure_sum(levels, "weight"), most = figure_sum(levels, "weight_squares");

    /* the sums of weights and of their squares are the number of domains */
    if (figure_number(totals, 0, "weight") == figure_number(totals, 0, "domains") &&
        most == figure_sum(levels, "domains"))
        remark(list, "Every domain has the weight 1: shares by weight are those by domains.");
    /* the domains of equal weight that would give this interval: Kish */
    else if (whole > 0 && whole * whole / most < 30)
        remark(list, "A few domains have most of the weight: shares by weight are theirs.");
}

static void remark_sni(struct remark_list *list, const struct figures *figures)
{
    const struct figure_data *sni = figures_find(figures, "sni");

    if (figure_number(sni, 0, "names_tried") > 0)
        remark(list,
               arena_printf(list->arena,
                            "%s of %s addresses were connected to again, %s times in all, by the "
                            "name of another host there, because the certificate shown did not "
                            "cover it.",
                            in_words(list, figure_number(sni, 0, "addresses_retried")),
                            in_words(list, figure_number(sni, 0, "addresses")),
                            in_words(list, figure_number(sni, 0, "names_tried"))));
}

static void remark_cut(struct remark_list *list, const struct figures *figures)
{
    for (size_t i = 0; i < figures->count; i++) {
        if (figures->data[i].cut)
            remark(list,
                   arena_printf(list->arena,
                                "The figure %s has more than %d rows: the others are missing.",
                                figures->data[i].figure->name, FIGURE_ROWS_MAX));
    }
}

void survey_remarks(const char *out[SURVEY_REMARKS_MAX], struct arena *arena,
                    const struct figures *figures)
{
    struct remark_list list = {.out = out, .arena = arena};

    out[0] = NULL;
    remark_unfinished(&list, figures);
    remark_shard(&list, figures);
    remark_run(&list, figures_find(figures, "runs"), "");
    remark_sample(&list, figures);
    remark_merged(&list, figures);
    remark_names(&list, figures);
    remark_local(&list, figures);
    remark_weights(&list, figures);
    remark_sni(&list, figures);
    remark_cut(&list, figures);
}

/* ---- of two files ---- */

/* Whether an option is another one in the first runs of both, by which verdicts were decided. */
static bool options_differ(const struct figures *figures)
{
    static const char *const options[] = {"dnssec",        "probe",         "option_dane",
                                          "partial_dane",  "option_verify", "testing_enforced",
                                          "wildcard_hosts"};
    bool differ = false;

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct figure_value was = figure_at(figures_find(figures, "old_runs"), 0, options[i]);
        struct figure_value now = figure_at(figures_find(figures, "new_runs"), 0, options[i]);

        differ |= was.number != now.number;
        if (was.text != NULL && now.text != NULL)
            differ |= strcmp(was.text, now.text) != 0;
    }
    return differ;
}

void survey_diff_remarks(const char *out[SURVEY_REMARKS_MAX], struct arena *arena,
                         const struct figures *figures)
{
    struct remark_list list = {.out = out, .arena = arena};
    const struct figure_data *was = figures_find(figures, "old_runs");
    const struct figure_data *now = figures_find(figures, "new_runs");

    out[0] = NULL;
    if (is_unfinished(was) || is_unfinished(now))
        remark(&list,
               "A survey has not ended: domains that it has no verdict of are not compared.");
    remark_run(&list, was, "The older survey: ");
    remark_run(&list, now, "The newer survey: ");
    if (options_differ(figures))
        remark(&list, "The surveys were made with different options: what changed may be theirs.");
    if (figure_number(was, 0, "began") > figure_number(now, 0, "began"))
        remark(&list, "The file that was named as the older one is the newer one.");
    if (figure_number(was, 0, "sample") > 0 || figure_number(now, 0, "sample") > 0)
        remark(&list,
               "A survey is a sample: only domains that are in both are compared. Samples of "
               "one list with the same --seed have the most in common.");
    remark_cut(&list, figures);
}
