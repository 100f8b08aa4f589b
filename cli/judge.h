/*
 * judge: verdicts for the domains of a mail log, and what waits in Postfix's queue: fills in
 * struct judged (audit/judged.h). The running daemon is asked; where it cannot be reached, or with
 * --fresh, the command looks everything up itself, with the rules that are in the file. One line of
 * policy/report/report_verdict.c per domain is the answer either way.
 */
#pragma once

#include "audit/judged.h"
#include "audit/suggest.h"
#include "cli/cli.h"

struct judge_options {
    int rollout;            /* --rollout, percent; -1: none */
    const char *rules_path; /* --rules; NULL: none */
    /* Not NULL: only domains are asked for that a rule could be suggested for. */
    const struct suggest_options *suggest;
    /* Called as verdicts come; NULL: not at all. */
    void (*progress)(void *context, size_t done, size_t of);
    void *context;
};

/* The verdicts of the domains with the most messages, JUDGED_DOMAINS_MAX of them, and what other
 * settings would change. The exit status, after a message when something failed; what had come
 * before that is in `judged`. */
int judge_domains(struct cli *cli, struct judged *judged, const struct tally *tally,
                  const struct judge_options *options);
/* What waits now, with the verdicts of its domains: those of judge_domains, and others asked for.
 * The exit status, after a message when something failed. */
int judge_queue(struct cli *cli, struct judged *judged, const struct tally *tally);

/* ---- between the files ---- */

/* Takes a line of report_verdict for the name at `index`. */
typedef void judge_taker(void *context, size_t index, const json_t *line);
/* Asks for `count` names at once. In `in_force`, unless NULL: the mode and rollout that they are
 * answered by. `rollout` as in judge_options. The exit status, after a message. */
int judge_ask(struct cli *cli, const char *const *names, size_t count, int rollout,
              struct override_options *in_force, judge_taker *take, void *context);
/* True when the daemon answers, and is to be asked; else says why the command looks up itself. */
bool judge_by_daemon(struct cli *cli);
