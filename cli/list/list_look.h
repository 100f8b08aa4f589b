/* list_look: domains looked up by the machinery of surveys, with its manners, into a results file that
 * is removed afterwards. */
#pragma once

#include "cli/cli.h"
#include "survey/results/results.h"

#define LIST_LOOK_PATH_MAX 4096

struct list_look {
    char folder[LIST_LOOK_PATH_MAX]; /* "": none was made */
    char names[LIST_LOOK_PATH_MAX + 16], file[LIST_LOOK_PATH_MAX + 16];
    struct results *results;
};

/* Makes a folder in TMPDIR for names and results. The exit status, after a message; list_look_end
 * either way. */
int list_look_begin(struct list_look *look);
/* Looks up the domains of a file, one a line; NULL: of `names`, which the caller has written. The
 * results are open then. The exit status, after a message. */
int list_look_up(struct list_look *look, const struct cli *cli, const char *path);
/* A finished results file of the operator's instead. */
int list_look_take(struct list_look *look, const char *path);
void list_look_end(struct list_look *look);
