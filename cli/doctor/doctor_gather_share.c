/* doctor_gather_share: what is known of the share: its files, and what the running daemon says of the
 * server and of the other relays; see doctor_gather.h. The command has no connection to the server. */
#include "cli/doctor/doctor_gather.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/valkey/valkey_tls.h"

#define TEXT_MAX 4096 /* octets of a list of commands */

/* ---- files ---- */

/* A file that cannot be looked at is noted by config_read_share. */
static void add_secret(struct doctor_share *share, const char *key, const char *path)
{
    struct doctor_secret *secret = &share->secrets[share->secret_count];
    struct stat status;

    if (path == NULL || stat(path, &status) != 0)
        return;
    *secret =
        (struct doctor_secret){path, key, (status.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0};
    share->secret_count++;
}

static void gather_files(struct doctor_facts *facts)
{
    struct config config = *facts->config; /* takes the secrets up, and is dropped */
    struct doctor_share *share = &facts->share;
    char error[CONFIG_ERROR_MAX];
    const char *const files[] = {config.share_password_file, config.share_key_file,
                                 config.share_cert_key};

    for (size_t i = 0; i < 3; i++)
        if (files[i] != NULL && access(files[i], R_OK) != 0 && errno == EACCES)
            share->secrets_forbidden = true;
    if (!share->secrets_forbidden && config_read_share(&config, error) != 0)
        share->secrets_error = arena_strdup(facts->arena, error);
    valkey_tls_free(config.share_tls);
    add_secret(share, "share-password-file", config.share_password_file);
    add_secret(share, "share-key-file", config.share_key_file);
    add_secret(share, "share-cert-key", config.share_cert_key);
    if (config.share->password[0] != '\0' && config.share_password_file == NULL)
        add_secret(share, NULL, facts->config_path);
}

/* ---- the daemon's answer ---- */

/* A string of the arena; "" where there is none. */
static const char *text_of(struct arena *arena, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    const char *copy = arena_strdup(arena, text == NULL ? "" : text);

    return copy == NULL ? "" : copy;
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static const char *joined(struct arena *arena, const json_t *list)
{
    const char *copy;
    json_t *one;
    struct buf out;
    size_t i;

    buf_init(&out, TEXT_MAX);
    json_array_foreach(list, i, one)
    {
        const char *text = json_string_value(one);

        if (text != NULL)
            buf_addf(&out, "%s%s", out.length == 0 ? "" : ", ", text);
    }
    copy = arena_strdup(arena, buf_text(&out));
    buf_fini(&out);
    return copy == NULL ? "" : copy;
}

static void take_share(struct doctor_facts *facts, const json_t *json)
{
    const json_t *memory = json_object_get(json, "memory"), *lacks = json_object_get(json, "lacks");
    struct doctor_share *share = &facts->share;
    struct arena *arena = facts->arena;

    share->server = text_of(arena, json, "server");
    share->user = text_of(arena, json, "user");
    share->ready = json_is_true(json_object_get(json, "ready"));
    share->for_s = number_of(json, "for_s");
    share->error = text_of(arena, json, "error");
    share->news_error = text_of(arena, json, "news_error");
    share->skew_ms = number_of(json, "skew_ms");
    share->memory_error = text_of(arena, json, "memory_error");
    share->rights_error = text_of(arena, json, "rights_error");
    share->rights_known = json_is_array(lacks);
    share->lacks = joined(arena, lacks);
    share->exceeds = joined(arena, json_object_get(json, "exceeds"));
    if (!json_is_object(memory))
        return;
    share->policy = text_of(arena, memory, "policy");
    share->used_octets = number_of(memory, "used");
    share->max_octets = number_of(memory, "max");
}

static void take_relays(struct doctor_facts *facts, const json_t *list)
{
    struct doctor_share *share = &facts->share;
    struct arena *arena = facts->arena;
    size_t count = json_array_size(list);

    if (count > DOCTOR_RELAYS_MAX)
        count = DOCTOR_RELAYS_MAX;
    share->relays = arena_alloc(arena, (count + 1) * sizeof *share->relays);
    for (size_t i = 0; i < count && share->relays != NULL; i++) {
        const json_t *json = json_array_get(list, i);

        share->relays[i] =
            (struct doctor_relay){.name = text_of(arena, json, "relay"),
                                  .version = text_of(arena, json, "version"),
                                  .rules = text_of(arena, json, "rules"),
                                  .settings = text_of(arena, json, "settings"),
                                  .mode = text_of(arena, json, "mode"),
                                  .rollout = number_of(json, "rollout"),
                                  .silent_s = number_of(json, "silent_s"),
                                  .behind_s = number_of(json, "behind_s"),
                                  .skew_ms = number_of(json, "skew_ms"),
                                  .self = json_is_true(json_object_get(json, "self"))};
        share->relay_count++;
    }
}

void doctor_gather_share(struct doctor_facts *facts)
{
    struct doctor_share *share = &facts->share;
    struct doctor_try try;
    json_t *answer, *json;

    if (facts->config->share == NULL)
        return;
    gather_files(facts);
    answer = doctor_ask(&try, facts, "farm", NULL);
    if (json_object_get(answer, "error") != NULL) { /* as while the server is away */
        json_decref(answer);
        answer = doctor_ask(&try, facts, "share", NULL);
    }
    json = json_object_get(answer, "share");
    if (json_is_object(json)) {
        take_share(facts, json);
        take_relays(facts, json_object_get(answer, "relays"));
    } else {
        share->unshared = facts->daemon.state == DOCTOR_GOOD && try.state == DOCTOR_GOOD;
        share->unknown =
            arena_printf(facts->arena, "mxcryptd says nothing of its share: %s",
                         try.state == DOCTOR_GOOD ? text_of(facts->arena, answer, "error")
                                                  : "it could not be asked");
    }
    json_decref(answer);
}
