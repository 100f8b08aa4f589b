/*
 * job: what the queue holds of a chunk of domains or hosts: their names, one a line, of domains with
 * a blank and the weight. Of a chunk of addresses it holds nothing: their file in the spool does.
 * Pure. Whoever can write to the queue can write anything.
 */
#pragma once

#include "base/buf.h"
#include "survey/unit/unit.h"

#define JOB_NAMES_MIN 100 /* of a chunk, but for the last */
#define JOB_NAMES_MAX 1000
#define JOB_LINE_MAX  (HOSTNAME_MAX + 15) /* a blank, a weight and a line feed */
#define JOB_TEXT_MAX  ((size_t)JOB_NAMES_MAX * JOB_LINE_MAX)

/* Appends one name to a job. */
void job_add(struct buf *job, enum unit_kind kind, const char *name, int64_t weight);

struct job_name {
    char name[HOSTNAME_MAX + 1];
    int64_t weight; /* of a host 0 */
};
enum job_line { JOB_NAME, JOB_END, JOB_BAD };
/* Reads the line at *at of `length` octets and moves *at behind it. NAME fills *out. */
enum job_line job_next(struct job_name *out, enum unit_kind kind, const char *job, size_t length,
                       size_t *at);
/* How many names it has, 1 to JOB_NAMES_MAX; 0: it is no job of this kind. */
size_t job_count(enum unit_kind kind, const char *job, size_t length);
