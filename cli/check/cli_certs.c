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

bool cli_read_chain(struct tls_shown *out, struct arena *arena, const char *path)
{
    const char *why;
    struct buf text;

    buf_init(&text, TLS_PEM_MAX);
    if (file_read(&text, path) != 0)
        why = strerror(errno);
    else
        why = tls_pem_read(out, arena, buf_text(&text), text.length);
    buf_fini(&text);
    return why == NULL || say(path, why);
}

bool cli_check_key(const char *path, const struct tls_der *certificate)
{
    const char *why;
    struct buf text;

    buf_init(&text, TLS_PEM_MAX);
    if (file_read(&text, path) != 0)
        why = strerror(errno);
    else
        why = tls_pem_key(buf_text(&text), text.length, certificate);
    if (text.data != NULL)
        explicit_bzero(text.data, text.size);
    buf_fini(&text);
    return why == NULL || say(path, why);
}
