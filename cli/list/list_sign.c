/*
 * list_sign: `mxcrypt list keygen` and `list sign`. A list is signed only when it is one, and may be in
 * force: nobody could use another.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/sign/minisign.h"
#include "cli/list/list_command.h"

#define PATH_SIZE 4096

extern char **environ;

/* ---- keys ---- */

/* A file that is not there yet. False after a message. */
static bool write_new(const char *path, mode_t mode, const struct buf *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool written = fd >= 0 && !text->failed &&
                   write(fd, text->data, text->length) == (ssize_t)text->length && fsync(fd) == 0;

    if (fd >= 0 && close(fd) != 0)
        written = false;
    if (!written) {
        fprintf(stderr, "mxcrypt: %s: %s\n", path, errno == 0 ? "no space" : strerror(errno));
        if (fd >= 0)
            unlink(path);
    }
    return written;
}

static void fini_secret(struct buf *buf)
{
    if (buf->data != NULL)
        explicit_bzero(buf->data, buf->size);
    buf_fini(buf);
}

static int write_keys(const char *name, const struct minisign_secret *secret)
{
    const struct minisign_public public = minisign_public_of(secret);
    char secret_path[PATH_SIZE], public_path[PATH_SIZE], id[MINISIGN_ID_TEXT];
    char room[MINISIGN_TEXT_MAX]; /* never moved, so that no copy of the key is left */
    struct buf secret_text = {.data = room, .size = sizeof room, .limit = sizeof room - 1};
    struct buf public_text;
    bool written;

    snprintf(secret_path, sizeof secret_path, "%s.key", name);
    snprintf(public_path, sizeof public_path, "%s.pub", name);
    buf_init(&public_text, MINISIGN_TEXT_MAX);
    minisign_secret_write(&secret_text, secret);
    minisign_public_write(&public_text, &public);
    errno = 0;
    written = write_new(secret_path, 0600, &secret_text);
    if (written && !write_new(public_path, 0644, &public_text)) {
        unlink(secret_path);
        written = false;
    }
    if (written)
        printf("key %s\n%s is secret: it signs\n%s is for those who use the list\n",
               minisign_id_text(id, public.id), secret_path, public_path);
    explicit_bzero(room, sizeof room);
    buf_fini(&public_text);
    return written ? CLI_OK : CLI_CANNOT_WRITE;
}

int list_keygen(struct cli *cli)
{
    struct minisign_secret secret;
    const char *name = cli->words[0], *wrong;
    int status;

    if (*name == '\0' || strlen(name) > PATH_SIZE - 5) {
        fputs("mxcrypt: list keygen needs a name for its two files\n", stderr);
        return CLI_USAGE;
    }
    wrong = minisign_new(&secret);
    if (wrong != NULL) {
        fprintf(stderr, "mxcrypt: %s\n", wrong);
        return CLI_INTERNAL;
    }
    status = write_keys(name, &secret);
    minisign_forget(&secret);
    return status;
}

/* ---- minisign ---- */

/* What minisign(1) writes by itself. */
static void write_comment(char out[MINISIGN_COMMENT_MAX], const struct list_file *file)
{
    const char *name = strrchr(file->path, '/');

    snprintf(out, MINISIGN_COMMENT_MAX, "timestamp:%" PRId64 "\tfile:%.200s\thashed",
             clock_wall_s(), name == NULL ? file->path : name + 1);
}

/* False after a message. */
static bool read_secret(struct minisign_secret *out, const char *path)
{
    const char *wrong = NULL;
    struct buf text;

    buf_init(&text, MINISIGN_TEXT_MAX);
    if (file_read(&text, path) != 0)
        wrong = strerror(errno);
    else
        wrong = minisign_secret_read(out, text.data, text.length);
    fini_secret(&text);
    if (wrong != NULL)
        fprintf(stderr, "mxcrypt: %s: %s\n", path, wrong);
    return wrong == NULL;
}

static int sign_by_minisign(const struct list_file *file, const char *key_path)
{
    char comment[MINISIGN_COMMENT_MAX], path[PATH_SIZE], id[MINISIGN_ID_TEXT];
    struct minisign_secret key;
    struct buf signature;
    const char *wrong;
    int status = CLI_INTERNAL;

    if (!read_secret(&key, key_path))
        return CLI_USAGE;
    buf_init(&signature, MINISIGN_TEXT_MAX);
    write_comment(comment, file);
    snprintf(path, sizeof path, "%s%s", file->path, signature_suffix(SIGNATURE_MINISIGN));
    wrong = minisign_sign(&signature, &key, file->text.data, file->text.length, comment);
    if (wrong != NULL)
        fprintf(stderr, "mxcrypt: %s\n", wrong);
    else
        status = list_replace(path, &signature);
    if (status == CLI_OK)
        printf("%s: key %s\n", path, minisign_id_text(id, key.id));
    minisign_forget(&key);
    buf_fini(&signature);
    return status;
}

/* ---- gpg ---- */

/* Runs gpg as the operator has it, with his keyring, agent and terminal. False after a message. */
static bool run_gpg(const char *const *words)
{
    int state = 0, error;
    pid_t pid;

    error = posix_spawnp(&pid, words[0], NULL, NULL, (char *const *)words, environ);
    while (error == 0 && waitpid(pid, &state, 0) < 0)
        if (errno != EINTR)
            error = errno;
    if (error != 0)
        fprintf(stderr, "mxcrypt: gpg: %s\n", strerror(error));
    else if (!WIFEXITED(state) || WEXITSTATUS(state) != 0)
        fputs("mxcrypt: gpg has not signed it\n", stderr);
    return error == 0 && WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

static int sign_by_gpg(const struct list_file *file, const char *given)
{
    char fingerprint[OPENPGP_FINGERPRINT_MAX + 1], path[PATH_SIZE], new[PATH_SIZE + 8];
    const char *const words[] = {"gpg",       "--yes",    "--armor", "--local-user",
                                 fingerprint, "--output", new,       "--detach-sign",
                                 "--",        file->path, NULL};

    if (!openpgp_fingerprint(fingerprint, given)) {
        fprintf(stderr, "mxcrypt: --fingerprint must be 40 or 64 hexadecimal digits: %s\n", given);
        return CLI_USAGE;
    }
    snprintf(path, sizeof path, "%s%s", file->path, signature_suffix(SIGNATURE_OPENPGP));
    snprintf(new, sizeof new, "%s.new", path);
    if (!run_gpg(words))
        return CLI_DATA;
    if (rename(new, path) != 0) {
        fprintf(stderr, "mxcrypt: %s: %s\n", path, strerror(errno));
        return CLI_CANNOT_WRITE;
    }
    printf("%s: key %s\n", path, fingerprint);
    return CLI_OK;
}

int list_sign(struct cli *cli)
{
    const char *key = cli->own.key, *fingerprint = cli->list.fingerprint, *path = cli->words[0];
    char why[POLICY_LIST_ERROR_MAX];
    enum policy_list_state state;
    struct list_file file;
    int status;

    if ((key == NULL) == (fingerprint == NULL) || strlen(path) > PATH_SIZE - 20) {
        fputs("mxcrypt: list sign needs either --key, a secret key of list keygen or minisign, or "
              "--fingerprint, that of a key of gpg\n",
              stderr);
        return CLI_USAGE;
    }
    status = list_open(&file, path);
    if (status == CLI_OK) {
        state = policy_list_judge(file.header, 0, 0, clock_wall_s(), why);
        if (state == POLICY_LIST_EXPIRED || state == POLICY_LIST_ABSURD) {
            fprintf(stderr, "mxcrypt: %s: nobody would use it: %s\n", path, why);
            status = CLI_DATA;
        }
    }
    if (status == CLI_OK)
        status = key != NULL ? sign_by_minisign(&file, key) : sign_by_gpg(&file, fingerprint);
    list_close(&file);
    return status;
}
