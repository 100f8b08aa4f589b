/*
 * store_open: the opening part of store_db.h: takes a path and gives a usable database of the
 * present version, or the reason why there is none.
 *
 * SQLite opens by name the file that was checked here. In between, only the owner of the directory
 * could change it, and the owner of the directory owns the store. A file that is not ours is set
 * aside and a fresh one begun, at most ASIDES_MAX times per process: a disk that corrupts every
 * file must not be filled with them. The file is not checked as a whole, because that would take
 * too long at start. Corruption shows when the file is read, and the file is set aside then.
 */
#include "daemon/store/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define ASIDES_MAX   8
#define SQL_TEXT_MAX (1024 * 1024)
#define CHANGE_DISK  "look at the system's log and at the disk"
#define SUFFIXES     4
#define NAMES_MAX    1000 /* of files set aside in one second */

/* ---- the file before SQLite sees it ---- */

/* SQLite believes any -journal, although ours never keeps one for long. */
static const char *const suffixes[SUFFIXES] = {"", "-wal", "-shm", "-journal"};

/* What is wrong with it; NULL: nothing. */
static const char *wrong_with(const struct stat *status)
{
    if (S_ISLNK(status->st_mode))
        return "it is a symbolic link";
    if (!S_ISREG(status->st_mode))
        return "it is no regular file";
    if (status->st_uid != geteuid())
        return "it belongs to another user";
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "others than its owner can write to it";
    return NULL;
}

/* Looks at the files beside it; opening reports a path that is too long. */
static const char *wrong_beside(struct store_db *db)
{
    const char *why = NULL;
    char name[PATH_MAX];
    struct stat status;

    for (int i = 1; i < SUFFIXES && why == NULL; i++)
        if (snprintf(name, sizeof name, "%s%s", db->options->path, suffixes[i]) < PATH_MAX &&
            lstat(name, &status) == 0) {
            why = wrong_with(&status);
            db->beside |= i == 1 && status.st_size > 0;
        }
    return why;
}

/* A descriptor of the file, made if need be, or -1 with errno. */
static int open_or_make(const char *path, bool *readonly)
{
    int flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int fd = open(path, O_RDWR | flags);

    if (fd < 0 && errno == ENOENT) {
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
        if (fd >= 0)
            fchmod(fd, 0600);
    }
    if (fd < 0 && (errno == EROFS || errno == EACCES)) {
        fd = open(path, O_RDONLY | flags);
        *readonly = fd >= 0;
    }
    return fd;
}

/* Opens it, or makes an empty one for the owner only, whatever the umask, without following a link
 * at its end, and notes what it is. *distrust says why the file is to be set aside, if it is. 0 or
 * an errno: it can be neither opened nor made. */
static int check_file(struct store_db *db, const char **distrust)
{
    const char *path = db->options->path;
    struct stat status;
    int fd, error;

    db->file_readonly = db->beside = false;
    /* before opening: a file that is none of ours may be anything, a device too */
    *distrust = lstat(path, &status) == 0 ? wrong_with(&status) : NULL;
    if (*distrust != NULL)
        return 0;
    fd = open_or_make(path, &db->file_readonly);
    error = fd < 0 || fstat(fd, &status) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (error != 0)
        return error;
    db->device = status.st_dev;
    db->inode = status.st_ino;
    *distrust = wrong_with(&status);
    if (*distrust == NULL)
        *distrust = wrong_beside(db);
    return 0;
}

/* ---- setting aside ---- */

static bool is_taken(const char *base)
{
    char name[PATH_MAX];
    struct stat status;

    for (int i = 0; i < SUFFIXES; i++)
        if (snprintf(name, sizeof name, "%s%s", base, suffixes[i]) < (int)sizeof name &&
            lstat(name, &status) == 0)
            return true;
    return false;
}

/* A name that is not taken; false when there is none. */
static bool aside_name(const char *path, char aside[PATH_MAX])
{
    time_t now = (time_t)clock_wall_s();
    struct tm parts;
    char stamp[32], number[16] = "";

    if (gmtime_r(&now, &parts) == NULL ||
        strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &parts) == 0)
        return false;
    for (int n = 1; n < NAMES_MAX; n++) {
        /* room for the suffixes is left */
        if (snprintf(aside, PATH_MAX, "%s.aside-%s%s", path, stamp, number) >= PATH_MAX - 8)
            return false;
        if (!is_taken(aside))
            return true;
        snprintf(number, sizeof number, "-%d", n);
    }
    return false;
}

/* Renames the file and those that SQLite keeps beside it to PATH.aside-TIME. */
static bool rename_aside(const char *path, char aside[PATH_MAX])
{
    char from[PATH_MAX], to[PATH_MAX + 8];

    if (!aside_name(path, aside))
        return false;
    /* the main file last: what is left behind of a half-done renaming is set aside again */
    for (int i = SUFFIXES - 1; i >= 0; i--) {
        snprintf(from, sizeof from, "%s%s", path, suffixes[i]);
        snprintf(to, sizeof to, "%s%s", aside, suffixes[i]);
        if (rename(from, to) != 0 && errno != ENOENT)
            return false;
    }
    return true;
}

/* What would help. */
static const char *const changes[SQL_FAILURES] = {
    [SQL_FAILED] = CHANGE_DISK,
    [SQL_FULL] = "make room on the file system of the store",
    [SQL_READONLY] =
        "make the store, its folder and its file system writable for the daemon's user",
    [SQL_BUSY] = "end the other process that has it locked: a second daemon, or a sqlite3 shell",
    [SQL_CORRUPT] = CHANGE_DISK,
    [SQL_STATEMENT] = CHANGE_DISK,
};

static void degrade(struct store_db *db, const char *reason, const char *change)
{
    db->news.degraded = true;
    db->news.change = change;
    snprintf(db->news.reason, sizeof db->news.reason, "%s", reason);
}

void store_db_close(struct store_db *db)
{
    sql_close(db->sql);
    db->sql = NULL;
    memset(db->statements, 0, sizeof db->statements);
}

/* False when it could not be done: then the store stays degraded. */
static bool set_aside(struct store_db *db, const char *why)
{
    store_db_close(db);
    if (db->news.asides == ASIDES_MAX) {
        degrade(db, why, "it was set aside often enough: " CHANGE_DISK);
        return false;
    }
    if (!rename_aside(db->options->path, db->news.aside)) {
        degrade(db, why, "it could not be set aside: move it away by hand");
        return false;
    }
    db->news.asides++;
    snprintf(db->news.distrust, sizeof db->news.distrust, "%s", why);
    db->news.begun++;
    return true;
}

void store_db_failed(struct store_db *db)
{
    enum sql_failure failure = sql_failure(db->sql);
    char why[STORE_ERROR_MAX];

    snprintf(why, sizeof why, "%s", sql_error(db->sql));
    degrade(db, why, changes[failure]);
    if (failure == SQL_CORRUPT || failure == SQL_STATEMENT) {
        if (set_aside(db, why))
            store_db_open(db);
    } else if (failure == SQL_FAILED || db->readonly) {
        store_db_close(db);
    } else {
        sql_rollback(db->sql); /* reads go on */
    }
}

/* ---- opening ---- */

static bool meta_get(struct store_db *db, const char *name, int64_t *out)
{
    sql_bind_text(db->statements[STATEMENT_META_GET][0], 1, name);
    return sql_execute_number(db->statements[STATEMENT_META_GET][0], out);
}

static bool migrate(struct sql *sql, int from)
{
    char text[96];
    bool ok = true;

    for (int version = from; version < store_schema_version && ok; version++) {
        snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 STORE_APPLICATION_ID, version + 1);
        ok = sql_begin(sql) && sql_run(sql, store_schema_steps[version]) && sql_run(sql, text) &&
             sql_commit(sql);
    }
    return ok;
}

/* The version of a file of ours, 0 for one that is empty. False with *why when it is none. */
static bool identify(struct sql *sql, int64_t *version, const char **why)
{
    int64_t application = 0, objects = 0;

    if (!sql_number(sql, "PRAGMA application_id", &application) ||
        !sql_number(sql, "PRAGMA user_version", version) ||
        !sql_number(sql, "SELECT count(*) FROM sqlite_schema", &objects))
        return false;
    if (application != STORE_APPLICATION_ID && (application != 0 || *version != 0 || objects != 0))
        *why = "it is the database of another program";
    else if (*version > store_schema_version)
        *why = "a newer version of this program wrote it";
    else if (*version < 0 || (*version == 0 && objects != 0))
        *why = "its version cannot be";
    return *why == NULL;
}

static bool prepare(struct store_db *db)
{
    struct arena *arena = arena_new(SQL_TEXT_MAX);
    const char *texts[STATEMENTS][RECORD_KINDS];
    bool ok = arena != NULL && store_statements_text(arena, texts);

    for (int i = 0; i < STATEMENTS; i++)
        for (int kind = 0; kind < RECORD_KINDS && ok; kind++)
            if (texts[i][kind] != NULL)
                ok = sql_prepare(db->sql, &db->statements[i][kind], texts[i][kind]);
    arena_free(arena);
    return ok;
}

/* It can be read: what it says of those who wrote it before, rows and two moments, is taken up. */
static bool take_up(struct store_db *db)
{
    int64_t written;

    if (!meta_get(db, "last_written", &written) || !meta_get(db, "clock", &db->clock))
        return false;
    if (db->news.openings == 0)
        db->last_written = written;
    if (db->clock <= 0 || db->clock > RECORD_TIME_MAX) /* it cannot be */
        db->clock = clock_wall_ms();
    db->opened_at = clock_monotonic_ms();
    memset(db->swept, 0, sizeof db->swept);
    for (int kind = 0; kind < RECORD_KINDS; kind++)
        if (!sql_execute_number(db->statements[STATEMENT_COUNT][kind], &db->rows[kind]))
            return false;
    memcpy(db->news.rows, db->rows, sizeof db->rows);
    db->news.openings++;
    db->news.degraded = false;
    if (db->readonly)
        degrade(db, "it can be read, but not be written", changes[SQL_READONLY]);
    return true;
}

/* A database of today's version. False with *why when the file is to be set aside. */
static bool open_file(struct store_db *db, const char **why)
{
    int64_t version = 0;

    if (!sql_open(&db->sql, db->options->path,
                  db->file_readonly && !db->beside ? SQL_IMMUTABLE : SQL_WRITE) ||
        !sql_run(db->sql, "PRAGMA cache_size = -1024; PRAGMA temp_store = memory;"
                          "PRAGMA cell_size_check = on") ||
        !identify(db->sql, &version, why))
        return false;
    db->readonly = db->file_readonly || sql_is_readonly(db->sql);
    if (!db->readonly && !sql_run(db->sql, "PRAGMA journal_mode = wal; PRAGMA synchronous = normal;"
                                           "PRAGMA journal_size_limit = 8388608"))
        return false;
    return migrate(db->sql, (int)version) && prepare(db) && take_up(db);
}

/* One attempt; why[0] when the file is to be set aside. */
static bool attempt(struct store_db *db, char why[STORE_ERROR_MAX])
{
    const char *distrust = NULL;
    int error = check_file(db, &distrust);
    bool ok;

    why[0] = '\0';
    if (error != 0) {
        degrade(db, strerror(error),
                "make its folder, writable for the daemon's user, and room in it");
        return false;
    }
    ok = distrust == NULL && open_file(db, &distrust);
    if (!ok && distrust == NULL && sql_failure(db->sql) == SQL_READONLY && !db->file_readonly) {
        store_db_close(db); /* its folder alone cannot be written: then for reading */
        db->file_readonly = true;
        ok = open_file(db, &distrust);
    }
    if (ok)
        return true;
    if (distrust == NULL &&
        (sql_failure(db->sql) == SQL_CORRUPT || sql_failure(db->sql) == SQL_STATEMENT))
        distrust = sql_error(db->sql);
    if (distrust != NULL)
        snprintf(why, STORE_ERROR_MAX, "%s", distrust);
    else
        degrade(db, sql_error(db->sql), changes[sql_failure(db->sql)]);
    store_db_close(db);
    return false;
}

bool store_db_open(struct store_db *db)
{
    char why[STORE_ERROR_MAX];

    if (db->sql != NULL || attempt(db, why))
        return true;
    return why[0] != '\0' && set_aside(db, why) && attempt(db, why);
}
