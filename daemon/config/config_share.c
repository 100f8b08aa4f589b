/* config_share: the files of the share: a secret in each, and certificates; and with whom its records
 * can be shared. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mac.h"
#include "daemon/config/config_table.h"

/* A file of at most `max` octets, as a string of the arena. 0 or -1 with a message. */
static int read_secret(const char **out, size_t *length, struct config *config, const char *key,
                       const char *path, size_t max, char error[CONFIG_ERROR_MAX])
{
    struct buf text;
    int result = 0;

    buf_init(&text, max + 2);
    if (file_read(&text, path) != 0) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: %s: %s", key, path,
                 errno == EFBIG ? "it is too long" : strerror(errno));
        result = -1;
    } else {
        *length = text.length;
        while (*length > 0 && strchr("\r\n", text.data[*length - 1]) != NULL)
            --*length;
        *out = arena_strndup(config->arena, buf_text(&text), *length);
        if (*length == 0 || *length > max || memchr(buf_text(&text), '\0', *length) != NULL) {
            snprintf(error, CONFIG_ERROR_MAX, "%s: %s: it is empty, too long, or has a NUL", key,
                     path);
            result = -1;
        }
    }
    buf_fini(&text);
    return result;
}

static const char *or_none(const char *path)
{
    return path == NULL ? "none" : path;
}

static int read_tls(struct config *config, char error[CONFIG_ERROR_MAX])
{
    const char *why = NULL;

    if (!config->share->tls)
        return 0;
    config->share_tls = valkey_tls_new(config->share_ca_file, config->share_cert_file,
                                       config->share_cert_key, &why);
    if (config->share_tls != NULL)
        return 0;
    snprintf(error, CONFIG_ERROR_MAX,
             "%s (share-ca-file: %s, share-cert-file: %s, share-cert-key: %s)", why,
             or_none(config->share_ca_file), or_none(config->share_cert_file),
             or_none(config->share_cert_key));
    return -1;
}

int config_read_share(struct config *config, char error[CONFIG_ERROR_MAX])
{
    size_t length;

    if (config->share == NULL)
        return 0;
    if (read_tls(config, error) != 0)
        return -1;
    if (config->share_password_file != NULL &&
        read_secret(&config->share_password, &length, config, "share-password-file",
                    config->share_password_file, VALKEY_PASSWORD_MAX, error) != 0)
        return -1;
    if (config->share_key_file == NULL)
        return 0;
    if (read_secret(&config->share_key, &config->share_key_length, config, "share-key-file",
                    config->share_key_file, MAC_KEY_MAX, error) != 0)
        return -1;
    if (config->share_key_length >= MAC_KEY_MIN)
        return 0;
    snprintf(error, CONFIG_ERROR_MAX, "share-key-file: %s: it has less than %d octets",
             config->share_key_file, MAC_KEY_MIN);
    return -1;
}

uint32_t config_lookup_hash(const struct config *config)
{
    uint64_t hashes[CONFIG_KEYS];
    size_t count = 0;

    for (size_t i = 0; i < CONFIG_KEYS; i++)
        if ((config_rows[i].flags & CONFIG_LOOKUP) != 0)
            hashes[count++] = hash_stable(config->texts[i], strlen(config->texts[i]));
    return (uint32_t)hash_stable(hashes, count * sizeof hashes[0]);
}
