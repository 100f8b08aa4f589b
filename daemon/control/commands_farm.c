/* commands_farm: the other relays of a farm; see command.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control/command.h"

static json_t *relay_json(const struct share_relay *relay, int64_t now, int64_t last_news,
                          const char *own)
{
    char rules[17] = "", settings[9];
    bool behind = relay->news_at < last_news;

    snprintf(settings, sizeof settings, "%08" PRIx32, relay->settings);
    if (relay->rules != 0)
        snprintf(rules, sizeof rules, "%016" PRIx64, relay->rules);
    return json_pack(
        "{s:s,s:b,s:s,s:s?,s:s,s:s,s:i,s:I,s:I}", "relay", relay->name, "self",
        strcmp(relay->name, own) == 0, "version", relay->version, "rules",
        rules[0] == '\0' ? NULL : rules, "settings", settings, "mode",
        relay->monitor ? "monitor" : "enforce", "rollout", (int)relay->rollout, "silent_s",
        (json_int_t)(relay->at < now ? (now - relay->at) / 1000 : 0), "behind_s",
        (json_int_t)(behind && relay->at > last_news ? (relay->at - last_news) / 1000 : 0));
}

static void on_listed(struct share_roster *roster, const struct share_relay *relays, size_t count,
                      int64_t now, int64_t last_news)
{
    struct command *command = roster->context;
    const char *own = command->means.engine->config->share_name;
    json_t *list = json_array();

    if (count == 0) {
        json_decref(list);
        command_refuse(command, relays == NULL
                                    ? "the share does not answer"
                                    : "the share has lost what it had: no relay is listed yet");
        return;
    }
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, relay_json(&relays[i], now, last_news, own));
    command_finish(command, json_pack("{s:o}", "relays", list));
}

/* NULL after a refusal. */
static struct share *share_of(struct command *command)
{
    struct share *share = command->means.engine->cache->share;

    if (share == NULL)
        command_refuse(command, "this relay shares nothing: mxcryptd.conf has no share");
    return share;
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
}
