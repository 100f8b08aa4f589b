/* cli_survey: see cli_survey.h. */
#include "cli/survey/cli_survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/page/page_write.h"

struct results *cli_survey_open(const char *path)
{
    char error[RESULTS_ERROR_MAX];
    struct results *results = results_open(path, false, error);

    if (results == NULL)
        fprintf(stderr, "mxcrypt: %s\n", error);
    return results;
}

int cli_survey_failed(const struct results *results)
{
    fprintf(stderr, "mxcrypt: %s\n", results_error(results));
    return CLI_DATA;
}

/* ---- writing ---- */

struct sheet_to_fill {
    survey_writer *write;
    const struct survey_page *page;
};

static bool fill_sheet(FILE *out, const void *context)
{
    const struct sheet_to_fill *fill = context;

    return fill->write(out, fill->page);
}

static int say_unwritten(const char *path)
{
    const char *why = errno == ELOOP    ? "it is a symbolic link"
                      : errno == EINVAL ? "it is no plain file"
                                        : strerror(errno);

    fprintf(stderr, "mxcrypt: cannot write %s: %s\n", path, why);
    return CLI_CANNOT_WRITE;
}

/* To standard output where there is no path, or "-". */
static int write_sheet(const char *path, survey_writer *write, const struct survey_page *page)
{
    const struct sheet_to_fill fill = {write, page};
    bool whole;

    errno = 0;
    if (path != NULL && strcmp(path, "-") != 0)
        return page_replace(path, fill_sheet, &fill) == 0 ? CLI_OK : say_unwritten(path);
    whole = write(stdout, page);
    return whole && fflush(stdout) == 0 ? CLI_OK : say_unwritten("standard output");
}

static int write_sheets(const struct cli *cli, const struct cli_survey_sheet *sheet,
                        const struct survey_page *page)
{
    int status = CLI_OK;

    if (cli->audit.html != NULL)
        status = write_sheet(cli->audit.html, sheet->html, page);
    if (status == CLI_OK && (cli->json || cli->audit.html == NULL))
        status = write_sheet(NULL, cli->json ? survey_json : sheet->text, page);
    return status;
}

/* ---- reading ---- */

/* Whether a page would be put in the place of a file that is read. */
static bool is_same_file(const char *page, const char *file)
{
    struct stat one, other;

    return file != NULL && stat(page, &one) == 0 && stat(file, &other) == 0 &&
           one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static bool options_fit(const struct cli *cli, const struct cli_survey_sheet *sheet, long *top)
{
    const char *html = cli->audit.html;

    if (html != NULL && sheet->html == NULL)
        fputs("mxcrypt: there is no page of this\n", stderr);
    else if (html != NULL && strcmp(html, "-") == 0 && cli->json)
        fputs("mxcrypt: only one of --json and --html - can be printed\n", stderr);
    else if (html != NULL &&
             (is_same_file(html, sheet->file) || is_same_file(html, sheet->old_file)))
        fprintf(stderr, "mxcrypt: the page would take the place of the results file: %s\n", html);
    else
        return cli_number(top, "--top", cli->audit.top, 1, SURVEY_TOP_MAX);
    return false;
}

static int write_read(const struct cli *cli, const struct cli_survey_sheet *sheet,
                      struct figures *figures, struct arena *arena, size_t top)
{
    const char *remarks[SURVEY_REMARKS_MAX];
    bool diff = sheet->old_file != NULL;
    struct survey_page page = {.figures = figures,
                               .file = sheet->file,
                               .old_file = sheet->old_file,
                               .remarks = remarks,
                               .sampled = diff ? 1 : survey_sampled(figures),
                               .top = top,
                               .now = clock_wall_s()};

    (diff ? survey_diff_remarks : survey_remarks)(remarks, arena, figures);
    return write_sheets(cli, sheet, &page);
}

int cli_survey_write(const struct cli *cli, const struct cli_survey_sheet *sheet)
{
    const struct figure *table = sheet->old_file != NULL ? figures_of_diff : figures_of_report;
    struct arena *arena = arena_new(FIGURES_OCTETS_MAX);
    struct figures *figures = arena == NULL ? NULL : arena_alloc(arena, sizeof *figures);
    char why[RESULTS_ERROR_MAX] = "no memory";
    long top = SURVEY_TOP_DEFAULT;
    int status = CLI_DATA;

    if (!options_fit(cli, sheet, &top))
        status = CLI_USAGE;
    else if (figures != NULL &&
             figures_read(figures, table, sheet->only, sheet->results, arena, why))
        status = write_read(cli, sheet, figures, arena, (size_t)top);
    else
        fprintf(stderr, "mxcrypt: %s\n", why);
    arena_free(arena);
    return status;
}
