/* doctor_gather_lists: what is known of the policy lists: their keys, and what the running daemon says
 * of each; see doctor_gather.h. */
#include "cli/doctor/doctor_gather.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sign/signature.h"
#include "policy/list/policy_list_time.h"

static bool is_in_path(const char *program)
{
    const char *at = getenv("PATH");
    char name[PATH_MAX];

    for (size_t length; at != NULL && *at != '\0'; at += length + (at[length] == ':')) {
        length = strcspn(at, ":");
        if (snprintf(name, sizeof name, "%.*s/%s", (int)length, at, program) < PATH_MAX &&
            access(name, X_OK) == 0)
            return true;
    }
    return false;
}

/* ---- keys ---- */

static void gather_key(struct doctor_facts *facts, struct doctor_list *list,
                       const struct config_list *line)
{
    char why[OPENPGP_WHY_MAX];
    enum signature_kind kind;

    list->source = line->source;
    list->key_path = line->key_path;
    list->openpgp = line->fingerprint != NULL;
    if (access(line->key_path, R_OK) != 0 && errno == EACCES)
        list->key_forbidden = true;
    else if (!signature_kind_of(&kind, line->key_path, why))
        list->key_error = arena_strdup(facts->arena, why);
    else if ((kind == SIGNATURE_OPENPGP) != list->openpgp)
        list->key_error =
            arena_printf(facts->arena,
                         kind == SIGNATURE_OPENPGP
                             ? "%s is an OpenPGP key: fingerprint= of its primary key is missing"
                             : "%s is a minisign key: fingerprint= is for OpenPGP keys",
                         line->key_path);
}

/* ---- the daemon's answer ---- */

/* A string of the arena; "" where there is none. */
static const char *text_in(struct arena *arena, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    const char *copy = arena_strdup(arena, text == NULL ? "" : text);

    return copy == NULL ? "" : copy;
}

static void take_list(struct arena *arena, struct doctor_list *list, const json_t *json)
{
    list->state = text_in(arena, json, "state");
    list->why = text_in(arena, json, "why");
    list->not_kept = text_in(arena, json, "not_kept");
    list->stale = json_is_true(json_object_get(json, "stale"));
    if (!policy_list_time_parse(&list->expires_s, text_in(arena, json, "expires")))
        list->expires_s = 0;
}

static void take_lists(struct doctor_facts *facts, const json_t *lists)
{
    const json_t *json;
    size_t at;

    for (size_t i = 0; i < facts->lists.count; i++)
        json_array_foreach(lists, at, json)
        {
            const char *name = json_string_value(json_object_get(json, "list"));

            if (name != NULL && strcmp(name, facts->lists.lists[i].source) == 0)
                take_list(facts->arena, &facts->lists.lists[i], json);
        }
}

void doctor_gather_lists(struct doctor_facts *facts)
{
    const struct config *config = facts->config;
    struct doctor_lists *lists = &facts->lists;
    struct doctor_try try;
    const json_t *found;
    json_t *answer;

    if (config->list_count == 0)
        return;
    lists->lists = arena_array(facts->arena, config->list_count, sizeof *lists->lists);
    for (size_t i = 0; i < config->list_count && lists->lists != NULL; i++)
        gather_key(facts, &lists->lists[lists->count++], &config->lists[i]);
    lists->no_gpgv = !is_in_path("gpgv");
    answer = doctor_ask(&try, facts, "lists", NULL);
    found = json_object_get(answer, "lists");
    if (json_is_array(found))
        take_lists(facts, found);
    else
        lists->unknown =
            arena_printf(facts->arena, "mxcryptd says nothing of its policy lists: %s",
                         try.state == DOCTOR_GOOD ? text_in(facts->arena, answer, "error")
                                                  : "it could not be asked");
    json_decref(answer);
}
