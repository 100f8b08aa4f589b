/* commands_farm: the share, and the other relays of a farm; see command.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control/command.h"

/* ---- the share ---- */

/* A string; null for "". */
static json_t *text_or_null(const char *text)
{
    return *text == '\0' ? json_null() : json_string(text);
}

/* The rows of one kind that the server allows, or does not. */
static json_t *rights_json(const struct share_server *server, enum share_right_kind kind, bool may,
                           const char *prefix)
{
    json_t *list = json_array();
    const struct share_right *right;
    char text[SHARE_RIGHT_TEXT_MAX];

    for (size_t i = 0; (right = share_right_at(i)) != NULL; i++)
        if (right->kind == kind && server->may[i] == may &&
            share_right_text(text, right, prefix, true))
            json_array_append_new(list, json_string(text));
    return list;
}

static json_t *memory_json(const struct share_info *info)
{
    return json_pack("{s:I,s:I,s:s,s:I,s:b}", "used", (json_int_t)info->used_octets, "max",
                     (json_int_t)info->max_octets, "policy", info->policy, "evicted",
                     (json_int_t)info->evicted, "appends", (int)info->appends);
}

static json_t *program_json(const struct share_info *info)
{
    return json_sprintf("%s %s", info->valkey ? "Valkey" : "Redis", info->version);
}

static void add_server(json_t *out, const struct share_server *server, const char *prefix)
{
    bool info = server->info_known, rights = server->rights_known;

    json_object_set_new(out, "program", info ? program_json(&server->info) : json_null());
    json_object_set_new(out, "memory", info ? memory_json(&server->info) : json_null());
    json_object_set_new(out, "memory_error", text_or_null(server->info_why));
    json_object_set_new(out, "lacks",
                        rights ? rights_json(server, SHARE_RIGHT_NEEDED, false, prefix)
                               : json_null());
    json_object_set_new(out, "exceeds",
                        rights ? rights_json(server, SHARE_RIGHT_EXCESS, true, prefix)
                               : json_null());
    json_object_set_new(out, "rights_error", text_or_null(server->rights_why));
}

static json_t *share_json(const struct command *command, const struct share *share,
                          const struct share_server *server)
{
    const struct config *config = command->means.engine->config;
    const char *user = config->share->user;
    struct share_stats stats;
    json_t *out;

    share_get_stats(share, &stats);
    out = json_pack("{s:s,s:b,s:I,s:o,s:o,s:I,s:s}", "server", share_where(share), "ready",
                    (int)stats.ready, "for_s", (json_int_t)(stats.for_ms / 1000), "error",
                    text_or_null(stats.error), "news_error", text_or_null(stats.news_error),
                    "skew_ms", (json_int_t)stats.skew_ms, "user", *user == '\0' ? "default" : user);
    if (out != NULL)
        add_server(out, server, config->share_prefix);
    return out;
}

/* NULL after a refusal. */
static struct share *share_of(struct command *command)
{
    struct share *share = command->means.engine->cache->share;

    if (share == NULL)
        command_refuse(command, "this relay shares nothing: mxcryptd.conf has no share");
    return share;
}

static void on_checked(struct share_check *check, const struct share_server *server)
{
    struct command *command = check->context;
    json_t *answer = json_pack("{s:o}", "share",
                               share_json(command, command->means.engine->cache->share, server));

    if (command->relays != NULL)
        json_object_set(answer, "relays", command->relays);
    json_decref(command->relays);
    command->relays = NULL;
    command_finish(command, answer);
}

/* A server that cannot be asked says nothing. */
static void check_share(struct command *command, struct share *share)
{
    if (share_check(&command->check, share, on_checked, command) == 0)
        return;
    command->check = (struct share_check){.context = command};
    strcpy(command->check.server.info_why, "there is no connection");
    strcpy(command->check.server.rights_why, "there is no connection");
    on_checked(&command->check, &command->check.server);
}

void command_share(struct command *command)
{
    struct share *share = share_of(command);

    if (share != NULL)
        check_share(command, share);
}

/* ---- the relays ---- */

static json_t *relay_json(const struct share_relay *relay, int64_t now, int64_t last_news,
                          const char *own)
{
    bool behind = relay->news_at < last_news;
    json_t *rules = relay->rules == 0 ? json_null() : json_sprintf("%016" PRIx64, relay->rules);

    return json_pack(
        "{s:s,s:b,s:s,s:o,s:o,s:s,s:i,s:I,s:I,s:I}", "relay", relay->name, "self",
        strcmp(relay->name, own) == 0, "version", relay->version, "rules", rules, "settings",
        json_sprintf("%08" PRIx32, relay->settings), "mode", relay->monitor ? "monitor" : "enforce",
        "rollout", (int)relay->rollout, "silent_s",
        (json_int_t)(relay->at < now ? (now - relay->at) / 1000 : 0), "behind_s",
        (json_int_t)(behind && relay->at > last_news ? (relay->at - last_news) / 1000 : 0),
        "skew_ms", (json_int_t)relay->skew_ms);
}

static void on_listed(struct share_roster *roster, const struct share_relay *relays, size_t count,
                      int64_t now, int64_t last_news)
{
    struct command *command = roster->context;
    const char *own = command->means.engine->config->share_name;

    if (count == 0) {
        command_refuse(command, relays == NULL
                                    ? "the share does not answer"
                                    : "the share has lost what it had: no relay is listed yet");
        return;
    }
    command->relays = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(command->relays, relay_json(&relays[i], now, last_news, own));
    check_share(command, command->means.engine->cache->share);
}

void command_farm(struct command *command)
{
    struct share *share = share_of(command);
    struct share_stats stats;
    char why[STORE_ERROR_MAX + 40];

    if (share == NULL || share_list(&command->roster, share, on_listed, command) == 0)
        return;
    share_get_stats(share, &stats);
    snprintf(why, sizeof why, "the share cannot be used: %s", stats.error);
    command_refuse(command, why);
}

void command_farm_reload(struct command *command)
{
    struct share *share = share_of(command);

    if (share == NULL)
        return;
    if (command->means.reloader != NULL)
        reload_start(command->means.reloader, NULL, NULL);
    command_finish(command,
                   json_pack("{s:b}", "told", (int)share_tell(share, SHARE_NEWS_RELOAD, "")));
}

void command_farm_cancel(struct command *command)
{
    if (command->roster.share != NULL)
        share_roster_cancel(&command->roster);
    if (command->check.share != NULL)
        share_check_cancel(&command->check);
    json_decref(command->relays);
    command->relays = NULL;
}
