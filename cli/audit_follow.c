/* audit_follow: `mxcrypt audit --follow`: one line for each delivery that TLS makes fail, while the
 * log grows, with what the daemon says of the domain. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/escape.h"
#include "cli/audit.h"

#define WAIT_MS     1000
#define AGAIN_S     60 /* the same domain is not explained again before */
#define ESCAPED_MAX 600

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* Foreign octets, made printable. */
static const char *escaped(char out[ESCAPED_MAX], struct span text)
{
    return escape_bytes(out, ESCAPED_MAX, text.text, text.length);
}

static const char *time_of(char out[32], int64_t at)
{
    time_t seconds = (time_t)at;
    struct tm parts;

    if (localtime_r(&seconds, &parts) == NULL || strftime(out, 32, "%FT%T%z", &parts) == 0)
        snprintf(out, 32, "?");
    return out;
}

/* The daemon's words, when it can be reached and has not just said them; a new reference. */
static json_t *why_of(struct cli *cli, const char *domain)
{
    static char last[TALLY_NAME_MAX + 1];
    static int64_t asked_at;
    int64_t now = clock_wall_s();
    json_t *report, *why;
    int status;

    if (domain == NULL || (strcmp(domain, last) == 0 && now - asked_at < AGAIN_S) ||
        !client_reach(cli))
        return NULL;
    snprintf(last, sizeof last, "%s", domain);
    asked_at = now;
    report = client_ask(cli, client_request("explain", domain), &status);
    client_leave(cli); /* until the next one the daemon may be another, or this answer come late */
    why = json_incref(json_object_get(report, "why"));
    json_decref(report);
    return why;
}

static void tell_json(const struct track_event *event, const char *domain, json_t *why)
{
    char at[32], id[ESCAPED_MAX], recipient[ESCAPED_MAX], relay[ESCAPED_MAX];
    json_t *object =
        json_pack("{s:s, s:s?, s:s, s:s, s:s, s:s, s:s, s:s, s:O?}", "at", time_of(at, event->at),
                  "domain", domain, "status", tally_status_name(event->status), "cause",
                  tally_cause_name(event->cause), "text", event->text, "relay",
                  escaped(relay, event->relay), "queue_id", escaped(id, event->queue_id),
                  "recipient", escaped(recipient, event->recipient), "why", why);

    if (object != NULL)
        json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static void tell_text(const struct track_event *event, const char *domain, const json_t *why)
{
    char at[32], id[ESCAPED_MAX], recipient[ESCAPED_MAX], relay[ESCAPED_MAX];
    const json_t *sentence;
    size_t i;

    printf("%s %s %s: %s%s%s (relay=%s, %s, to=<%s>)\n", time_of(at, event->at),
           domain == NULL ? "-" : domain, tally_status_name(event->status),
           tally_cause_text(event->cause), *event->text == '\0' ? "" : ": ", event->text,
           escaped(relay, event->relay), escaped(id, event->queue_id),
           escaped(recipient, event->recipient));
    json_array_foreach(why, i, sentence) printf("    %s\n", json_string_value(sentence));
}

void audit_tell(void *context, const struct track_event *event)
{
    struct audit *audit = context;
    json_t *why;

    if (audit->cli->audit.since == NULL && event->at < audit->now)
        return; /* it was there before */
    why = why_of(audit->cli, event->domain);
    if (audit->cli->json)
        tell_json(event, event->domain, why);
    else
        tell_text(event, event->domain, why);
    fflush(stdout);
    json_decref(why);
}

int audit_follow(struct audit *audit)
{
    /* a second one ends it at once, also while it waits for the daemon */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
    struct source_line line;
    int found = 0;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (!stopped && !ferror(stdout) &&
           (found = source_follow(audit->source, &line, WAIT_MS)) >= 0)
        if (found == 1)
            audit_take(audit, &line);
    if (ferror(stdout))
        return CLI_CANNOT_WRITE;
    return source_failures(audit->source) > 0 ? CLI_DATA : CLI_OK;
}
