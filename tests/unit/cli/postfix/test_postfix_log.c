/* postfix_log: which log is found, by a postconf and a journalctl that say what a case wants. */
#include "cli/postfix/postfix_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/support/rows.h"
#include "tests/unit/support/virtual_clock.h"

#define MEMORY    ((size_t)16 * 1024 * 1024)
#define FILES_MAX 12
#define PATH_SIZE 256
#define NOW       INT64_C(1795800000) /* seconds since 1970 */
#define DAY       INT64_C(86400)

static char folder[64];

static const char *path_of(char out[PATH_SIZE], const char *name)
{
    snprintf(out, PATH_SIZE, "%s/%s", folder, name);
    return out;
}

static void put(const char *name, const char *text, mode_t mode)
{
    char path[PATH_SIZE];
    FILE *file = fopen(path_of(path, name), "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* A folder of programs and one of logs. */
static int set_up(void **state)
{
    static char path[256];
    char name[PATH_SIZE];

    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mxc-log-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(mkdir(path_of(name, "bin"), 0700), 0);
    assert_int_equal(mkdir(path_of(name, "log"), 0700), 0);
    snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", folder);
    return setenv("PATH", path, 1);
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* NULL: the configuration cannot be read. */
static void put_postconf(const char *values, const char *services)
{
    char text[2048];

    snprintf(text, sizeof text,
             "#!/bin/sh\n%s\ncase \"$*\" in\n"
             "*-P*) cat <<'E'\n%sE\n;;\n"
             "*-F*) printf '%%s\\n' 'smtp/unix/chroot = y' 'smtp/unix/command = smtp -v' "
             "'relay/unix/command = smtp' 'lmtp/unix/command = lmtp';;\n"
             "*) cat <<'E'\nmail_version = 3.10.13\nqueue_directory = /q\nconfig_directory = /e\n"
             "mail_owner = postfix\n%sE\n;;\nesac\n",
             values == NULL ? "echo 'postconf: fatal: no main.cf' >&2; exit 1" : "", services,
             values == NULL ? "" : values);
    put("bin/postconf", text, 0700);
}

static struct postfix_log find(struct arena *arena, const struct postfix_log_options *options,
                               int status, char error[POSTFIX_ERROR_MAX])
{
    struct postfix_log log;

    assert_int_equal(postfix_log_find(&log, arena, options, error), status);
    return log;
}

/* ---- files ---- */

static const struct file_row {
    const char *name;
    const char *own, *suffix; /* maillog_file, in the folder; "" not set */
    bool journal;             /* has mail */
    const char *files[FILES_MAX], *want[FILES_MAX];
    const char *description; /* the path is FOLDER; NULL: there is no log */
    int64_t since;
    bool follow;
} rows[] = {
    {"nothing", "", "", false, {NULL}, {NULL}, NULL, 0, false},
    {"mail.log", "", "", false, {"mail.log"}, {"mail.log"}, "FOLDER/mail.log", 0, false},
    {"maillog", "", "", false, {"maillog"}, {"maillog"}, "FOLDER/maillog", 0, false},
    {"mail.log before maillog",
     "",
     "",
     false,
     {"maillog", "mail.log"},
     {"mail.log"},
     "FOLDER/mail.log",
     0,
     false},
    {"one older file",
     "",
     "",
     false,
     {"mail.log", "mail.log.1"},
     {"mail.log", "mail.log.1"},
     "FOLDER/mail.log and 1 older file",
     0,
     false},
    {"older files of every form",
     "",
     "",
     false,
     {"mail.log", "mail.log.1", "mail.log.2.gz", "mail.log-20261101", "mail.log-20261101.xz",
      "mail.log.3.zst", "mail.log.4.bz2"},
     {"mail.log", "mail.log.1", "mail.log.2.gz", "mail.log-20261101", "mail.log-20261101.xz",
      "mail.log.3.zst", "mail.log.4.bz2"},
     "FOLDER/mail.log and 6 older files",
     0,
     false},
    {"what else has such a name",
     "",
     "",
     false,
     {"mail.log", "mail.log.offset", "mail.log~", "mail.log.gz", "mail.log.1.swp", "mail.log1",
      "mail.log.", "mail.log.1.gz.tmp", "mail.info", "mail.log.x1", "xmail.log.1"},
     {"mail.log"},
     "FOLDER/mail.log",
     0,
     false},
    {"only older files",
     "",
     "",
     false,
     {"mail.log.1", "mail.log.2.gz"},
     {"mail.log.1", "mail.log.2.gz"},
     "FOLDER/mail.log and 2 older files",
     0,
     false},
    {"only older files, followed",
     "",
     "",
     false,
     {"mail.log.1"},
     {"mail.log", "mail.log.1"},
     "FOLDER/mail.log and 1 older file",
     0,
     true},
    {"nothing, followed", "", "", false, {NULL}, {NULL}, NULL, 0, true},
    {"written before the period",
     "",
     "",
     false,
     {"mail.log", "mail.log.1", "old.mail.log.2"},
     {"mail.log", "mail.log.1"},
     "FOLDER/mail.log and 1 older file",
     NOW - 3 * DAY,
     false},
    {"the journal before files", "", "", true, {"mail.log"}, {NULL}, "the journal", 0, false},
    {"maillog_file",
     "own.log",
     "%Y%m%d-%H%M%S",
     true,
     {"mail.log", "own.log", "own.log.20261127-184508.gz", "own.log.20261126-184508"},
     {"own.log", "own.log.20261127-184508.gz", "own.log.20261126-184508"},
     "FOLDER/own.log and 2 older files",
     0,
     false},
    {"maillog_file, a suffix of words",
     "own.log",
     "week-%V-%b",
     false,
     {"own.log", "own.log.week-48-Nov", "own.log.week-48-Nov.gz", "own.log.week-48",
      "own.log.week-48-Nov.tmp", "own.log-week-48-Nov"},
     {"own.log", "own.log.week-48-Nov", "own.log.week-48-Nov.gz"},
     "FOLDER/own.log and 2 older files",
     0,
     false},
    {"maillog_file, not there",
     "own.log",
     "",
     true,
     {"mail.log"},
     {"own.log"},
     "FOLDER/own.log",
     0,
     false},
    {"maillog_file is standard output",
     "/dev/stdout",
     "",
     false,
     {"mail.log"},
     {"mail.log"},
     "FOLDER/mail.log",
     0,
     false},
};

/* In a name that begins with "old." the rest is the file's, which was last written long ago. */
static void put_files(const char *const *names)
{
    struct timespec times[2] = {{NOW - 2 * DAY, 0}, {NOW - 2 * DAY, 0}};
    char name[128], path[PATH_SIZE];

    for (size_t i = 0; i < FILES_MAX && names[i] != NULL; i++) {
        bool old = strncmp(names[i], "old.", 4) == 0;

        snprintf(name, sizeof name, "log/%s", names[i] + (old ? 4 : 0));
        put(name, "", 0600);
        times[1].tv_sec = NOW - (old ? 30 : 2) * DAY;
        assert_int_equal(utimensat(AT_FDCWD, path_of(path, name), times, 0), 0);
    }
}

static bool has_place(const struct postfix_log *log, const char *name)
{
    char wanted[PATH_SIZE], file[128];

    snprintf(file, sizeof file, "log/%s", name);
    for (size_t i = 0; i < log->count; i++)
        if (log->places[i].path != NULL && strcmp(log->places[i].path, path_of(wanted, file)) == 0)
            return true;
    return false;
}

static void put_maillog(const struct file_row *row)
{
    char values[512], own[PATH_SIZE], file[128];

    snprintf(file, sizeof file, "log/%s", row->own);
    snprintf(values, sizeof values, "maillog_file = %s\nmaillog_file_rotate_suffix = %s\n",
             *row->own == '\0' || row->own[0] == '/' ? row->own : path_of(own, file), row->suffix);
    put_postconf(values, "");
    put("bin/journalctl", row->journal ? "#!/bin/sh\necho a line\n" : "#!/bin/sh\nexit 1\n", 0700);
}

static void test_files(void **state)
{
    const struct file_row *row = *state;
    struct arena *arena = arena_new(MEMORY);
    char error[POSTFIX_ERROR_MAX], logs[PATH_SIZE], wanted[2 * PATH_SIZE];
    struct postfix_log_options options = {
        .folder = path_of(logs, "log"), .since = row->since, .follow = row->follow};
    struct postfix_log log;
    size_t count = 0;

    put_maillog(row);
    put_files(row->files);
    log = find(arena, &options, row->description == NULL ? -1 : 0, error);
    if (row->description == NULL)
        assert_non_null(strstr(error, "no mail log is found"));
    for (; count < FILES_MAX && row->want[count] != NULL; count++)
        assert_true(has_place(&log, row->want[count]));
    if (row->description != NULL && strncmp(row->description, "FOLDER", 6) == 0) {
        assert_int_equal(log.count, count);
        snprintf(wanted, sizeof wanted, "%s%s", logs, row->description + 6);
        assert_string_equal(log.description, wanted);
    } else if (row->description != NULL) {
        assert_int_equal(log.count, 1);
        assert_null(log.places[0].path);
        assert_string_equal(log.description, row->description);
    }
    arena_free(arena);
}

/* ---- the journal ---- */

static const struct words_row {
    const char *name;
    struct postfix_log_options options;
    const char *want;
} words_rows[] = {
    {"all", {.directory = NULL}, ""},
    {"a period", {.since = 1000000, .until = 2000000}, " --since=@913600 --until=@2000000"},
    {"followed", {.follow = true}, " --follow --no-tail"},
};

static void test_words(void **state)
{
    const struct words_row *row = *state;
    struct arena *arena = arena_new(MEMORY);
    char error[POSTFIX_ERROR_MAX], got[512] = "";
    struct postfix_log log;

    put_postconf("", "");
    put("bin/journalctl", "#!/bin/sh\necho a line\n", 0700);
    log = find(arena, &row->options, 0, error);
    for (const char *const *word = log.places[0].words; *word != NULL; word++) {
        strcat(got, *word);
        strcat(got, " ");
    }
    got[strlen(got) - 1] = '\0';
    assert_string_equal(strstr(got, "SYSLOG_FACILITY=2") + strlen("SYSLOG_FACILITY=2"), row->want);
    assert_int_equal(strncmp(got, "journalctl -q --no-pager --all --output=short-iso ", 50), 0);
    arena_free(arena);
}

/* ---- settings ---- */

static void put_changed(const char *name, time_t at)
{
    const struct timespec times[] = {{.tv_sec = at}, {.tv_sec = at}};
    char path[PATH_SIZE];

    put(name, "", 0600);
    assert_int_equal(utimensat(AT_FDCWD, path_of(path, name), times, 0), 0);
}

static void test_changed_at(void **state)
{
    struct arena *arena = arena_new(MEMORY);
    char error[POSTFIX_ERROR_MAX], values[PATH_SIZE + 32], path[PATH_SIZE];
    struct postfix_log log;

    (void)state;
    snprintf(values, sizeof values, "config_directory = %s\n", path_of(path, "bin"));
    put_postconf(values, "");
    put_changed("bin/main.cf", 1700000000);
    put_changed("bin/master.cf", 1600000000);
    assert_int_equal(postfix_log_settings(&log, arena, NULL, error), 0);
    assert_int_equal(log.changed_at, 1700000000);
    put_changed("bin/master.cf", 1800000000);
    assert_int_equal(postfix_log_settings(&log, arena, NULL, error), 0);
    assert_int_equal(log.changed_at, 1800000000);
    arena_free(arena);
}

static const struct settings_row {
    const char *name, *values, *services; /* values NULL: postconf fails */
    const char *relayhost, *syslog_name, *fault;
    int loglevel;
    bool status;
} settings_rows[] = {
    {"none known", "", "", "", "", NULL, -1, false},
    {"postconf fails", NULL, "", "", "", "postconf: fatal: no main.cf", -1, false},
    {"all",
     "smtp_tls_loglevel = 1\nrelayhost = [relay.example]:587\nsyslog_name = out\n"
     "smtp_log_tls_feature_status = yes\n",
     "", "[relay.example]:587", "out", NULL, 1, true},
    {"off", "smtp_tls_loglevel = 0\nsmtp_log_tls_feature_status = no\nrelayhost =\n", "", "", "",
     NULL, 0, false},
    {"a client logs less", "smtp_tls_loglevel = 2\n", "relay/unix/smtp_tls_loglevel = 0\n", "", "",
     NULL, 0, false},
    {"a client logs more", "smtp_tls_loglevel = 1\n", "relay/unix/smtp_tls_loglevel = 2\n", "", "",
     NULL, 1, false},
    {"what is no client of SMTP logs less", "smtp_tls_loglevel = 1\n",
     "lmtp/unix/smtp_tls_loglevel = 0\n", "", "", NULL, 1, false},
    {"no number", "smtp_tls_loglevel = x\n", "", "", "", NULL, -1, false},
};

static void test_settings(void **state)
{
    const struct settings_row *row = *state;
    struct arena *arena = arena_new(MEMORY);
    char error[POSTFIX_ERROR_MAX];
    struct postfix_log log;

    put_postconf(row->values, row->services);
    assert_int_equal(postfix_log_settings(&log, arena, NULL, error), 0);
    assert_int_equal(log.changed_at, 0); /* the directory is not there */
    assert_string_equal(log.relayhost, row->relayhost);
    assert_string_equal(log.syslog_name, row->syslog_name);
    assert_int_equal(log.tls_loglevel, row->loglevel);
    assert_int_equal(log.tls_status, row->status);
    if (row->fault == NULL)
        assert_null(log.fault);
    else
        assert_string_equal(log.fault, row->fault);
    arena_free(arena);
}

static void test_no_memory(void **state)
{
    struct arena *arena = arena_new(1024);
    char error[POSTFIX_ERROR_MAX];
    struct postfix_log log;

    (void)state;
    put_postconf("", "");
    assert_int_equal(postfix_log_settings(&log, arena, NULL, error), -1);
    assert_string_equal(error, "no memory");
    arena_free(arena);
}

int main(void)
{
    virtual_clock_stop(); /* a program that is run has the real one */
    ROWS_ADD(rows, test_files);
    ROWS_ADD(words_rows, test_words);
    ROWS_ADD(settings_rows, test_settings);
    ROWS_ADD_TEST(test_changed_at);
    ROWS_ADD_TEST(test_no_memory);
    for (size_t i = 0; i < rows_count; i++) {
        rows_tests[i].setup_func = set_up;
        rows_tests[i].teardown_func = tear_down;
    }
    return rows_run("postfix_log");
}
