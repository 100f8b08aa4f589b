/* track_session: the processes of smtp(8), and the TLS connection each has; see track.h. */
#include <stdlib.h>
#include <string.h>

#include "audit/track_internal.h"

#define SLACK_S 60 /* between a delivery and its line: a busy disk */
/* A process is forgotten when it has said nothing for so long: one whose connection has had its
 * message, and one that may still be sending it. */
#define IDLE_S   300
#define OPEN_S   ((int64_t)24 * 60 * 60)
#define SEEN_S   60 /* how exactly that is known */
#define IDLE_MAX 2  /* that are looked at for each new one */

/* ---- processes ---- */

static void process_free(struct track *track, struct track_process *process)
{
    hashmap_remove(&track->processes, &process->link);
    list_remove(&process->age);
    track->process_count--;
    free(process->whys);
    track_connections_free(process);
    free(process);
}

static struct track_process *oldest_process(const struct track *track)
{
    return LIST_ELEMENT(track->process_ages.next, struct track_process, age);
}

/* Processes come and go: few are needed, and many would not stay in the processor's cache. */
static void forget_idle_processes(struct track *track)
{
    for (int i = 0; i < IDLE_MAX && !list_empty(&track->process_ages); i++) {
        struct track_process *process = oldest_process(track);
        int64_t idle = track->now - process->seen_at;

        if (idle <= IDLE_S)
            return;
        if (process->relay_length > 0 && !process->sent && idle <= OPEN_S) {
            list_remove(&process->age); /* another time */
            list_append(&track->process_ages, &process->age);
        } else
            process_free(track, process);
    }
}

struct track_process *track_process_of(struct track *track, const struct line *line)
{
    const char *end = line->program.text + line->program.length;
    struct span client = {line->host.text, (size_t)(end - line->host.text)};
    uint64_t id = track_mix(track_name_id(&track->client, client), line->pid);
    struct hashmap_link *link = hashmap_find(&track->processes, &id, sizeof id);
    struct track_process *process;

    if (link != NULL) {
        process = HASHMAP_ELEMENT(link, struct track_process, link);
        if (track->now - process->seen_at >= SEEN_S) {
            list_remove(&process->age);
            list_append(&track->process_ages, &process->age);
            process->seen_at = track->now;
        }
        return process;
    }
    forget_idle_processes(track);
    if (track->process_count == TRACK_PROCESSES_MAX)
        process_free(track, oldest_process(track));
    process = calloc(1, sizeof *process);
    if (process == NULL)
        return NULL;
    process->id = id;
    process->seen_at = track->now;
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
    uint64_t id = track_instance_id(track, line);
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
    track->instances[track->instance_count++] = instance;
    return instance;
}

/* ---- connections ---- */

/* The process has a TLS connection to the relay of the line. */
static bool has_session(const struct track_process *process, const struct line *line)
{
    return process->relay_length > 0 && process->relay_length == line->relay.length &&
           memcmp(process->relay, line->relay.text, line->relay.length) == 0;
}

void track_session(struct track *track, const struct line *line, int64_t at)
{
    struct track_process *process = track_process_of(track, line);

    if (process == NULL)
        return;
    process->relay_length = 0;
    if (line->relay.length <= sizeof process->relay) {
        memcpy(process->relay, line->relay.text, line->relay.length);
        process->relay_length = (uint16_t)line->relay.length;
    }
    process->message = 0;
    process->sent = false;
    process->at = at;
    process->level = line->level;
    process->protocol = line->protocol;
    track_connection_opened(track, process, line, at);
}

void track_lost(struct track *track, const struct line *line)
{
    struct track_process *process = track_process_of(track, line);

    if (process != NULL)
        process->relay_length = 0;
}

void track_attribute(struct track_process *process, const struct line *line, uint64_t message)
{
    size_t length = line->setup.length;

    if (process->relay_length > 0 && process->message == 0) {
        process->message = message;
        process->setup_length = (uint8_t)(length < TRACK_SETUP_MAX ? length : TRACK_SETUP_MAX);
        memcpy(process->setup, line->setup.text, process->setup_length);
    }
    for (int i = 0; process->whys != NULL && i < TRACK_WHYS; i++)
        if (process->whys[i].message == 0)
            process->whys[i].message = message;
}

void track_note_host(struct track *track, const struct line *line, int64_t at)
{
    uint64_t before = track->host.id, id = track_name_id(&track->host, line->host);

    if (id == before)
        return;
    for (size_t i = 0; i < track->host_count; i++)
        if (track->hosts[i].id == id)
            return;
    if (track->host_count == TRACK_HOSTS_MAX)
        return;
    track->hosts[track->host_count].id = id;
    track->hosts[track->host_count++].begin = at;
}

/* The moment of the first line of the host whose line was read last. */
static int64_t log_begin(const struct track *track)
{
    for (size_t i = 0; i < track->host_count; i++)
        if (track->hosts[i].id == track->host.id)
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
        {"none", TALLY_NONE},
        {"halfdane", TALLY_TRUSTED},
        {"may", TALLY_UNTRUSTED},
        {"encrypt", TALLY_UNTRUSTED},
        {"dane", TALLY_VERIFIED},
        {"dane-only", TALLY_VERIFIED},
        {"fingerprint", TALLY_VERIFIED},
        {"verify", TALLY_VERIFIED},
        {"secure", TALLY_VERIFIED},
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

/* It is not a second delivery of the message: a domain of its own may have its mail host in common
 * with another, and not its policy. */
static bool is_same_transaction(const struct track_process *process, const struct line *line)
{
    size_t length = line->setup.length < TRACK_SETUP_MAX ? line->setup.length : TRACK_SETUP_MAX;

    return process->setup_length == length && memcmp(process->setup, line->setup.text, length) == 0;
}

/* The process has a TLS connection to the relay, and it is this message's. */
static bool is_on_session(const struct track_delivery *delivery)
{
    const struct track_process *process = delivery->process;
    const struct line *line = delivery->line;

    return process != NULL && has_session(process, line) &&
           process->message == delivery->message_id && is_same_transaction(process, line) &&
           delivery->at - process->at <= (int64_t)line->connected_s + line->sending_s + SLACK_S;
}

/* The connection, and what was said of its TLS, may be older than the log. It is not when the queue
 * manager's line about the message is there, which comes before either. */
static bool may_be_older(const struct track_delivery *delivery)
{
    const struct track_message *message = delivery->message;

    return (message == NULL || !message->queued) &&
           delivery->at - delivery->line->connected_s - (int64_t)delivery->line->sending_s - 1 <
               log_begin(delivery->track);
}

enum tally_level track_level_of(const struct track_delivery *delivery,
                                enum tally_protocol *protocol, bool *silent)
{
    const struct line *line = delivery->line;
    enum tally_level said = line->tls.length > 0 ? level_of_feature(line->tls) : TALLY_LEVEL_COUNT;

    *protocol = TALLY_PROTOCOL_COUNT;
    *silent = false;
    if (said != TALLY_NONE && is_on_session(delivery)) {
        delivery->process->sent = true;
        *protocol = delivery->process->protocol;
        return delivery->process->level;
    }
    if (said != TALLY_LEVEL_COUNT)
        return said;
    if (delivery->process == NULL || may_be_older(delivery))
        return TALLY_UNKNOWN;
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
    why->message = 0;
    why->length =
        (uint16_t)(line->reason.length < sizeof why->text ? line->reason.length : sizeof why->text);
    memcpy(why->text, line->reason.text, why->length);
}

struct span track_why_of(const struct track_process *process, enum tally_cause cause,
                         uint64_t message)
{
    if (process == NULL || process->whys == NULL)
        return (struct span){"", 0};
    /* the latest first */
    for (unsigned i = 1; i <= TRACK_WHYS; i++) {
        const struct track_why *why =
            &process->whys[(process->why_next + TRACK_WHYS - i) % TRACK_WHYS];

        if (why->length > 0 && why->cause == cause && why->message == message)
            return (struct span){why->text, why->length};
    }
    return (struct span){"", 0};
}
