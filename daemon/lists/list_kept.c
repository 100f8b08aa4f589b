/* list_kept: see list_kept.h. A file is read by writing it again: what does not give the same octets
 * is damaged. */
#include "daemon/lists/list_kept.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/page/page_write.h"

#define STATE_MAX      4096 /* octets: a source has 900 at most */
#define STATE_HEAD_MAX 256  /* of which the numbers are among the first */

bool list_kept_path(char out[LIST_KEPT_PATH_MAX], const char *store_path, const char *source)
{
    const char *slash = strrchr(store_path, '/');
    int length = snprintf(out, LIST_KEPT_PATH_MAX, "%.*s/list-%016" PRIx64,
                          (int)(slash == NULL ? 0 : slash - store_path), store_path,
                          hash_stable(source, strlen(source)));

    return length > 0 && length < LIST_KEPT_PATH_MAX;
}

static void with_end(char out[LIST_KEPT_PATH_MAX + 8], const char *path, const char *end)
{
    snprintf(out, LIST_KEPT_PATH_MAX + 8, "%s%s", path, end);
}

static bool explain(char why[LIST_KEPT_WHY_MAX], const char *path, const char *reason)
{
    snprintf(why, LIST_KEPT_WHY_MAX, "%s: %s", path, reason);
    return false;
}

/* What was renamed stays so when the power fails; without it, that would come later. */
static void sync_folder(const char *path)
{
    char folder[LIST_KEPT_PATH_MAX + 8];
    int fd;

    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    fd = open(*folder == '\0' ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/* ---- the state ---- */

void list_kept_text(struct buf *out, const struct list_kept *kept, const char *source)
{
    size_t begin = out->length;

    buf_addf(out,
             "mxcryptd list state 1\nnewest %" PRId64 "\ntext %016" PRIx64 "\nsignature %016" PRIx64
             "\ngood %" PRId64 "\nsource %s\n",
             kept->newest_s, kept->text, kept->signature, kept->good_s, source);
    buf_addf(out, "check %016" PRIx64 "\n",
             hash_stable(buf_text(out) + begin, out->length - begin));
}

bool list_kept_parse(struct list_kept *out, const char *text, size_t length, const char *source)
{
    char head[STATE_HEAD_MAX + 1];
    struct buf again;
    bool same;

    snprintf(head, sizeof head, "%.*s", (int)(length < STATE_HEAD_MAX ? length : STATE_HEAD_MAX),
             text);
    if (sscanf(head,
               "mxcryptd list state 1\nnewest %20" SCNd64 "\ntext %16" SCNx64
               "\nsignature %16" SCNx64 "\ngood %20" SCNd64,
               &out->newest_s, &out->text, &out->signature, &out->good_s) != 4)
        return false;
    buf_init(&again, STATE_MAX);
    list_kept_text(&again, out, source);
    same = !again.failed && again.length == length && memcmp(again.data, text, length) == 0;
    buf_fini(&again);
    return same;
}

bool list_kept_read(struct list_kept *out, const char *path, const char *source,
                    char why[LIST_KEPT_WHY_MAX])
{
    char name[LIST_KEPT_PATH_MAX + 8];
    struct buf text;
    bool read = true;

    *out = (struct list_kept){0};
    with_end(name, path, ".state");
    buf_init(&text, STATE_MAX);
    if (file_read(&text, name) != 0)
        read = errno == ENOENT || explain(why, name, strerror(errno));
    else if (!list_kept_parse(out, buf_text(&text), text.length, source))
        read = explain(why, name, "it is damaged");
    buf_fini(&text);
    if (!read)
        *out = (struct list_kept){0};
    return read;
}

bool list_kept_write(const struct list_kept *kept, const char *path, const char *source,
                     char why[LIST_KEPT_WHY_MAX])
{
    char name[LIST_KEPT_PATH_MAX + 8];
    struct buf text;
    bool written = true;

    with_end(name, path, ".state");
    buf_init(&text, STATE_MAX);
    list_kept_text(&text, kept, source);
    if (text.failed)
        written = explain(why, name, "no memory");
    else if (page_replace_text(name, &text) != 0)
        written = explain(why, name, strerror(errno));
    buf_fini(&text);
    if (written)
        sync_folder(name);
    return written;
}

/* ---- the copy: a line with two lengths, the signature, the list ---- */

struct copy {
    const struct buf *text, *signature;
};

int list_copy_header(char out[LIST_COPY_HEADER_MAX], size_t signature_length, size_t length)
{
    return snprintf(out, LIST_COPY_HEADER_MAX, "mxcryptd list copy 1 %zu %zu\n", signature_length,
                    length);
}

static bool fill_copy(FILE *out, const void *context)
{
    const struct copy *copy = context;
    char header[LIST_COPY_HEADER_MAX];

    list_copy_header(header, copy->signature->length, copy->text->length);
    return fputs(header, out) >= 0 &&
           fwrite(copy->signature->data, 1, copy->signature->length, out) ==
               copy->signature->length &&
           fwrite(copy->text->data, 1, copy->text->length, out) == copy->text->length;
}

bool list_copy_write(const struct buf *text, const struct buf *signature, const char *path,
                     char why[LIST_KEPT_WHY_MAX])
{
    const struct copy copy = {text, signature};
    char name[LIST_KEPT_PATH_MAX + 8];

    with_end(name, path, ".copy");
    if (page_replace(name, fill_copy, &copy) != 0)
        return explain(why, name, strerror(errno));
    sync_folder(name);
    return true;
}

bool list_copy_parse(struct buf *text, struct buf *signature)
{
    size_t signature_length, length, header_length;
    char header[LIST_COPY_HEADER_MAX];

    if (text->length == 0 ||
        sscanf(buf_text(text), "mxcryptd list copy 1 %9zu %9zu\n", &signature_length, &length) != 2)
        return false;
    header_length = (size_t)list_copy_header(header, signature_length, length);
    if (text->length != header_length + signature_length + length ||
        memcmp(text->data, header, header_length) != 0)
        return false;
    buf_add(signature, text->data + header_length, signature_length);
    buf_consume(text, header_length + signature_length);
    return !signature->failed;
}

bool list_copy_exists(const char *path)
{
    char name[LIST_KEPT_PATH_MAX + 8];

    with_end(name, path, ".copy");
    return access(name, F_OK) == 0;
}

bool list_copy_read(struct buf *text, struct buf *signature, const char *path)
{
    char name[LIST_KEPT_PATH_MAX + 8];

    with_end(name, path, ".copy");
    if (file_read(text, name) == 0 && list_copy_parse(text, signature))
        return true;
    buf_clear(text);
    buf_clear(signature);
    return false;
}
