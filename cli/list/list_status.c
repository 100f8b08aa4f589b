/* list_status: `mxcrypt list status`: the policy lists of the daemon. */
#include <string.h>

#include "base/escape.h"
#include "cli/list/list_command.h"

#define AUTHOR_SHOWN 400

static bool has(const json_t *list, const char *name)
{
    return json_is_string(json_object_get(list, name));
}

static void print_content(const json_t *list)
{
    char author[AUTHOR_SHOWN];

    printf("  from %s until %s\n", string_of(list, "timestamp"), string_of(list, "expires"));
    printf("  %lld domains, %lld of them to be enforced, %lld in testing; taken as %s\n",
           number_of(list, "domains"), number_of(list, "enforce"), number_of(list, "testing"),
           strcmp(string_of(list, "as"), "file") == 0 ? "the list says" : string_of(list, "as"));
    if (has(list, "author"))
        printf("  made by %s\n", escape_bytes(author, sizeof author, string_of(list, "author"),
                                              strlen(string_of(list, "author"))));
}

static void print_list(const json_t *list)
{
    printf("%s: %s%s\n", string_of(list, "list"), string_of(list, "state"),
           is_true(list, "stale") ? ", stale" : "");
    if (has(list, "why"))
        printf("  the source: %s\n", string_of(list, "why"));
    if (has(list, "timestamp"))
        print_content(list);
    if (has(list, "key"))
        printf("  signed with the %s key %s\n", string_of(list, "signature"),
               string_of(list, "key"));
    if (has(list, "ready"))
        printf("  a newer list waits until %s\n", string_of(list, "ready"));
    printf("  good at %s, looked at %s, %s again at %s\n",
           has(list, "good") ? string_of(list, "good") : "no time",
           has(list, "looked") ? string_of(list, "looked") : "no time",
           is_true(list, "fetched") ? "fetched" : "read", string_of(list, "next"));
    if (has(list, "not_kept"))
        printf("  not kept: %s\n", string_of(list, "not_kept"));
}

static void print_lists(const json_t *answer)
{
    const json_t *lists = json_object_get(answer, "lists"), *list;
    size_t i;

    if (json_array_size(lists) == 0)
        puts("there is no policy-list");
    json_array_foreach(lists, i, list)
    {
        print_list(list);
    }
}

static int exit_of_lists(const json_t *answer)
{
    const json_t *lists = json_object_get(answer, "lists"), *list;
    bool good = json_array_size(lists) > 0;
    size_t i;

    json_array_foreach(lists, i, list)
    {
        good &= strcmp(string_of(list, "state"), "in-force") == 0 && !has(list, "why") &&
                !has(list, "not_kept");
    }
    return good ? CLI_OK : CLI_NO;
}

int list_status(struct cli *cli)
{
    return client_show(cli, client_request("lists", NULL), print_lists, exit_of_lists);
}
