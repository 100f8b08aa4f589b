/*
 * config: see config.h. The keys and the syntax of their values are in config_table.c. Any error
 * names file and line and ends the reading: a daemon that has misread its configuration must not
 * start.
 */
#include "daemon/config/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "daemon/config/config_table.h"

#define CONFIG_ARENA_MAX (16 * 1024 * 1024)
#define FILE_MAX         (1024 * 1024)
#define SETTING_MAX      65536 /* octets of a line with its continuations */

enum given { NOT_GIVEN, GIVEN_IN_FILE, GIVEN_AS_OVERRIDE };

struct loading {
    struct config *config;
    /* What is read now, for messages. */
    const char *file;
    unsigned line;      /* 0: none */
    const char *option; /* the override; NULL: none */
    struct buf setting; /* the line so far with its continuations */
    enum given stage, given[CONFIG_KEYS];
    char *error;
};

static int complain(struct loading *loading, const char *key, const char *why)
{
    if (loading->line > 0)
        snprintf(loading->error, CONFIG_ERROR_MAX, "%s:%u: %s: %s", loading->file, loading->line,
                 key, why);
    else
        snprintf(loading->error, CONFIG_ERROR_MAX, "%s: %s: %s", loading->file, key, why);
    return -1;
}

/* ---- settings ---- */

/* The text of a value is kept after those given before. */
static int set_value(struct loading *loading, size_t index, const char *text)
{
    struct config *config = loading->config;
    const char *before = config->texts[index];
    const char *why = config_row_set(config, &config_rows[index], text);

    if (why != NULL)
        return complain(loading, config_rows[index].key, why);
    config->texts[index] =
        arena_printf(config->arena, "%s\n%s", before == NULL ? "" : before, text);
    return 0;
}

const char *config_next_fixed_change(const struct config *a, const struct config *b, size_t *index)
{
    while (*index < CONFIG_KEYS) {
        size_t i = (*index)++;

        if ((config_rows[i].flags & CONFIG_LIVE) == 0 && strcmp(a->texts[i], b->texts[i]) != 0)
            return config_rows[i].key;
    }
    return NULL;
}

static int take_setting(struct loading *loading, const char *key, const char *value)
{
    size_t i = 0;

    while (i < CONFIG_KEYS && strcmp(config_rows[i].key, key) != 0)
        i++;
    if (i == CONFIG_KEYS)
        return complain(loading, key, "unknown key");
    if (loading->stage == GIVEN_IN_FILE && loading->given[i] == GIVEN_AS_OVERRIDE)
        return 0;
    if (loading->given[i] != NOT_GIVEN && (config_rows[i].flags & CONFIG_REPEATS) == 0)
        return complain(loading, key, "given twice");
    loading->given[i] = loading->stage;
    return set_value(loading, i, value);
}

/* ---- syntax: that of Postfix's main.cf ---- */

static int bad_syntax(struct loading *loading, const char *why)
{
    if (loading->option != NULL)
        loading->line = 0;
    return complain(loading, loading->option == NULL ? "syntax" : loading->option, why);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static char *trimmed(struct arena *arena, const char *text, size_t length)
{
    while (length > 0 && is_blank(text[0])) {
        text++;
        length--;
    }
    while (length > 0 && is_blank(text[length - 1]))
        length--;
    return arena_strndup(arena, text, length);
}

/* The line has no more continuations. */
static int end_setting(struct loading *loading)
{
    struct arena *arena = loading->config->arena;
    const char *text = buf_text(&loading->setting), *equals = strchr(text, '=');
    const char *key, *value;

    if (loading->setting.failed)
        return bad_syntax(loading, "a value longer than 65536 octets");
    if (loading->setting.length == 0)
        return 0;
    if (equals == NULL)
        return bad_syntax(loading, "no '=' in this line");
    key = trimmed(arena, text, (size_t)(equals - text));
    value = trimmed(arena, equals + 1, strlen(equals + 1));
    if (arena_failed(arena))
        return bad_syntax(loading, "no memory");
    if (*key == '\0')
        return bad_syntax(loading, "no key before '='");
    buf_clear(&loading->setting);
    return take_setting(loading, key, value);
}

/* A line that begins with a blank continues the one before it; comments and blank lines between
 * them do not count. */
static int take_line(struct loading *loading, const char *line, size_t length, unsigned number)
{
    size_t first = 0;

    while (first < length && is_blank(line[first]))
        first++;
    if (first == length || line[first] == '#')
        return 0;
    if (memchr(line, '\0', length) != NULL) {
        loading->line = number;
        return bad_syntax(loading, "a NUL octet");
    }
    if (first > 0 && loading->setting.length > 0) {
        buf_adds(&loading->setting, " ");
        buf_add(&loading->setting, line + first, length - first);
        return 0;
    }
    if (first == 0 && end_setting(loading) != 0)
        return -1;
    loading->line = number;
    if (first > 0)
        return bad_syntax(loading, "a continuation line with nothing to continue");
    buf_add(&loading->setting, line, length);
    return 0;
}

static int take_text(struct loading *loading, const char *text, size_t length)
{
    unsigned number = 0;

    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t line_length = end == NULL ? length : (size_t)(end - text);
        size_t step = line_length + (end != NULL);

        if (take_line(loading, text, line_length, ++number) != 0)
            return -1;
        text += step;
        length -= step;
    }
    return end_setting(loading);
}

/* ---- all of it ---- */

static int take_overrides(struct loading *loading, const char *const *overrides, size_t count)
{
    loading->stage = GIVEN_AS_OVERRIDE;
    loading->file = "-o";
    for (size_t i = 0; i < count; i++) {
        loading->option = overrides[i];
        if (take_text(loading, overrides[i], strlen(overrides[i])) != 0)
            return -1;
    }
    loading->option = NULL;
    return 0;
}

static int take_defaults(struct loading *loading)
{
    loading->file = "default";
    loading->line = 0;
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        if (loading->given[i] != NOT_GIVEN)
            continue;
        loading->config->listen_default |= strcmp(config_rows[i].key, "listen") == 0;
        if (set_value(loading, i, config_rows[i].fallback) != 0)
            return -1;
    }
    return 0;
}

/* What depends on several keys. */
static int finish(struct loading *loading)
{
    struct config *config = loading->config;
    struct smtp_options *smtp = &config->prober.probes.smtp;

    loading->file = "configuration";
    loading->line = 0;
    if (config->answer_deadline_ms > config->job_deadline_ms)
        return complain(loading, "answer-deadline", "longer than job-deadline");
    if (config->prober.probes.retry_min_ms > config->prober.probes.retry_max_ms)
        return complain(loading, "probe-retry-min", "longer than probe-retry-max");
    if (config->verdict.hold_probe_min_ms > config->verdict.hold_probe_max_ms)
        return complain(loading, "hold-probe-min", "longer than hold-probe-max");
    if (config->verdict.ttl_min_ms > config->verdict.ttl_max_ms)
        return complain(loading, "ttl-min", "longer than ttl-max");
    if ((config->share_cert_file == NULL) != (config->share_cert_key == NULL))
        return complain(loading, "share-cert-file", "share-cert-key belongs to it");
    if ((config->share == NULL || !config->share->tls) &&
        (config->share_ca_file != NULL || config->share_cert_file != NULL))
        return complain(loading, "share-ca-file, share-cert-file",
                        "share is not over TLS: write valkeys://");
    config->verdict.dane = config->prober.dane;
    config->verdict.probe = config->prober.probe;
    smtp->connect_ms = smtp->command_ms = smtp->greeting_ms;
    config->prober.https.body_max = STS_BODY_MAX;
    if (arena_failed(config->arena))
        return complain(loading, "reading", "no memory");
    return 0;
}

int config_parse(struct config *config, const char *name, const char *text, size_t length,
                 const char *const *overrides, size_t override_count, char error[CONFIG_ERROR_MAX])
{
    struct loading loading = {.config = config, .error = error};
    int result;

    memset(config, 0, sizeof *config);
    error[0] = '\0';
    config->arena = arena_new(CONFIG_ARENA_MAX);
    if (config->arena == NULL) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: no memory", name);
        return -1;
    }
    buf_init(&loading.setting, SETTING_MAX);
    result = take_overrides(&loading, overrides, override_count);
    loading.stage = GIVEN_IN_FILE;
    loading.file = name;
    if (result == 0)
        result = take_text(&loading, text, length);
    if (result == 0)
        result = take_defaults(&loading);
    if (result == 0)
        result = finish(&loading);
    buf_fini(&loading.setting);
    return result;
}

int config_load(struct config *config, const char *path, const char *const *overrides,
                size_t override_count, char error[CONFIG_ERROR_MAX])
{
    const char *name = path == NULL ? MXC_CONFIG_FILE : path;
    struct buf text;
    int result = -1;

    memset(config, 0, sizeof *config);
    buf_init(&text, FILE_MAX);
    if (file_read(&text, name) != 0 && (path != NULL || errno != ENOENT))
        snprintf(error, CONFIG_ERROR_MAX, "%s: %s", name, strerror(errno));
    else
        result = config_parse(config, name, buf_text(&text), text.length, overrides, override_count,
                              error);
    config->source = (struct config_source){path, overrides, override_count};
    buf_fini(&text);
    return result;
}

int config_read_rules(struct rules **out, const struct config *config, char error[CONFIG_ERROR_MAX])
{
    const char *name = config->rules_path;
    char why[RULES_ERROR_MAX];
    struct buf text;
    int result = -1;

    *out = NULL;
    buf_init(&text, RULES_TEXT_MAX + 1);
    if (file_read(&text, name) != 0) {
        result = errno == ENOENT && config->rules_optional ? 0 : -1;
        snprintf(error, CONFIG_ERROR_MAX, "%s: %s%s", name, strerror(errno),
                 errno == EACCES ? " (mxcryptd reads it as its own user)" : "");
    } else {
        result = rules_parse(out, buf_text(&text), text.length, config->prober.smtp_port, why);
        if (result != 0)
            snprintf(error, CONFIG_ERROR_MAX, "%s: %s", name, why);
    }
    buf_fini(&text);
    return result;
}

void config_fini(struct config *config)
{
    valkey_tls_free(config->share_tls);
    config->share_tls = NULL;
    arena_free(config->arena);
    config->arena = NULL;
}
