/* rollover_state: see rollover_state.h. */
#include "check/rollover/rollover_state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/page/page_write.h"

#define VERSION          1
#define LOCK_TRIES_PER_S 5
#define TIME_MAX         253402300799 /* the end of the year 9999 */

/* ---- reading ---- */

static bool fail(char why[ROLLOVER_WHY_MAX], const char *words)
{
    snprintf(why, ROLLOVER_WHY_MAX, "%s", words);
    return false;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_der(struct tls_der *out, struct arena *arena, const json_t *json)
{
    const char *text = json_string_value(json);
    size_t length = text == NULL ? 0 : json_string_length(json);
    uint8_t *data = length == 0 || length % 2 != 0 ? NULL : arena_alloc(arena, length / 2);

    for (size_t i = 0; data != NULL && i < length / 2; i++) {
        int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        data[i] = (uint8_t)(high << 4 | low);
    }
    *out = (struct tls_der){data, length / 2};
    return data != NULL;
}

static bool read_chain(struct rollover_chain *out, struct arena *arena, const json_t *json)
{
    struct tls_shown shown = {.count = json_array_size(json)};

    if (!json_is_array(json) || shown.count > TLS_SHOWN_MAX)
        return false;
    for (size_t i = 0; i < shown.count; i++)
        if (!read_der(&shown.certificates[i], arena, json_array_get(json, i)))
            return false;
    return rollover_chain_make(out, arena, &shown);
}

static bool read_hosts(struct rollover *out, const json_t *json)
{
    out->host_count = json_array_size(json);
    if (!json_is_array(json) || out->host_count == 0 || out->host_count > ROLLOVER_HOSTS_MAX)
        return false;
    for (size_t i = 0; i < out->host_count; i++) {
        const char *name = json_string_value(json_array_get(json, i));

        if (name == NULL || strlen(name) > HOSTNAME_MAX || !hostname_canonical(name))
            return false;
        strcpy(out->hosts[i], name);
    }
    return true;
}

static bool read_without(struct rollover *out, const json_t *json)
{
    size_t count = json_array_size(json);

    if (!json_is_array(json) || count > ROLLOVER_WITHOUT_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(json, i));

        if (name == NULL || !rollover_pass_over(out, name) || out->without_count != i + 1 ||
            strcmp(out->without[i], name) != 0)
            return false;
    }
    return true;
}

static bool read_unseen(struct rollover *out, const json_t *json)
{
    size_t count = json_array_size(json);

    if (json == NULL) /* older states lack it */
        return true;
    if (!json_is_array(json) || count > ROLLOVER_WITHOUT_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *address = json_string_value(json_array_get(json, i));

        if (address == NULL || !rollover_pass_over_address(out, address) ||
            out->unseen_count != i + 1 || strcmp(out->unseen[i], address) != 0)
            return false;
    }
    return true;
}

static bool read_state(struct rollover *out, const char *name)
{
    for (size_t i = 0; i < ROLLOVER_STATE_COUNT; i++)
        if (strcmp(name, rollover_state_name((enum rollover_state)i)) == 0) {
            out->state = (enum rollover_state)i;
            return true;
        }
    return false;
}

static bool read_numbers(struct rollover *out, json_int_t port, json_int_t ttl)
{
    if (port < 1 || port > UINT16_MAX || ttl < 0 || ttl > ROLLOVER_TTL_MAX || out->since < 0 ||
        out->since > TIME_MAX || out->published_at < 0 || out->published_at > TIME_MAX ||
        out->stepped_at < 0 || out->stepped_at > TIME_MAX || out->went_back_at < 0 ||
        out->went_back_at > TIME_MAX)
        return false;
    /* caches are waited for from then on */
    if (out->published_at == 0 && out->state != ROLLOVER_STAGED)
        return false;
    out->port = (uint16_t)port;
    out->ttl = (uint32_t)ttl;
    return true;
}

static bool read_root(struct rollover *out, struct arena *arena, json_t *root,
                      char why[ROLLOVER_WHY_MAX])
{
    json_int_t version, port, ttl, since, published_at, went_back_at = 0, stepped_at = 0;
    json_t *hosts, *next, *current, *without, *unseen = NULL;
    const char *state;
    json_error_t error;
    int released, installed, differs = 1; /* older states lack this */

    if (json_is_integer(json_object_get(root, "version")) &&
        json_integer_value(json_object_get(root, "version")) != VERSION)
        return fail(why, "it is of another version");
    if (json_unpack_ex(
            root, &error, JSON_STRICT,
            "{s:I, s:s, s:o, s:I, s:o, s:o, s:b, s:b, s?b, s:o, s?o, s:I, s:I, s?I, s?I, s:I}",
            "version", &version, "state", &state, "hosts", &hosts, "port", &port, "next", &next,
            "current", &current, "released", &released, "installed", &installed, "differs",
            &differs, "without", &without, "without_addresses", &unseen, "since", &since,
            "published_at", &published_at, "went_back_at", &went_back_at, "stepped_at", &stepped_at,
            "ttl", &ttl) != 0)
        return fail(why, "it is no state of a rollover");
    out->released = released;
    out->installed = installed;
    out->differs = differs;
    out->since = since;
    out->published_at = published_at;
    out->went_back_at = went_back_at;
    out->stepped_at = stepped_at != 0 ? stepped_at : since;
    if (!read_state(out, state) || !read_numbers(out, port, ttl))
        return fail(why, "a number or the state is not valid");
    if (!read_hosts(out, hosts))
        return fail(why, "the hosts are not valid");
    if (!read_without(out, without))
        return fail(why, "the servers to pass over are not valid");
    if (!read_unseen(out, unseen))
        return fail(why, "the addresses to pass over are not valid");
    if (!read_chain(&out->next, arena, next) || out->next.shown.count == 0 ||
        !read_chain(&out->current, arena, current))
        return fail(why, "a certificate is not valid");
    return true;
}

bool rollover_state_parse(struct rollover *out, struct arena *arena, const char *text,
                          size_t length, char why[ROLLOVER_WHY_MAX])
{
    json_t *root =
        length > ROLLOVER_STATE_MAX ? NULL : json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    bool ok;

    memset(out, 0, sizeof *out);
    ok = root != NULL ? read_root(out, arena, root, why) : fail(why, "it is not JSON");
    json_decref(root);
    return ok;
}

/* A state decides what is installed: it must be ours, or root's, alone. 1; 0 without a file. */
static int may_be_read(const char *path, char why[ROLLOVER_WHY_MAX])
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : (fail(why, strerror(errno)), -1);
    if (!S_ISREG(st.st_mode))
        fail(why, S_ISLNK(st.st_mode) ? "it is a symbolic link" : "it is no plain file");
    else if (st.st_uid != geteuid() && st.st_uid != 0)
        fail(why, "it belongs to another user");
    else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        fail(why, "others may write to it");
    else
        return 1;
    return -1;
}

int rollover_state_read(struct rollover *out, struct arena *arena, const char *path,
                        char why[ROLLOVER_WHY_MAX])
{
    int result = may_be_read(path, why);
    struct buf text;

    memset(out, 0, sizeof *out);
    if (result != 1)
        return result;
    result = -1;
    buf_init(&text, ROLLOVER_STATE_MAX);
    if (file_read(&text, path) == 0)
        result = rollover_state_parse(out, arena, buf_text(&text), text.length, why) ? 1 : -1;
    else if (errno == ENOENT)
        result = 0;
    else
        fail(why, strerror(errno));
    buf_fini(&text);
    return result;
}

/* ---- writing ---- */

static json_t *chain_json(const struct rollover_chain *chain)
{
    json_t *list = json_array();

    for (size_t i = 0; i < chain->shown.count; i++) {
        const struct tls_der *der = &chain->shown.certificates[i];
        char *hex = malloc(2 * der->length + 1);

        if (hex == NULL || json_array_append_new(
                               list, json_string(escape_hex(hex, der->data, der->length))) != 0) {
            free(hex);
            json_decref(list);
            return NULL;
        }
        free(hex);
    }
    return list;
}

void rollover_state_text(struct buf *out, const struct rollover *rollover)
{
    json_t *hosts = json_array(), *without = json_array(), *unseen = json_array(), *root;
    char *text;

    for (size_t i = 0; i < rollover->host_count; i++)
        json_array_append_new(hosts, json_string(rollover->hosts[i]));
    for (size_t i = 0; i < rollover->without_count; i++)
        json_array_append_new(without, json_string(rollover->without[i]));
    for (size_t i = 0; i < rollover->unseen_count; i++)
        json_array_append_new(unseen, json_string(rollover->unseen[i]));
    root = json_pack(
        "{s:i, s:s, s:o, s:i, s:o, s:o, s:b, s:b, s:b, s:o, s:o, s:I, s:I, s:I, s:I, s:I}",
        "version", VERSION, "state", rollover_state_name(rollover->state), "hosts", hosts, "port",
        (int)rollover->port, "next", chain_json(&rollover->next), "current",
        chain_json(&rollover->current), "released", (int)rollover->released, "installed",
        (int)rollover->installed, "differs", (int)rollover->differs, "without", without,
        "without_addresses", unseen, "since", (json_int_t)rollover->since, "published_at",
        (json_int_t)rollover->published_at, "went_back_at", (json_int_t)rollover->went_back_at,
        "stepped_at", (json_int_t)rollover->stepped_at, "ttl", (json_int_t)rollover->ttl);
    text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    out->failed |= text == NULL;
    if (text != NULL)
        buf_addf(out, "%s\n", text);
    free(text);
    json_decref(root);
}

bool rollover_state_write(const struct rollover *rollover, const char *path,
                          char why[ROLLOVER_WHY_MAX])
{
    struct buf text;
    bool ok;

    buf_init(&text, ROLLOVER_STATE_MAX);
    rollover_state_text(&text, rollover);
    if (text.failed)
        ok = fail(why, "the certificates are too large for it, or there is no memory");
    else
        ok = page_replace_text(path, &text) == 0 || fail(why, strerror(errno));
    buf_fini(&text);
    return ok;
}

/* ---- one at a time ---- */

/* 0, or an errno. */
static int lock_within(int fd, unsigned wait_s)
{
    static const struct timespec pause = {0, 1000000000 / LOCK_TRIES_PER_S};

    for (uint64_t tries = (uint64_t)wait_s * LOCK_TRIES_PER_S;; tries--) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK || tries == 0)
            return errno;
        nanosleep(&pause, NULL);
    }
}

int rollover_state_lock(const char *path, unsigned wait_s, char why[ROLLOVER_WHY_MAX])
{
    char name[PATH_MAX];
    int fd, error;

    if (snprintf(name, sizeof name, "%s.lock", path) >= (int)sizeof name) {
        fail(why, strerror(ENAMETOOLONG));
        return -1;
    }
    fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        fail(why, strerror(errno));
        return -1;
    }
    error = lock_within(fd, wait_s);
    if (error == 0)
        return fd;
    fail(why, error == EWOULDBLOCK ? "another mxcrypt rollover is at work" : strerror(error));
    close(fd);
    return -1;
}
