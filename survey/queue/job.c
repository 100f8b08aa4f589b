/* job: see job.h. */
#include "survey/queue/job.h"

#include <inttypes.h>
#include <string.h>

#include "survey/names.h"

void job_add(struct buf *job, enum unit_kind kind, const char *name, int64_t weight)
{
    if (kind == UNIT_DOMAIN)
        buf_addf(job, "%s %" PRId64 "\n", name, weight);
    else
        buf_addf(job, "%s\n", name);
}

/* Digits to the end, a number up to NAMES_WEIGHT_MAX. */
static bool read_weight(int64_t *out, const char *text, size_t length)
{
    *out = 0;
    if (length == 0 || (length > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *out = *out * 10 + (text[i] - '0');
        if (*out > NAMES_WEIGHT_MAX)
            return false;
    }
    return true;
}

enum job_line job_next(struct job_name *out, enum unit_kind kind, const char *job, size_t length,
                       size_t *at)
{
    const char *line = job + *at, *end, *blank;
    size_t name;

    if (*at == length)
        return JOB_END;
    end = memchr(line, '\n', length - *at);
    if (end == NULL)
        return JOB_BAD;
    blank = memchr(line, ' ', (size_t)(end - line));
    if ((blank != NULL) != (kind == UNIT_DOMAIN))
        return JOB_BAD;
    name = (size_t)((blank == NULL ? end : blank) - line);
    if (name == 0 || name > HOSTNAME_MAX || memchr(line, '\0', name) != NULL)
        return JOB_BAD;
    memcpy(out->name, line, name);
    out->name[name] = '\0';
    out->weight = 0;
    if (!hostname_canonical(out->name) ||
        (blank != NULL && !read_weight(&out->weight, blank + 1, (size_t)(end - blank - 1))))
        return JOB_BAD;
    *at = (size_t)(end - job) + 1;
    return JOB_NAME;
}

size_t job_count(enum unit_kind kind, const char *job, size_t length)
{
    struct job_name name;
    enum job_line line;
    size_t at = 0, count = 0;

    if (length > JOB_TEXT_MAX)
        return 0;
    while ((line = job_next(&name, kind, job, length, &at)) == JOB_NAME)
        if (++count > JOB_NAMES_MAX)
            return 0;
    return line == JOB_END ? count : 0;
}
