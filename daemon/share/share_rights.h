/*
 * share_rights: what a relay's user may do at the server, by the server's own word. The table is the
 * only list of the commands that a relay sends: contrib/valkey/users.acl allows these, and
 * tests/manual.sh compares it with the code. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum share_right_kind {
    SHARE_RIGHT_NEEDED,
    SHARE_RIGHT_USEFUL, /* without it only this is not known that it asks for */
    SHARE_RIGHT_EXCESS  /* no relay sends it, and it harms others */
};

#define SHARE_RIGHTS_MAX     64
#define SHARE_RIGHT_TEXT_MAX 512 /* with NUL: four keys with the longest prefix */

struct share_right {
    enum share_right_kind kind;
    const char *command; /* "XADD", "CLIENT SETNAME" */
    const char *words;   /* that follow: ":NAME" is a key of the share, "!NAME" one of others */
};

/* A row of the table; NULL after the last. */
const struct share_right *share_right_at(size_t index);
/* Command and words, with the keys' names in a share of this prefix; for people (`brief`) only as
 * far as the first key. False when it is too long. */
bool share_right_text(char out[SHARE_RIGHT_TEXT_MAX], const struct share_right *right,
                      const char *prefix, bool brief);
