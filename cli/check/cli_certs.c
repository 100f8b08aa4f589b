/* cli_certs: see cli_certs.h. */
#include "cli/check/cli_certs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"

static bool say(const char *path, const char *why)
{
    fprintf(stderr, "mxcrypt: %s: %s\n", path, why);
    return false;
}

/* NULL, or what went wrong; `text` is to be freed in any case. */
static const char *read_file(struct buf *text, const char *path)
{
    buf_init(text, TLS_PEM_MAX);
    return file_read(text, path) == 0 ? NULL : strerror(errno);
}

bool cli_read_chain(struct tls_shown *out, struct arena *arena, const char *path)
{
    struct buf text;
    const char *why = read_file(&text, path);

    if (why == NULL)
        why = tls_pem_read(out, arena, buf_text(&text), text.length);
    buf_fini(&text);
    return why == NULL || say(path, why);
}

bool cli_check_key(const char *path, const struct tls_der *certificate)
{
    struct buf text;
    const char *why = read_file(&text, path);

    if (why == NULL)
        why = tls_pem_key(buf_text(&text), text.length, certificate);
    if (text.data != NULL)
        explicit_bzero(text.data, text.size);
    buf_fini(&text);
    return why == NULL || say(path, why);
}
