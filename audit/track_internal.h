/*
 * track_internal: the parts of track.h: processes of smtp(8) and the connections they have
 * (track_session.c), messages and their recipients (track_message.c), deliveries that TLS made fail
 * (track_trouble.c), and what is counted of a delivery (track.c).
 */
#pragma once

#include "audit/track.h"
#include "base/list.h"
#include "base/map.h"
#include "base/net/hostname.h"
#include "base/net/ip.h"

/* Names that only have to be told apart are kept as numbers: keyed hashes of 64 bits. */
static inline uint64_t track_mix(uint64_t one, uint64_t other)
{
    uint64_t mixed = (one ^ (other * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xbf58476d1ce4e5b9);

    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* The name that was seen last, which mostly is the next one too. */
struct track_name {
    char text[160];
    size_t length;
    uint64_t id;
};
uint64_t track_name_id(struct track_name *last, struct span name);

/* ---- instances of Postfix ---- */

#define TRACK_INSTANCES_MAX 64
#define TRACK_HOSTS_MAX     64

/* A delivery without a line about TLS, before the first one of its instance. */
struct track_silent {
    uint32_t domain, host, at;
    int64_t day_at; /* as in struct tally_day, whose places move */
};

struct track_instance {
    uint64_t id;
    bool talks; /* it logs TLS */
    bool mute;  /* it has sent TRACK_SILENT_MAX without a word about TLS */
    struct track_silent silent[TRACK_SILENT_MAX];
    uint32_t silent_count;
};

/* ---- processes ---- */

/* Why TLS will fail, from lines before the delivery. */
struct track_why {
    enum tally_cause cause;
    uint64_t message; /* whose delivery it was about; 0: no line of that yet */
    uint16_t length;
    char text[300];
};
#define TRACK_WHYS 3

/* "0.1/0.01/0.05/": of delays= */
#define TRACK_SETUP_MAX 40

/* "host[address]:port" */
#define TRACK_RELAY_MAX (HOSTNAME_MAX + 2 + IP_TEXT_MAX + 6)

/* A connection of which no delivery has been logged yet. */
struct track_kept {
    struct track_kept *next;
    int64_t at;
    enum tally_level level;
    enum tally_cause cause;
    uint16_t relay_length, reason_length, text_length;
    char strings[]; /* relay, reason, text */
};
#define TRACK_KEPT_MAX 16 /* of a process */

struct track_connections {
    struct track_kept *kept; /* owned; the newest first */
    unsigned count;
    uint64_t transaction; /* of the delivery whose connection was told last */
    uint64_t cleared;     /* the same, in clear */
    uint64_t retried;     /* the message that is sent in clear because TLS failed; 0: none */
};

struct track_process {
    struct hashmap_link link;
    uint64_t id;
    struct list age;
    uint64_t message; /* the message on its TLS connection; 0: no line of it yet */
    int64_t at;       /* when that was established or reused */
    int64_t seen_at;  /* its last line */
    enum tally_level level;
    enum tally_protocol protocol;
    struct track_why *whys; /* TRACK_WHYS of them; owned; NULL: none */
    unsigned why_next;
    uint16_t relay_length; /* 0: it has no TLS connection */
    struct track_connections connections;
    bool sent; /* its message; a rejected recipient says nothing of the others */
    uint8_t setup_length;
    char relay[TRACK_RELAY_MAX];
    char setup[TRACK_SETUP_MAX]; /* of the first line of the message: see struct line */
};

/* ---- messages ---- */

/* A domain of a message, or a recipient that waits. */
struct track_part {
    struct hashmap_link link;
    uint64_t id;
    struct track_message *message;
    struct list of_message; /* in its parts */
    struct list age;
    uint32_t trouble; /* TALLY_OTHERS: none */
    bool waits;       /* a recipient */
    bool counted;
    bool sent;     /* a domain: to a recipient there */
    int64_t since; /* of the trouble */
};

#define TRACK_DOMAINS 2 /* most messages have one or two */

struct track_message {
    struct hashmap_link link;
    uint64_t id;
    struct list age;
    struct list parts; /* recipients that wait, and domains for which there is no room below */
    uint64_t size;
    uint32_t domains[TRACK_DOMAINS]; /* for which it was counted: index + 1; 0: none */
    uint32_t waiting;                /* recipients among the parts */
    uint8_t domains_sent;            /* bits: to a recipient there */
    bool report;                     /* on TLS: by `reporter` */
    bool queued;                     /* the queue manager's line about it is in the log */
    bool counted, expired;
    bool alias;        /* only a name of the message `requeued` */
    uint64_t requeued; /* the latest name of a message that was queued anew; 0: none */
};

struct track {
    struct tally *tally;
    struct track_options options;
    const char *relayports[TRACK_RELAYHOSTS]; /* of the relayhosts, as in a relay: ":587" */
    struct hashmap processes, messages, parts;
    struct list process_ages, message_ages, part_ages; /* oldest first */
    size_t process_count, message_count, part_count;
    struct track_instance *instances[TRACK_INSTANCES_MAX];
    size_t instance_count;
    struct {
        uint64_t id;
        int64_t begin; /* of its log */
    } hosts[TRACK_HOSTS_MAX];
    size_t host_count;
    struct track_name instance, client, host; /* of the lines before */
    int64_t now;                              /* of the line that is being taken */
};

/* One line with a status. */
struct track_delivery {
    struct track *track;
    const struct line *line;
    int64_t at;
    struct track_process *process; /* NULL: error(8), or no memory */
    struct track_message *message; /* NULL: no memory */
    uint64_t message_id;
    uint32_t domain, host, day; /* indexes in the tally */
    bool counted;               /* it is in the period */
    struct span nexthop;
};

bool track_in_period(const struct track *track, int64_t at);
/* Of the instance that wrote a line. */
uint64_t track_instance_id(struct track *track, const struct line *line);

/* ---- track_session.c ---- */

/* The process of a line; a new one if need be; NULL without memory. */
struct track_process *track_process_of(struct track *track, const struct line *line);
/* The instance of a line; NULL when there are too many, or no memory. */
struct track_instance *track_instance_of(struct track *track, const struct line *line);
void track_session(struct track *track, const struct line *line, int64_t at);
void track_lost(struct track *track, const struct line *line);
/* A line with the status of that message: a process delivers one at a time, so what it logged
 * before is about it. */
void track_attribute(struct track_process *process, const struct line *line, uint64_t message);
/* Remembers when the log of a host begins. */
void track_note_host(struct track *track, const struct line *line, int64_t at);
void track_why(struct track *track, const struct line *line);
/* The level of what was sent; *protocol TALLY_PROTOCOL_COUNT without TLS. *silent: that there was
 * no TLS is known only by the absence of a line. */
enum tally_level track_level_of(const struct track_delivery *delivery,
                                enum tally_protocol *protocol, bool *silent);
/* What lines before said of a cause, for the delivery of that message; empty when nothing. */
struct span track_why_of(const struct track_process *process, enum tally_cause cause,
                         uint64_t message);
void track_sessions_free(struct track *track);

/* ---- track_message.c ---- */

/* Of the message of a line: by host and queue id, since a service of master.cf may have a syslog_name
 * of its own, and the instances of a host make ids that differ in time and inode. */
uint64_t track_message_id(struct track *track, const struct line *line);
/* A message; a new one if `add`; NULL when there is none, or no memory. */
struct track_message *track_message_of(struct track *track, uint64_t id, bool add);
/* The recipient of a line, if it waits; a new one if `add`. */
struct track_part *track_recipient_of(struct track *track, struct track_message *message,
                                      const struct line *line, bool add);
/* A message was queued anew, under another id: it is the same message. */
void track_requeued(struct track *track, const struct line *line);
/* A message came back that no client delivered: the wait of its recipient is over. */
void track_returned(struct track *track, const struct line *line, int64_t at);
/* Forgets a message; recipients that still waited have ended as `expired` says. */
void track_message_end(struct track *track, struct track_message *message, int64_t at);
/* The part of a message with that id; a new one if `add`. */
struct track_part *track_part_of(struct track *track, struct track_message *message, uint64_t id,
                                 bool waits, bool add);
/* Forgets a recipient that waits no longer; notes how its trouble ended. */
void track_part_end(struct track *track, struct track_part *part, enum tally_status status,
                    int64_t at);
void track_messages_free(struct track *track);

/* ---- track_connection.c ---- */

/* TLS was established. */
void track_connection_opened(struct track *track, struct track_process *process,
                             const struct line *line, int64_t at);
/* A mail host was given up, and another one is tried. */
void track_connection_skipped(struct track *track, const struct line *line, int64_t at);
/* A delivery: its connection, and those before it, are told. */
void track_connection_ended(struct track_delivery *delivery);
/* A delivery that went in clear. */
void track_connection_clear(struct track_delivery *delivery);
/* Forgets those that were not told. */
void track_connections_free(struct track_process *process);

/* ---- track_trouble.c ---- */

/* The cause of a failure; and what is said of it beside its name. */
enum tally_cause track_cause_of(struct track_delivery *delivery, struct span *text);

/* Counts a delivery that failed, if TLS is the cause: the index of its trouble, else TALLY_OTHERS. */
uint32_t track_failed(struct track_delivery *delivery);
