/* check_state: see check_state.h. Lines on standard error go to the journal where a timer runs the
 * check, and to mail where cron does. */
#include "cli/check/check_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/page/page_write.h"
#include "check/watch/state.h"

#define PATH_OCTETS_MAX 4096
#define ARENA_MAX       ((size_t)4 * 1024 * 1024)

struct check_state {
    char path[PATH_OCTETS_MAX];
    const char *domain;  /* borrowed */
    struct arena *arena; /* owned: of `last` */
    struct state last;
    bool known;
};

bool check_state_folder(const char *folder)
{
    const char *why = NULL;
    struct stat status;

    if (mkdir(folder, 0755) == 0)
        return true;
    if (errno != EEXIST || lstat(folder, &status) != 0)
        why = strerror(errno);
    else if (S_ISLNK(status.st_mode))
        why = "it is a symbolic link; name the folder itself";
    else if (!S_ISDIR(status.st_mode))
        why = "it is no folder";
    if (why != NULL)
        fprintf(stderr, "mxcrypt: --state %s: %s\n", folder, why);
    return why == NULL;
}

static void read_last(struct check_state *state)
{
    const char *why = NULL;
    struct buf text;

    buf_init(&text, STATE_OCTETS_MAX);
    if (file_read(&text, state->path) != 0)
        why = errno == ENOENT ? "" : strerror(errno);
    else
        why = state_read(&state->last, state->arena, state->domain, buf_text(&text), text.length);
    state->known = why == NULL;
    if (why != NULL && *why != '\0')
        fprintf(stderr, "mxcrypt: %s: %s: it begins anew\n", state->path, why);
    buf_fini(&text);
}

struct check_state *check_state_open(const char *folder, const char *domain)
{
    struct check_state *state = calloc(1, sizeof *state);

    if (state == NULL)
        return NULL;
    state->domain = domain;
    state->arena = arena_new(ARENA_MAX);
    snprintf(state->path, sizeof state->path, "%s/%s.json", folder, domain);
    if (state->arena != NULL)
        read_last(state);
    return state;
}

const struct check_before *check_state_before(const struct check_state *state)
{
    return state != NULL && state->known ? &state->last.before : NULL;
}

static void tell(void *context, bool came, const struct state_finding *finding)
{
    const struct check_state *state = context;

    fprintf(stderr, "mxcrypt: %s: %s: %s %s%s%s\n", state->domain, came ? "new" : "gone",
            finding->severity, finding->code, *finding->where == '\0' ? "" : " at ",
            finding->where);
}

bool check_state_keep(struct check_state *state, const struct check_facts *facts,
                      const struct check_report *report)
{
    const struct state *last = state->known ? &state->last : NULL;
    struct buf text;
    bool ok;

    state_compare(last, report, tell, state);
    buf_init(&text, STATE_OCTETS_MAX);
    errno = ENOMEM;
    ok = state_write(&text, facts, report, last) && page_replace_text(state->path, &text) == 0;
    if (!ok)
        fprintf(stderr, "mxcrypt: cannot write %s: %s\n", state->path, strerror(errno));
    buf_fini(&text);
    return ok;
}

void check_state_close(struct check_state *state)
{
    if (state == NULL)
        return;
    arena_free(state->arena);
    free(state);
}
