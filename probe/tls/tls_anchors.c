/*
 * tls_anchors: see tls_anchors.h. c_rehash and update-ca-certificates change the directory as well
 * as the files in it.
 */
#include "probe/tls/tls_anchors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "base/escape.h"
#include "probe/tls/tls_internal.h"

struct tls_anchors {
    X509_STORE *store; /* owned */
};

static const char *default_path(const char *variable, const char *built_in)
{
    const char *value = getenv(variable);

    return value != NULL ? value : built_in;
}

static bool is_system(const struct tls_anchors_place *place)
{
    return place->file == NULL && place->path == NULL;
}

/* The system's file and directory in the place of none. */
static struct tls_anchors_place resolve(const struct tls_anchors_place *place)
{
    if (!is_system(place))
        return *place;
    return (struct tls_anchors_place){
        default_path(X509_get_default_cert_file_env(), X509_get_default_cert_file()),
        default_path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir())};
}

void tls_anchors_look(struct file_mark *out, const struct tls_anchors_place *place)
{
    const struct tls_anchors_place where = resolve(place);

    *out = (struct file_mark){0};
    file_mark_add(out, where.file);
    file_mark_add(out, where.path);
}

/* ---- loading ---- */

/* True when a directory holds at least one name made by c_rehash: eight hex digits, dot, digit. */
static bool directory_has_anchors(const char *path)
{
    DIR *directory = opendir(path);
    bool found = false;
    struct dirent *entry;

    if (directory == NULL)
        return false;
    while (!found && (entry = readdir(directory)) != NULL)
        found = strspn(entry->d_name, "0123456789abcdef") == 8 && entry->d_name[8] == '.' &&
                entry->d_name[9] >= '0' && entry->d_name[9] <= '9';
    closedir(directory);
    return found;
}

static bool load_file(X509_STORE *store, const char *file)
{
    return X509_STORE_load_file(store, file) == 1;
}

static bool load_path(X509_STORE *store, const char *path)
{
    return directory_has_anchors(path) && X509_STORE_load_path(store, path) == 1;
}

/* Either of the system's two will do; what the operator named must be there. */
static bool load(X509_STORE *store, const struct tls_anchors_place *place,
                 char why[TLS_ANCHORS_WHY_MAX])
{
    const struct tls_anchors_place where = resolve(place);
    char name[TLS_ANCHORS_WHY_MAX / 2];
    bool file, path;

    if (is_system(place)) {
        file = load_file(store, where.file);
        path = load_path(store, where.path);
        if (file || path)
            return true;
        snprintf(why, TLS_ANCHORS_WHY_MAX,
                 "the system has no CA certificates: install "
                 "ca-certificates or set ca-file");
        return false;
    }
    if (where.file != NULL && !load_file(store, where.file)) {
        snprintf(why, TLS_ANCHORS_WHY_MAX, "ca-file %s: no certificate can be read from it",
                 escape_bytes(name, sizeof name, where.file, strlen(where.file)));
        return false;
    }
    if (where.path != NULL && !load_path(store, where.path)) {
        snprintf(why, TLS_ANCHORS_WHY_MAX,
                 "ca-path %s: no hashed certificates in it (openssl rehash)",
                 escape_bytes(name, sizeof name, where.path, strlen(where.path)));
        return false;
    }
    return true;
}

int tls_anchors_load(struct tls_anchors **out, const struct tls_anchors_place *place,
                     char why[TLS_ANCHORS_WHY_MAX])
{
    struct tls_anchors *anchors = calloc(1, sizeof *anchors);
    bool loaded = false;

    snprintf(why, TLS_ANCHORS_WHY_MAX, "no memory");
    if (anchors != NULL)
        anchors->store = X509_STORE_new();
    if (anchors != NULL && anchors->store != NULL)
        loaded = load(anchors->store, place, why);
    ERR_clear_error();
    if (loaded) {
        *out = anchors;
        return 0;
    }
    tls_anchors_free(anchors);
    return -1;
}

void tls_anchors_free(struct tls_anchors *anchors)
{
    if (anchors == NULL)
        return;
    X509_STORE_free(anchors->store);
    free(anchors);
}

void tls_context_use_anchors(struct tls_context *context, const struct tls_anchors *anchors)
{
    SSL_CTX_set1_cert_store(context->ssl_ctx, anchors->store);
}
