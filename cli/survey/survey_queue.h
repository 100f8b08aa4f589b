/* survey_queue: what the commands of a survey in a queue share. */
#pragma once

#include "cli/cli.h"
#include "survey/queue/queue_chunks.h"
#include "survey/queue/spool.h"

#define SURVEY_TOKEN_MAX 96 /* with NUL */

/* Whether the options name a queue and a run. The exit status, after a message. */
int survey_queue_check(const struct cli *cli);
/* The queue and name of the options. *queue is the caller's. The exit status, after a message. */
int survey_queue_open(struct queue **queue, const struct cli *cli);
/* The same, and the run that is in it; where the command needs them, the spool directory too. */
int survey_queue_run(struct queue **queue, struct queue_run *run, const struct cli *cli);
int survey_queue_spool(struct spool *spool, const struct cli *cli);
/* A name that no other process has. */
void survey_queue_token(char out[SURVEY_TOKEN_MAX]);
/* Says why the queue has failed, and gives the exit status. */
int survey_queue_failed(const struct queue *queue);
/* What the results files of a run are made with, but helo, began and the options of verdicts. */
void survey_queue_run_of(struct results_run *out, const struct plan *plan);
