/*
 * lists_fixture: policy lists in a folder, signed with keys of the test's own making, and the set of
 * lists that reads them. The wall clock is the test's: tests/CMakeLists.txt wraps clock_wall_s and
 * clock_wall_ms.
 */
#pragma once

#include "tests/unit/support/unit.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/sign/minisign.h"
#include "daemon/lists/lists_status.h"
#include "policy/list/policy_list_time.h"
#include "tests/unit/support/virtual_clock.h"

#define HOUR_S INT64_C(3600)
#define DAY_S  (24 * HOUR_S)
#define ONE    "\"a.example\": {\"mode\": \"enforce\", \"mxs\": [\"mx.a.example\"]}"

/* ---- the wall clock ---- */

static int64_t clock_shift_s;
int64_t __real_clock_wall_s(void);
int64_t __real_clock_wall_ms(void);
int64_t __wrap_clock_wall_s(void);
int64_t __wrap_clock_wall_ms(void);

int64_t __wrap_clock_wall_s(void)
{
    return __real_clock_wall_s() + clock_shift_s;
}

int64_t __wrap_clock_wall_ms(void)
{
    return __real_clock_wall_ms() + clock_shift_s * 1000;
}

/* ---- the folder ---- */

static char folder[64];

static inline const char *in_folder(const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % COUNT(paths)];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline int make_folder(void **state)
{
    (void)state;
    clock_shift_s = 0;
    snprintf(folder, sizeof folder, "/tmp/mxc-lists-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    return mkdir(in_folder("state"), 0700);
}

static inline void empty_folder(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[1024];

        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(name);
    }
    if (directory != NULL)
        closedir(directory);
}

static inline int drop_folder(void **state)
{
    (void)state;
    empty_folder(in_folder("state"));
    rmdir(in_folder("state"));
    empty_folder(folder);
    return rmdir(folder);
}

static inline void put(const char *name, const void *data, size_t length)
{
    FILE *file = fopen(in_folder(name), "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* The only file of the folder of the store that ends so; NULL: there is none. */
static inline const char *kept_file(const char *end)
{
    static char path[512];
    DIR *directory = opendir(in_folder("state"));
    const struct dirent *entry;

    path[0] = '\0';
    while ((entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name);

        if (length > strlen(end) && strcmp(entry->d_name + length - strlen(end), end) == 0)
            snprintf(path, sizeof path, "%s/state/%.300s", folder, entry->d_name);
    }
    closedir(directory);
    return path[0] == '\0' ? NULL : path;
}

/* ---- keys and lists ---- */

/* The public key is NAME in the folder. */
static inline struct minisign_secret make_key(const char *name)
{
    struct minisign_secret secret;
    struct minisign_public public;
    struct buf text;

    assert_null(minisign_new(&secret));
    public = minisign_public_of(&secret);
    buf_init(&text, MINISIGN_TEXT_MAX);
    minisign_public_write(&text, &public);
    put(name, text.data, text.length);
    buf_fini(&text);
    return secret;
}

static inline void sign(const char *name, const struct minisign_secret *key)
{
    char signature_name[128];
    struct buf text, signature;

    buf_init(&text, 200u << 20);
    buf_init(&signature, MINISIGN_TEXT_MAX);
    assert_int_equal(file_read(&text, in_folder(name)), 0);
    assert_null(minisign_sign(&signature, key, buf_text(&text), text.length, "for tests"));
    snprintf(signature_name, sizeof signature_name, "%s.minisig", name);
    put(signature_name, signature.data, signature.length);
    buf_fini(&signature);
    buf_fini(&text);
}

struct times {
    int64_t from_s, until_s; /* from now */
};

static inline size_t list_text(char *out, size_t size, struct times times, const char *policies)
{
    char from[POLICY_LIST_TIME_SIZE], until[POLICY_LIST_TIME_SIZE];
    int64_t now_s = clock_wall_s();

    policy_list_time_text(from, now_s + times.from_s);
    policy_list_time_text(until, now_s + times.until_s);
    return (size_t)snprintf(out, size,
                            "{\"timestamp\": \"%s\", \"expires\": \"%s\", \"version\": \"0.1\",\n"
                            "\"policies\": {%s}, \"policy-aliases\": {\"ours\": {\"mode\": "
                            "\"testing\", \"mxs\": [\".ours.example\"]}}}\n",
                            from, until, policies);
}

/* A list of these policies, signed. */
static inline void put_list(const char *name, const struct minisign_secret *key, struct times times,
                            const char *policies)
{
    char text[4096];

    put(name, text, list_text(text, sizeof text, times, policies));
    sign(name, key);
}

/* ---- the set ---- */

static uv_loop_t loop;
static struct config config;
static struct lists *lists;
static unsigned changes;

static inline void on_changed(void *context)
{
    (void)context;
    changes++;
}

/* FOLDER in the settings is the folder; a second configuration is the caller's to end. */
static inline void configure(struct config *out, const char *settings)
{
    char text[8192], error[CONFIG_ERROR_MAX];
    size_t length = (size_t)snprintf(text, sizeof text, "store = %s/state/store.db\n", folder);

    for (const char *at = settings; *at != '\0' && length < sizeof text - 128;) {
        if (strncmp(at, "FOLDER", 6) == 0) {
            length += (size_t)snprintf(text + length, sizeof text - length, "%s", folder);
            at += 6;
        } else {
            text[length++] = *at++;
        }
    }
    if (config_parse(out, "conf", text, length, NULL, 0, error) != 0)
        fail_msg("%s", error);
}

static inline void start_with(const char *settings, const struct lists_tools *tools)
{
    alarm(120);
    configure(&config, settings);
    assert_int_equal(lists_new(&lists, &loop, &config, tools), 0);
    changes = 0;
    lists_watch(lists, on_changed, NULL);
}

static inline void start(const char *settings)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    start_with(settings, &(struct lists_tools){0});
}

static inline void stop(void)
{
    lists_close(lists);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    lists_free(lists);
    config_fini(&config);
}

static inline void reconfigure(const char *settings)
{
    struct config other;

    configure(&other, settings);
    lists_configure(lists, &other);
    config_fini(&other);
}

static inline struct lists_status status_of(size_t index)
{
    struct lists_status status = {0};

    assert_true(lists_status(&status, lists, index));
    return status;
}

static inline void must_say(const char *domain, enum list_mode mode)
{
    struct list_evidence found;

    assert_int_equal(lists_find(&found, lists, domain), mode != LIST_NONE);
    assert_int_equal(found.mode, mode);
}

static inline void must_be(size_t index, const char *state, const char *why)
{
    struct lists_status status = status_of(index);

    if (strcmp(status.state, state) != 0 || strstr(status.why, why) == NULL ||
        (*why == '\0' && *status.why != '\0'))
        fail_msg("list %zu is %s: '%s'; want %s: '%s'", index, status.state, status.why, state,
                 why);
}

/* Lets time pass on both clocks, and all that is due then happen. */
static inline void on_over(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static inline void pass(int64_t s)
{
    bool over = false;
    uv_timer_t timer;

    uv_timer_init(&loop, &timer);
    timer.data = &over;
    uv_update_time(&loop);
    uv_timer_start(&timer, on_over, (uint64_t)s * 1000, 0);
    while (!over)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* The wall clock is set; the lists see it within a minute. */
static inline void set_clock(int64_t shift_s)
{
    clock_shift_s += shift_s;
    pass(70);
}
