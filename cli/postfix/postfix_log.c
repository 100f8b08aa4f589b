/* postfix_log: see postfix_log.h. It asks postconf(1) and journalctl(1), and reads folders. */
#define _XOPEN_SOURCE 700 /* strptime */
#include "cli/postfix/postfix_log.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define JOURNAL_LINE_MAX 65536
#define WORDS_MAX        12
#define DAY_S            86400 /* what is read before `since`: connections that were open then */

static int no_memory(char error[POSTFIX_ERROR_MAX])
{
    snprintf(error, POSTFIX_ERROR_MAX, "no memory");
    return -1;
}

/* ---- settings ---- */

static const char *value_of(const struct postfix *postfix, enum postfix_parameter parameter)
{
    return postfix->values[parameter] == NULL ? "" : postfix->values[parameter];
}

static int level_of(const char *text)
{
    return *text >= '0' && *text <= '9' ? atoi(text) : -1;
}

/* The lowest of all clients: where one logs no TLS, its mail is not known to be in clear. */
static int lowest_loglevel(const struct postfix *postfix)
{
    int lowest = level_of(value_of(postfix, POSTFIX_TLS_LOGLEVEL)), level;

    for (size_t i = 0; i < postfix->service_count; i++) {
        const struct postfix_service *service = &postfix->services[i];

        if (strcmp(service->program, "smtp") != 0 ||
            service->overrides[POSTFIX_TLS_LOGLEVEL] == NULL)
            continue;
        level = level_of(service->overrides[POSTFIX_TLS_LOGLEVEL]);
        if (level < lowest)
            lowest = level;
    }
    return lowest;
}

/* When the configuration was changed; 0 when that is not known. */
static int64_t changed_at(struct arena *arena, const char *directory)
{
    static const char *const names[] = {"main.cf", "master.cf"};
    int64_t latest = 0;
    struct stat st;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = arena_printf(arena, "%s/%s", directory, names[i]);

        if (path != NULL && stat(path, &st) == 0 && st.st_mtim.tv_sec > latest)
            latest = st.st_mtim.tv_sec;
    }
    return latest;
}

/* NULL without memory. */
static struct postfix *settings(struct postfix_log *out, struct arena *arena, const char *directory)
{
    struct postfix *postfix = arena_alloc(arena, sizeof *postfix);
    char error[POSTFIX_ERROR_MAX];

    *out = (struct postfix_log){.relayhost = "", .syslog_name = "", .tls_loglevel = -1};
    if (postfix == NULL)
        return NULL;
    if (postfix_load(postfix, arena, directory, error) != 0) {
        memset(postfix, 0, sizeof *postfix);
        out->fault = arena_strdup(arena, error);
        return out->fault == NULL ? NULL : postfix;
    }
    out->relayhost = value_of(postfix, POSTFIX_RELAYHOST);
    out->syslog_name = value_of(postfix, POSTFIX_SYSLOG_NAME);
    out->tls_loglevel = lowest_loglevel(postfix);
    out->changed_at = changed_at(arena, value_of(postfix, POSTFIX_CONFIG_DIRECTORY));
    out->tls_status = strcmp(value_of(postfix, POSTFIX_LOG_TLS_STATUS), "yes") == 0;
    out->tlsrpt = strcmp(value_of(postfix, POSTFIX_TLSRPT_ENABLE), "yes") == 0;
    return postfix;
}

int postfix_log_settings(struct postfix_log *out, struct arena *arena, const char *directory,
                         char error[POSTFIX_ERROR_MAX])
{
    return settings(out, arena, directory) == NULL ? no_memory(error) : 0;
}

/* ---- files ---- */

/* A search for one log and those that were put aside. */
struct files {
    struct arena *arena;
    const char *path;   /* of the log */
    const char *suffix; /* for strftime(3); "": none */
    int64_t since;
    bool anyway;                 /* the log itself is taken even if nothing is there */
    bool follow;                 /* it is, if anything is there: it will be soon */
    struct source_place *places; /* SOURCE_FILES_MAX */
    size_t count;                /* 0: not even the log is there */
    bool current;                /* the log itself is there */
};

/* The length of a name without what a program that compresses adds to it. */
static size_t without_packing(const char *name)
{
    static const char *const endings[] = {".gz", ".xz", ".zst", ".bz2"};
    size_t length = strlen(name), ending;

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        ending = strlen(endings[i]);
        if (length > ending && strcmp(name + length - ending, endings[i]) == 0)
            return length - ending;
    }
    return length;
}

/* What follows the name of a log: ".1", ".2.gz", "-20261127.xz", or as maillog_file_rotate_suffix
 * says it. */
static bool is_aside(const char *rest, const char *suffix)
{
    size_t length = without_packing(rest);
    char text[256], *end;
    struct tm ignored;

    if ((rest[0] != '.' && rest[0] != '-') || length < 2 || length >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)length - 1, rest + 1);
    if (text[0] >= '0' && text[0] <= '9' && text[strspn(text, "0123456789-_.:T+")] == '\0')
        return true;
    end = rest[0] == '.' && *suffix != '\0' ? strptime(text, suffix, &ignored) : NULL;
    return end != NULL && *end == '\0';
}

static void add_file(struct files *files, const char *path)
{
    if (path != NULL && files->count < SOURCE_FILES_MAX)
        files->places[files->count++] = (struct source_place){.path = path};
}

/* Those beside the log. One that was last written before `since` is left out. */
static void add_aside(struct files *files, const char *folder, const char *base)
{
    size_t length = strlen(base);
    DIR *dir = opendir(folder);
    struct dirent *entry;
    struct stat st;
    char *path;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, base, length) != 0 ||
            !is_aside(entry->d_name + length, files->suffix))
            continue;
        path = arena_printf(files->arena, "%s/%s", folder, entry->d_name);
        if (path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
            (files->since == 0 || st.st_mtime >= files->since - DAY_S))
            add_file(files, path);
    }
    if (dir != NULL)
        closedir(dir);
}

static void find_files(struct files *files)
{
    const char *slash = strrchr(files->path, '/');
    char *folder = arena_strndup(files->arena, files->path, (size_t)(slash - files->path));
    struct stat st;

    files->places = arena_array(files->arena, SOURCE_FILES_MAX, sizeof *files->places);
    if (folder == NULL || files->places == NULL)
        return;
    files->current = stat(files->path, &st) == 0;
    if (files->current)
        add_file(files, files->path);
    add_aside(files, *folder == '\0' ? "/" : folder, slash + 1);
}

/* False when nothing was found. */
static bool take_files(struct postfix_log *out, struct files *files)
{
    size_t older;

    find_files(files);
    older = files->count - files->current;
    if (!files->current && (files->anyway || (files->follow && files->count > 0)))
        add_file(files, files->path);
    if (files->count == 0)
        return false;
    out->places = files->places;
    out->count = files->count;
    if (older == 0)
        out->description = files->path;
    else
        out->description = arena_printf(files->arena, "%s and %zu older file%s", files->path, older,
                                        older == 1 ? "" : "s");
    return true;
}

/* ---- the journal ---- */

/* One line of the facility "mail" (2, RFC 5424 §6.2.1) shows that the journal has them. */
static bool journal_has_mail(void)
{
    static const char *const words[] = {"journalctl", "-q",  "--no-pager",        "-n", "1",
                                        "-o",         "cat", "SYSLOG_FACILITY=2", NULL};
    char error[POSTFIX_ERROR_MAX];
    struct buf out;
    bool any;

    buf_init(&out, JOURNAL_LINE_MAX);
    any = postfix_program(words, POSTFIX_DEADLINE_MS, &out, error) == 0 && out.length > 0;
    buf_fini(&out);
    return any;
}

static void take_journal(struct postfix_log *out, struct arena *arena,
                         const struct postfix_log_options *options)
{
    const char **words = arena_array(arena, WORDS_MAX, sizeof *words);
    size_t count = 0;

    out->places = arena_alloc(arena, sizeof *out->places);
    if (words == NULL || out->places == NULL)
        return;
    words[count++] = "journalctl";
    words[count++] = "-q";
    words[count++] = "--no-pager";
    words[count++] = "--all"; /* else a line with one strange octet is "blob data" */
    words[count++] = "--output=short-iso";
    words[count++] = "SYSLOG_FACILITY=2";
    if (options->since != 0)
        words[count++] = arena_printf(arena, "--since=@%lld", (long long)options->since - DAY_S);
    if (options->until != 0)
        words[count++] = arena_printf(arena, "--until=@%lld", (long long)options->until);
    if (options->follow) {
        words[count++] = "--follow";
        words[count++] = "--no-tail";
    }
    out->places[0] = (struct source_place){.words = words};
    out->count = 1;
    out->description = "the journal";
}

/* ---- all of it ---- */

static bool find_places(struct postfix_log *out, struct arena *arena, const struct postfix *postfix,
                        const struct postfix_log_options *options)
{
    static const char *const names[] = {"mail.log", "maillog"};
    const char *own = value_of(postfix, POSTFIX_MAILLOG_FILE);
    const char *folder = options->folder == NULL ? "/var/log" : options->folder;
    struct files files = {.arena = arena, .since = options->since, .follow = options->follow};

    if (own[0] == '/' && strncmp(own, "/dev/", 5) != 0) {
        files.path = own;
        files.suffix = value_of(postfix, POSTFIX_MAILLOG_SUFFIX);
        files.anyway = true;
        return take_files(out, &files);
    }
    if (journal_has_mail()) {
        take_journal(out, arena, options);
        return true;
    }
    files.suffix = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        files.path = arena_printf(arena, "%s/%s", folder, names[i]);
        if (files.path != NULL && take_files(out, &files))
            return true;
    }
    return false;
}

int postfix_log_find(struct postfix_log *out, struct arena *arena,
                     const struct postfix_log_options *options, char error[POSTFIX_ERROR_MAX])
{
    const struct postfix *postfix = settings(out, arena, options->directory);
    bool found = postfix != NULL && find_places(out, arena, postfix, options);

    if (arena_failed(arena))
        return no_memory(error);
    if (found)
        return 0;
    snprintf(error, POSTFIX_ERROR_MAX,
             "no mail log is found: maillog_file is %s, the journal has no mail, and neither "
             "mail.log nor maillog is in %s",
             out->fault == NULL ? "not set" : "not known",
             options->folder == NULL ? "/var/log" : options->folder);
    return -1;
}
