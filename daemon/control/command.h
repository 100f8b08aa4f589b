/*
 * command: one command on the control socket: a JSON object, answered by one or several others.
 * commands.c has the table of names and the short commands; the files named below have the rest.
 */
#pragma once

#include <jansson.h>

#include "daemon/cache/importer.h"
#include "daemon/lookup/engine.h"
#include "daemon/rules/reload.h"
#include "daemon/serve/server.h"
#include "daemon/share/share_check_uv.h"

struct command;
/* A line of the answer: the last one, or a part before it, after which command_go_on asks for the
 * next. `answer` is a new reference for the callee; NULL without memory. */
typedef void (*command_answered)(struct command *command, json_t *answer, bool last);

struct walk;
struct walks;

/* What commands work with. Everything is borrowed. */
struct command_means {
    struct engine *engine;
    struct server *server;
    struct reload *reloader; /* NULL: none */
    struct walks *walks;
};

/* Embedded in its connection. */
struct command {
    struct waiter waiter;
    struct reload_waiter reload;
    struct store_read *read;       /* while the store, or the share, is read */
    json_t *history;               /* owned; what the store has, while the share is read; NULL */
    struct cache_loading *loading; /* while a key is loaded */
    struct share_roster roster;    /* while relays are listed */
    json_t *relays;                /* owned; once they are, while the server is asked */
    struct share_check check;      /* while it is */
    struct importer importer;      /* from one request of the connection to the next */
    struct walk *walk;             /* owned; while the cache is walked, or rules come */
    struct command_means means;
    command_answered answered;
    json_t *request;
    struct key key; /* of command_key */
};

void command_init(struct command *command, const struct command_means *means,
                  command_answered answered);
/* Carries out one line. `answered` is called with the last line of the answer exactly once, now or
 * later, unless command_cancel comes first. */
void command_begin(struct command *command, const char *line, size_t length);
/* The client has received the part of the answer. `answered` must not call this. */
void command_go_on(struct command *command);
void command_cancel(struct command *command);

/* ---- for the commands themselves ---- */

/* Ends the command with an answer (takes the reference; NULL: no memory), or with a refusal. */
void command_finish(struct command *command, json_t *answer);
void command_refuse(struct command *command, const char *why);
/* A string of the request; NULL if it is absent. */
const char *command_text(const struct command *command, const char *name);
/* Reads the key of the request, which must be there. */
const struct key *command_key(struct command *command);

/* commands_cache.c: holds, and what the store knows */
void command_held(struct command *command);
void command_release(struct command *command);
void command_history(struct command *command);
void command_export(struct command *command);
void command_import(struct command *command);
/* Cancels what one of these commands waits for. */
void command_cache_cancel(struct command *command);

/*
 * commands_farm.c:
 *
 *   share        {}  {"share": {"server", "ready", "for_s", "error", "news_error", "skew_ms", "user",
 *                "program", "memory", "memory_error", "lacks", "exceeds", "rights_error"}}; for_s:
 *                since when it is ready, or not; skew_ms: the clock here, less the server's; program,
 *                memory {"used", "max", "policy", "evicted", "appends"}: null, and why, where the
 *                server does not say; lacks, exceeds: commands that the user may not send and needs,
 *                or may and does not need. Errors are null where there is none
 *   farm         {}  the same, and the relays of the farm: {"relays": [{"relay", "self", "version",
 *                "rules", "settings", "mode", "rollout", "silent_s", "behind_s", "skew_ms"}...]};
 *                rules, settings: hashes; rules is null without a file; silent_s: since it was
 *                heard of; behind_s: how late it is with the news of the others
 *   farm-reload  {}  all relays read rules and configuration again: {"told": BOOL}
 */
void command_share(struct command *command);
void command_farm(struct command *command);
void command_farm_reload(struct command *command);
void command_farm_cancel(struct command *command);

/*
 * commands_lists.c:
 *
 *   lists        {}  {"lists": [{"list", "state", "why", "stale", "fetched", "as", "signature", "key",
 *                "newest", "looked", "good", "next", "ready", "not_kept"}...]}: the policy lists, in
 *                order; times as in RFC 3339. What is not there is null: why, when nothing is wrong
 *                with the source; signature and key, before a key could be read; newest, the latest
 *                timestamp that was in force; ready, when a list that waits may be used; not_kept,
 *                why the disk does not take it. Of a list that was in force also {"timestamp",
 *                "expires", "domains", "enforce", "testing", "author"}: domains by the modes that the
 *                list has; author only when it has one
 */
void command_lists(struct command *command);

/*
 * commands_report.c and commands_check.c: the commands that walk the cache (walk.h). What they
 * answer is for cli/report.c.
 *
 *   report       {"changes": BOOL}           lines: next-hops to which mail would stop if all were
 *                enforced; with `changes` also those whose answer would change.
 *                totals: mode, rollout, nexthops, withheld, unsure, would_change, verdicts
 *   rules        {}                          lines: the rules, with what each does today; no totals
 *   rules-check  {"text": TEXT, "more": BOOL} with `more` answered by {"taken": OCTETS}; with the
 *                last part of the text the check begins.
 *                lines: next-hops whose answer would change. totals: rules, nexthops, would_stop
 */
void command_report(struct command *command);
void command_rules(struct command *command);
void command_rules_check(struct command *command);

/*
 * commands_verdicts.c, for the command's own questions about many keys:
 *
 *   verdicts     {"keys": [KEY...], "rollout": PERCENT}  at most VERDICTS_KEYS_MAX keys; each is
 *                looked up as for `explain`, so this may take a while.
 *                lines: report_verdict for each key, in no order. totals: mode, rollout
 */
#define VERDICTS_KEYS_MAX 1000
/* Lookups that one such command waits for, at most; it asks for the next when one has ended, and so
 * leaves the others to Postfix. */
#define VERDICTS_WAITING_MAX 64
void command_verdicts(struct command *command);

/* commands.c: the numbers of metrics_table as one object: a new reference, NULL without memory. */
struct metrics_numbers;
json_t *stats_json(const struct metrics_numbers *numbers);
