/* commands_lists: the policy lists; see command.h. */
#include <string.h>

#include "base/escape.h"
#include "daemon/control/command.h"
#include "daemon/lists/lists_status.h"
#include "policy/list/policy_list_time.h"

/* Paths and what a file has need not be UTF-8. */
static json_t *text_json(const char *text)
{
    char escaped[LIST_WHY_MAX];
    json_t *json = json_string(text);

    return json != NULL ? json
                        : json_string(escape_bytes(escaped, sizeof escaped, text, strlen(text)));
}

/* null for "". */
static json_t *text_or_null(const char *text)
{
    return *text == '\0' ? json_null() : text_json(text);
}

/* null for 0. */
static json_t *time_json(int64_t time_s)
{
    char text[POLICY_LIST_TIME_SIZE];

    return time_s == 0 ? json_null() : json_string(policy_list_time_text(text, time_s));
}

/* Of the list in memory. */
static void add_list(json_t *out, const struct lists_status *status)
{
    const struct policy_list_header *header;

    if (status->list == NULL)
        return;
    header = policy_list_header(status->list);
    json_object_set_new(out, "timestamp", time_json(header->timestamp_s));
    json_object_set_new(out, "expires", time_json(header->expires_s));
    json_object_set_new(out, "domains", json_integer((json_int_t)header->domains));
    json_object_set_new(out, "enforce", json_integer((json_int_t)status->enforced));
    json_object_set_new(out, "testing",
                        json_integer((json_int_t)(header->domains - status->enforced)));
    if (header->author != NULL)
        json_object_set_new(out, "author", text_json(header->author));
}

static json_t *list_json(const struct lists_status *status)
{
    static const char *const as[] = {
        [LIST_AS_FILE] = "file", [LIST_AS_TESTING] = "testing", [LIST_AS_ENFORCE] = "enforce"};
    json_t *out =
        json_pack("{s:o, s:s, s:o, s:b, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "list",
                  text_json(status->source), "state", status->state, "why",
                  text_or_null(status->why), "stale", (int)status->stale, "fetched",
                  (int)status->fetched, "as", as[status->as], "signature",
                  status->key_known ? json_string(signature_kind_name(status->kind)) : json_null(),
                  "key", status->key_known ? text_json(status->key) : json_null(), "newest",
                  time_json(status->newest_s), "looked", time_json(status->looked_s), "good",
                  time_json(status->good_s), "next", time_json(status->next_s), "ready",
                  time_json(status->ready_s), "not_kept", text_or_null(status->kept_why));

    if (out != NULL)
        add_list(out, status);
    return out;
}

void command_lists(struct command *command)
{
    const struct lists *lists = command->means.engine->ruleset->lists;
    json_t *list = json_array();
    struct lists_status status;

    for (size_t i = 0; lists_status(&status, lists, i); i++)
        json_array_append_new(list, list_json(&status));
    command_finish(command, json_pack("{s:o}", "lists", list));
}
