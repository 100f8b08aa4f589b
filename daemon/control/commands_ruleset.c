/* commands_ruleset: see commands.h. */
#include "base/log/log.h"
#include "daemon/control/commands.h"

/* ---- reload ---- */

static json_t *fixed_json(const struct reload_result *result)
{
    json_t *keys = json_array();

    for (size_t i = 0; i < result->fixed_count; i++)
        json_array_append_new(keys, json_string(result->fixed[i]));
    return keys;
}

static void on_reloaded(struct reload_waiter *waiter, const struct reload_result *result)
{
    struct command *command = LIST_ELEMENT(waiter, struct command, reload);

    if (result->error != NULL)
        command_refuse(command, result->error);
    else
        command_finish(command,
                       json_pack("{s:b, s:I, s:o}", "reloaded", 1, "rules",
                                 (json_int_t)result->rules, "needs_restart", fixed_json(result)));
}

void command_reload(struct command *command)
{
    if (command->reloader == NULL)
        command_refuse(command, "there is nothing to reload");
    else
        reload_start(command->reloader, &command->reload, on_reloaded);
}

/* ---- log level ---- */

void command_log_level(struct command *command)
{
    const char *wanted = command_text(command, "level");
    enum log_level level = log_level();

    if (wanted != NULL && !log_level_parse(&level, wanted)) {
        command_refuse(command, "must be error, warning, info or debug");
        return;
    }
    if (wanted != NULL) {
        log_event(LOG_LEVEL_INFO, "log-level", "was", log_level_name(log_level()), "now",
                  log_level_name(level), NULL);
        log_set_level(level);
    }
    command_finish(command, json_pack("{s:s}", "level", log_level_name(level)));
}
