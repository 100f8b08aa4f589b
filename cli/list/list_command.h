/* list_command: what the commands of `mxcrypt list` share; see mxcrypt(1), LISTS. */
#pragma once

#include "base/sign/signature.h"
#include "cli/cli.h"
#include "policy/list/policy_list.h"
#include "policy/list/policy_list_judge.h"

/* A list, and the text that it was read from. */
struct list_file {
    const char *path; /* borrowed */
    struct buf text;
    struct policy_list *list;
    const struct policy_list_header *header;
};
/* Reads a file of a list. The exit status, after a message; list_close either way. */
int list_open(struct list_file *out, const char *path);
void list_close(struct list_file *file);

/* Who has signed it. */
struct list_signer {
    enum signature_kind kind;
    char key[SIGNATURE_KEY_MAX];
};
/* Verifies the signature beside the list, by --key and --fingerprint. The exit status, after a
 * message. */
int list_verify(struct list_signer *out, const struct cli *cli, const struct list_file *file);

/* Replaces the file at once or not at all. The exit status, after a message. */
int list_replace(const char *path, const struct buf *text);
/* "mx.example, .example": hosts as the format has them, with `between` between them. */
void list_hosts(struct buf *out, const struct policy_list_entry *entry, const char *between);
/* "testing" or "enforce" */
const char *list_mode_name(enum list_mode mode);
/* The domains of a mode. */
size_t list_count(const struct policy_list *list, enum list_mode mode);

#define LIST_EXPIRES_MAX (POLICY_LIST_LIFE_MAX_S / 86400) /* days */

/* The value of --mode; testing without one. False after a message. */
bool list_read_mode(enum list_mode *mode, const char *text);

cli_command list_keygen, list_sign, list_verify_command, list_diff, list_export, list_build,
    list_renew, list_import, list_status;
