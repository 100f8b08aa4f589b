/* holds: the commands about holds and the history of verdicts: held, release, history. See
 * mxcrypt(1). */
#include <stdio.h>
#include <time.h>

#include "cli/cli.h"

#define TIME_MAX 32

/* Seconds since 1970 as local time. */
static const char *time_text(char out[TIME_MAX], const json_t *object, const char *name)
{
    time_t seconds = (time_t)json_integer_value(json_object_get(object, name));
    struct tm parts;

    if (localtime_r(&seconds, &parts) == NULL || strftime(out, TIME_MAX, "%F %T", &parts) == 0)
        snprintf(out, TIME_MAX, "?");
    return out;
}

static void print_hold(const json_t *hold)
{
    char since[TIME_MAX], until[TIME_MAX];

    printf("%-40s %-8s since %s until %s, sees %s\n", string_of(hold, "key"),
           string_of(hold, "level"), time_text(since, hold, "since"),
           time_text(until, hold, "until"), string_of(hold, "reason"));
}

int do_held(struct cli *cli, char **words)
{
    size_t count;
    int status = client_list(cli, "held", "held", print_hold, &count);

    (void)words;
    return status == CLI_OK && count == 0 ? CLI_NO : status;
}

static void print_released(const json_t *answer)
{
    puts(json_is_true(json_object_get(answer, "released")) ? "released" : "was not held");
}

int do_release(struct cli *cli, char **words)
{
    return client_show(cli, client_request("release", words[0]), print_released, "released");
}

static void print_event(const json_t *event)
{
    const char *was = string_of(event, "was");
    char at[TIME_MAX];

    printf("%s  %-9s -> %-9s  %s\n", time_text(at, event, "at"), *was == '\0' ? "(new)" : was,
           string_of(event, "now"), string_of(event, "reason"));
}

int do_history(struct cli *cli, char **words)
{
    int status;
    json_t *answer = client_ask(cli, client_request("history", words[0]), &status);
    const json_t *history = json_object_get(answer, "history"), *event;
    size_t i;

    if (answer == NULL)
        return status;
    if (cli->json)
        print_json(history);
    else
        json_array_foreach(history, i, event) print_event(event);
    status = json_array_size(history) > 0 ? CLI_OK : CLI_NO;
    json_decref(answer);
    return status;
}
