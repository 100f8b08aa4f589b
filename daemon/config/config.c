/*
 * config: see config.h. The keys are in config_table.c, the syntax of values in config_values.c.
 * Any error names file and line and ends the reading: a daemon that has misread its configuration
 * must not start.
 */
#include "daemon/config/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/conf.h"
#include "base/file.h"
#include "daemon/config/config_table.h"

#define CONFIG_ARENA_MAX (16 * 1024 * 1024)

/* Where a value came from, for messages. */
struct origin {
    const char *file;
    unsigned line; /* 0: the command line */
};

struct loading {
    struct config *config;
    struct origin origin;
    bool seen[CONFIG_KEYS];
    bool overriding; /* the overrides are being read */
    bool overridden[CONFIG_KEYS];
    char *error;
};

static int complain(struct loading *loading, const char *key, const char *why)
{
    if (loading->origin.line > 0)
        snprintf(loading->error, CONFIG_ERROR_MAX, "%s:%u: %s: %s", loading->origin.file,
                 loading->origin.line, key, why);
    else
        snprintf(loading->error, CONFIG_ERROR_MAX, "%s: %s: %s", loading->origin.file, key, why);
    return -1;
}

/* Appends the text of a value to those given before. */
static void keep_text(struct config *config, size_t index, const char *text)
{
    const char *before = config->texts[index];
    size_t length = before == NULL ? 0 : strlen(before);
    char *all = arena_alloc(config->arena, length + 1 + strlen(text) + 1);

    if (all == NULL)
        return;
    if (before != NULL)
        memcpy(all, before, length);
    all[length] = '\n';
    strcpy(all + length + 1, text);
    config->texts[index] = all;
}

static const char *set_row(struct config *config, size_t index, const char *text)
{
    const char *why = config_row_set(config, &config_rows[index], text);

    if (why == NULL)
        keep_text(config, index, text);
    return why;
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

static int take_setting(void *context, unsigned line, const char *key, const char *value)
{
    struct loading *loading = context;
    const char *why;
    size_t i;

    loading->origin.line = line;
    for (i = 0; i < CONFIG_KEYS; i++)
        if (strcmp(config_rows[i].key, key) == 0)
            break;
    if (i == CONFIG_KEYS)
        return complain(loading, key, "unknown key");
    if (!loading->overriding && loading->overridden[i])
        return 0;
    if (loading->seen[i] && (config_rows[i].flags & CONFIG_REPEATS) == 0)
        return complain(loading, key, "given twice");
    loading->seen[i] = true;
    if (loading->overriding)
        loading->overridden[i] = true;
    why = set_row(loading->config, i, value);
    return why == NULL ? 0 : complain(loading, key, why);
}

static int take_overrides(struct loading *loading, const char *const *overrides, size_t count)
{
    const char *why = NULL;
    unsigned line;

    loading->overriding = true;
    loading->origin.file = "-o";
    for (size_t i = 0; i < count; i++) {
        int result = conf_read(overrides[i], strlen(overrides[i]), loading->config->arena,
                               take_setting, loading, &line, &why);

        if (result != 0 && why == NULL)
            return -1;
        loading->origin.line = 0;
        if (result != 0)
            return complain(loading, overrides[i], why);
    }
    loading->overriding = false;
    return 0;
}

static int take_defaults(struct loading *loading)
{
    loading->origin = (struct origin){"default", 0};
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        const char *why =
            loading->seen[i] ? NULL : set_row(loading->config, i, config_rows[i].fallback);

        if (!loading->seen[i] && strcmp(config_rows[i].key, "listen") == 0)
            loading->config->listen_default = true;
        if (why != NULL)
            return complain(loading, config_rows[i].key, why);
    }
    return 0;
}

/* What depends on several keys. */
static int finish(struct loading *loading)
{
    struct config *config = loading->config;
    struct smtp_options *smtp = &config->prober.probes.smtp;

    loading->origin = (struct origin){"configuration", 0};
    if (config->answer_deadline_ms > config->job_deadline_ms)
        return complain(loading, "answer-deadline", "longer than job-deadline");
    if (config->prober.probes.retry_min_ms > config->prober.probes.retry_max_ms)
        return complain(loading, "probe-retry-min", "longer than probe-retry-max");
    if (config->verdict.hold_probe_min_ms > config->verdict.hold_probe_max_ms)
        return complain(loading, "hold-probe-min", "longer than hold-probe-max");
    if (config->verdict.ttl_min_ms > config->verdict.ttl_max_ms)
        return complain(loading, "ttl-min", "longer than ttl-max");
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
    const char *why = NULL;
    unsigned line = 0;

    memset(config, 0, sizeof *config);
    error[0] = '\0';
    config->arena = arena_new(CONFIG_ARENA_MAX);
    if (config->arena != NULL)
        config->texts = arena_array(config->arena, CONFIG_KEYS, sizeof *config->texts);
    if (config->texts == NULL) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: no memory", name);
        return -1;
    }
    if (take_overrides(&loading, overrides, override_count) != 0)
        return -1;
    loading.origin.file = name;
    if (conf_read(text, length, config->arena, take_setting, &loading, &line, &why) != 0) {
        loading.origin.line = line;
        return why == NULL ? -1 : complain(&loading, "syntax", why);
    }
    if (take_defaults(&loading) != 0)
        return -1;
    return finish(&loading);
}

int config_load(struct config *config, const char *path, const char *const *overrides,
                size_t override_count, char error[CONFIG_ERROR_MAX])
{
    const char *name = path == NULL ? MXC_CONFIG_FILE : path;
    struct buf text;
    int result;

    memset(config, 0, sizeof *config);
    buf_init(&text, CONF_FILE_MAX);
    if (file_read(&text, name) != 0 && (path != NULL || errno != ENOENT)) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: %s", name, strerror(errno));
        buf_fini(&text);
        return -1;
    }
    result =
        config_parse(config, name, buf_text(&text), text.length, overrides, override_count, error);
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
    arena_free(config->arena);
    config->arena = NULL;
}
