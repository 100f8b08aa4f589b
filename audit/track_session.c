/* track_session: the processes of smtp(8), and the TLS connection each has; see track.h. */
#include <stdlib.h>
#include <string.h>

#include "audit/track_internal.h"

#define SLACK_S 60 /* between a delivery and its line: a busy disk */

/* ---- processes ---- */

static void process_free(struct track *track, struct track_process *process)
{
    hashmap_remove(&track->processes, &process->link);
    list_remove(&process->age);
    track->process_count--;
    free(process->whys);
    free(process);
}

static struct track_process *oldest_process(const struct track *track)
{
    return LIST_ELEMENT(track->process_ages.next, struct track_process, age);
}

struct track_process *track_process_of(struct track *track, const struct line *line)
{
    uint64_t id = track_id(line->pid, line->host, line->program);
    struct hashmap_link *link = hashmap_find(&track->processes, &id, sizeof id);
    struct track_process *process;

    if (link != NULL) {
        process = HASHMAP_ELEMENT(link, struct track_process, link);
        list_remove(&process->age);
        list_append(&track->process_ages, &process->age);
        return process;
    }
    if (track->process_count == TRACK_PROCESSES_MAX)
        process_free(track, oldest_process(track));
    process = calloc(1, sizeof *process);
    if (process == NULL)
        return NULL;
    process->id = id;
    list_init(&process->age);
    if (!hashmap_add(&track->processes, &process->link, sizeof process->id)) {
        free(process);
        return NULL;
    }
    list_append(&track->process_ages, &process->age);
    track->process_count++;
    return process;
}

void track_sessions_free(struct track *track)
{
    while (!list_empty(&track->process_ages))
        process_free(track, oldest_process(track));
    for (size_t i = 0; i < track->instance_count; i++)
        free(track->instances[i]);
}

/* ---- instances ---- */

struct track_instance *track_instance_of(struct track *track, const struct line *line)
{
    uint64_t id = track_id(0, line->host, line->instance);
    struct track_instance *instance;

    for (size_t i = 0; i < track->instance_count; i++)
        if (track->instances[i]->id == id)
            return track->instances[i];
    if (track->instance_count == TRACK_INSTANCES_MAX)
        return NULL;
    instance = calloc(1, sizeof *instance);
    if (instance == NULL)
        return NULL;
    instance->id = id;
    instance->talks = track->options.tls_logged;
    track->instances[track->instance_count++] = instance;
    return instance;
}

/* ---- connections ---- */

static uint64_t relay_id(const struct line *line)
{
    return track_id(1, line->relay, (struct span){"", 0});
}

void track_session(struct track *track, const struct line *line, int64_t at)
{
    struct track_process *process = track_process_of(track, line);

    if (process == NULL)
        return;
    process->relay = relay_id(line);
    process->queue_id = 0;
    process->at = at;
    process->level = line->level;
    process->protocol = line->protocol;
}

void track_lost(struct track *track, const struct line *line)
{
    struct track_process *process = track_process_of(track, line);

    if (process != NULL)
        process->relay = 0;
}

void track_used(struct track_process *process, const struct line *line, uint64_t queue_id)
{
    if (process->relay != 0 && process->relay == relay_id(line) && process->queue_id == 0)
        process->queue_id = queue_id;
}

void track_note_host(struct track *track, const struct line *line, int64_t at)
{
    uint64_t id;

    if (line->host.length == track->host_length &&
        memcmp(line->host.text, track->host_name, track->host_length) == 0)
        return;
    if (line->host.length <= sizeof track->host_name) {
        memcpy(track->host_name, line->host.text, line->host.length);
        track->host_length = line->host.length;
    }
    id = track_id(2, line->host, (struct span){"", 0});
    for (size_t i = 0; i < track->host_count; i++)
        if (track->hosts[i].id == id)
            return;
    if (track->host_count == TRACK_HOSTS_MAX)
        return;
    track->hosts[track->host_count].id = id;
    track->hosts[track->host_count++].begin = at;
}

/* The moment of the first line of this host. */
static int64_t log_begin(const struct track *track, const struct line *line)
{
    uint64_t id = track_id(2, line->host, (struct span){"", 0});

    for (size_t i = 0; i < track->host_count; i++)
        if (track->hosts[i].id == id)
            return track->hosts[i].begin;
    return INT64_MIN;
}

/* Of tls=, by the level that was reached: "may:none", "dane", "encrypt/requiretls". The level says
 * what was demanded; `may` and `encrypt` do not ask for a valid certificate. */
static enum tally_level level_of_feature(struct span tls)
{
    static const struct {
        const char *word;
        enum tally_level level;
    } words[] = {
        {"none", TALLY_NONE},       {"may", TALLY_UNTRUSTED},      {"encrypt", TALLY_UNTRUSTED},
        {"dane", TALLY_VERIFIED},   {"dane-only", TALLY_VERIFIED}, {"fingerprint", TALLY_VERIFIED},
        {"verify", TALLY_VERIFIED}, {"secure", TALLY_VERIFIED},
    };
    struct span word;
    const char *final;

    tls = span_until(tls, "/?");
    span_skip_set(&tls, "!");
    final = memchr(tls.text, ':', tls.length);
    word = tls;
    if (final != NULL)
        span_skip(&word, (size_t)(final + 1 - tls.text));
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (span_is(word, words[i].word))
            return words[i].level;
    return TALLY_UNKNOWN;
}

/* The process has a TLS connection to that relay, and it is this message's. */
static bool is_on_session(const struct track_process *process, const struct line *line,
                          uint64_t queue_id, int64_t at)
{
    int64_t age = at - process->at;

    return process->relay != 0 && process->relay == relay_id(line) &&
           (process->queue_id == 0 || process->queue_id == queue_id) &&
           age <= (int64_t)line->connected_s + line->sending_s + SLACK_S;
}

enum tally_level track_level_of(struct track *track, struct track_process *process,
                                const struct line *line, int64_t at, enum tally_protocol *protocol,
                                bool *silent)
{
    uint64_t queue_id = track_id(3, line->queue_id, (struct span){"", 0});

    *protocol = TALLY_PROTOCOL_COUNT;
    *silent = false;
    if (process != NULL && is_on_session(process, line, queue_id, at)) {
        process->queue_id = queue_id;
        *protocol = process->protocol;
        return process->level;
    }
    if (line->tls.length > 0)
        return level_of_feature(line->tls);
    if (process == NULL || at - line->sending_s - 1 < log_begin(track, line))
        return TALLY_UNKNOWN; /* the connection may be older than the log */
    *silent = true;
    return TALLY_NONE;
}

/* ---- why TLS fails ---- */

void track_why(struct track *track, const struct line *line)
{
    struct track_process *process = track_process_of(track, line);
    struct track_why *why;

    if (process == NULL)
        return;
    if (process->whys == NULL)
        process->whys = calloc(TRACK_WHYS, sizeof *process->whys);
    if (process->whys == NULL)
        return;
    why = &process->whys[process->why_next++ % TRACK_WHYS];
    why->cause = line->cause;
    why->queue_id = 0;
    why->length =
        (uint16_t)(line->reason.length < sizeof why->text ? line->reason.length : sizeof why->text);
    memcpy(why->text, line->reason.text, why->length);
}

struct span track_why_of(struct track_process *process, enum tally_cause cause, uint64_t queue_id)
{
    if (process == NULL || process->whys == NULL)
        return (struct span){"", 0};
    /* the latest first */
    for (unsigned i = 1; i <= TRACK_WHYS; i++) {
        struct track_why *why = &process->whys[(process->why_next + TRACK_WHYS - i) % TRACK_WHYS];

        if (why->length == 0 || why->cause != cause ||
            (why->queue_id != 0 && why->queue_id != queue_id))
            continue;
        why->queue_id = queue_id;
        return (struct span){why->text, why->length};
    }
    return (struct span){"", 0};
}
