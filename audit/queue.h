/*
 * queue: what waits in Postfix's queue, from the output of `postqueue -j`: one JSON object per
 * message. Pure. A recipient waits when a delivery has failed: then it has a delay_reason.
 *
 * Everything in it is hostile: addresses, and what servers said. A line that is not of this form is
 * refused as a whole. Memory is bounded: of each message and domain one element is kept, and of
 * those the JUDGED_WAITING_MAX that have waited longest.
 */
#pragma once

#include "audit/judged.h"

#define QUEUE_LINE_MAX    ((size_t)8 * 1024 * 1024) /* octets: a message of 20,000 recipients */
#define QUEUE_DOMAINS_MAX 100 /* of one message; the recipients at others are only counted */
#define QUEUE_REASON_MAX  400 /* octets of a reason that are kept */

struct queue;

/* NULL without memory. */
struct queue *queue_new(void);
void queue_free(struct queue *queue);
/* Takes a line without its end. NULL, or what is wrong with it: a sentence without an end. */
const char *queue_take_line(struct queue *queue, const char *line, size_t length);
/* Hands over what waits: fills the members of `judged` about the queue, but for `why`. -1 without
 * memory. */
int queue_give(struct queue *queue, struct judged *judged);
