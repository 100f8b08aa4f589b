/* cli_list: `mxcrypt list`: the table of its commands, and what they share; see list_command.h. */
#include "cli/list/list_command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/page/page_write.h"

#define SIGNATURE_DEADLINE_MS 60000 /* a list of 100 MB and a slow machine */

/* ---- the table ---- */

static const struct list_row {
    const char *name, *second; /* "list" "keygen"; NULL: `list` alone */
    int words;                 /* behind these */
    const char *help;
    cli_command *run;
} commands[] = {
    {"list", NULL, 0, "list                     the policy lists of the daemon", list_status},
    {"list", "status", 0, "list status              the same", list_status},
    {"list", "keygen", 1,
     "list keygen NAME         a key to sign lists with: NAME.key and NAME.pub", list_keygen},
    {"list", "build", 1,
     "list build --name NAME --expires DAYS --from FILE|--from-survey FILE.db|--from-rules|\n"
     "        --from-memory [--mode testing|enforce] [--fold] [--report FILE] [--rate N]\n"
     "        [--jobs N] [--opt-out FILE] LIST\n"
     "                           a list of those domains that do TLS well",
     list_build},
    {"list", "renew", 1,
     "list renew [--expires DAYS] [--drop-after DAYS] [--enforce-after DAYS] [--state FILE]\n"
     "        [--fold] [--report FILE] [--rate N] [--jobs N] [--opt-out FILE] [--really] LIST\n"
     "                           look at all of them again",
     list_renew},
    {"list", "sign", 1,
     "list sign --key NAME.key|--fingerprint HEX LIST\n"
     "                           sign it, or have gpg sign it",
     list_sign},
    {"list", "verify", 1,
     "list verify --key FILE [--fingerprint HEX] LIST\n"
     "                           whether mxcryptd would use it",
     list_verify_command},
    {"list", "import", 1,
     "list import [--key FILE [--fingerprint HEX]] [--mode enforce] [--from-audit FILE.json]\n"
     "        [--fresh] LIST\n"
     "                           what it would change here, if it were used",
     list_import},
    {"list", "diff", 2, "list diff OLD NEW        what changed between two lists", list_diff},
    {"list", "export", 1,
     "list export --format postfix --key FILE [--fingerprint HEX] LIST\n"
     "                           a policy table, for a Postfix without mxcryptd",
     list_export},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

void cli_list_help(FILE *out, const char *before)
{
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "%s%s\n", before, commands[i].help);
}

int do_list(struct cli *cli)
{
    char **words = cli->words;
    int count = 0;

    while (words[count] != NULL)
        count++;
    for (size_t i = 0; i < COMMANDS; i++) {
        int skip = commands[i].second == NULL ? 0 : 1;

        if (count != skip + commands[i].words ||
            (skip == 1 && strcmp(words[0], commands[i].second) != 0))
            continue;
        cli->words = words + skip;
        return commands[i].run(cli);
    }
    fputs("usage:\n", stderr);
    cli_list_help(stderr, "  mxcrypt ");
    return CLI_USAGE;
}

/* ---- files ---- */

int list_open(struct list_file *out, const char *path)
{
    char error[POLICY_LIST_ERROR_MAX];

    *out = (struct list_file){.path = path};
    buf_init(&out->text, POLICY_LIST_TEXT_MAX);
    if (file_read(&out->text, path) != 0)
        fprintf(stderr, "mxcrypt: %s: %s\n", path, strerror(errno));
    else if (policy_list_read(&out->list, buf_text(&out->text), out->text.length, error) != 0)
        fprintf(stderr, "mxcrypt: %s: %s\n", path, error);
    else {
        out->header = policy_list_header(out->list);
        return CLI_OK;
    }
    return CLI_DATA;
}

void list_close(struct list_file *file)
{
    policy_list_free(file->list);
    buf_fini(&file->text);
}

int list_replace(const char *path, const struct buf *text)
{
    if (!text->failed && page_replace_text(path, text) == 0)
        return CLI_OK;
    fprintf(stderr, "mxcrypt: cannot write %s: %s\n", path,
            text->failed      ? "no memory"
            : errno == ELOOP  ? "it is a symbolic link"
            : errno == EINVAL ? "it is no plain file"
                              : strerror(errno));
    return CLI_CANNOT_WRITE;
}

/* ---- signatures ---- */

/* Reads the signature that lies beside the list. */
static int read_signature(struct buf *out, const char *list, enum signature_kind kind)
{
    struct buf path;
    int status = CLI_OK;

    buf_init(&path, 8192);
    buf_addf(&path, "%s%s", list, signature_suffix(kind));
    if (path.failed || file_read(out, path.data) != 0) {
        fprintf(stderr, "mxcrypt: %s: %s\n", buf_text(&path), strerror(errno));
        status = CLI_DATA;
    }
    buf_fini(&path);
    return status;
}

/* The fingerprint of the options, where the kind of key has one. False after a message. */
static bool read_fingerprint(char out[OPENPGP_FINGERPRINT_MAX + 1], const struct cli *cli,
                             enum signature_kind kind)
{
    const char *given = cli->list.fingerprint;

    if (kind == SIGNATURE_OPENPGP && given == NULL)
        fputs("mxcrypt: an OpenPGP key needs --fingerprint, that of its primary key: "
              "gpg --show-keys --with-fingerprint FILE shows it\n",
              stderr);
    else if (kind == SIGNATURE_MINISIGN && given != NULL)
        fputs("mxcrypt: a key of minisign has no --fingerprint: the file is all\n", stderr);
    else if (given != NULL && !openpgp_fingerprint(out, given))
        fprintf(stderr, "mxcrypt: --fingerprint must be 40 or 64 hexadecimal digits: %s\n", given);
    else
        return true;
    return false;
}

static int verify(struct list_signer *out, const struct list_file *file, const char *key,
                  const char *fingerprint)
{
    char why[OPENPGP_WHY_MAX];
    struct signature_check check = {.kind = out->kind,
                                    .data = buf_text(&file->text),
                                    .length = file->text.length,
                                    .key_path = key,
                                    .fingerprint = fingerprint,
                                    .deadline_ms = SIGNATURE_DEADLINE_MS};
    struct buf signature;
    int status;

    buf_init(&signature, SIGNATURE_MAX);
    status = read_signature(&signature, file->path, out->kind);
    check.signature = signature.data;
    check.signature_length = signature.length;
    if (status == CLI_OK && signature_verify(&check, why) != NULL) {
        fprintf(stderr, "mxcrypt: %s%s: %s\n", file->path, signature_suffix(out->kind), why);
        status = CLI_DATA;
    }
    signature_key_name(out->key, out->kind, key, fingerprint);
    buf_fini(&signature);
    return status;
}

int list_verify(struct list_signer *out, const struct cli *cli, const struct list_file *file)
{
    char fingerprint[OPENPGP_FINGERPRINT_MAX + 1] = "", why[OPENPGP_WHY_MAX];
    const char *key = cli->own.key;

    if (key == NULL) {
        fputs("mxcrypt: --key FILE is missing: the public key that the list must be signed with\n",
              stderr);
        return CLI_USAGE;
    }
    if (!signature_kind_of(&out->kind, key, why)) {
        fprintf(stderr, "mxcrypt: %s\n", why);
        return CLI_USAGE;
    }
    if (!read_fingerprint(fingerprint, cli, out->kind))
        return CLI_USAGE;
    return verify(out, file, key, out->kind == SIGNATURE_OPENPGP ? fingerprint : NULL);
}

/* ---- words ---- */

void list_hosts(struct buf *out, const struct policy_list_entry *entry, const char *between)
{
    const char *mx = entry->mx;

    for (size_t i = 0; i < entry->mx_count; i++, mx += strlen(mx) + 1)
        buf_addf(out, "%s%s", i == 0 ? "" : between, mx[0] == '*' ? mx + 1 : mx);
}

const char *list_mode_name(enum list_mode mode)
{
    return mode == LIST_ENFORCE ? "enforce" : "testing";
}

size_t list_count(const struct policy_list *list, enum list_mode mode)
{
    struct policy_list_entry entry;
    size_t at = 0, count = 0;

    while (policy_list_next(&entry, list, &at))
        count += entry.mode == mode;
    return count;
}
