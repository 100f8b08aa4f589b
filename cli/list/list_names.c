/* list_names: see list_names.h. */
#include "cli/list/list_names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "policy/key.h"
#include "policy/rules/rules.h"

/* A key that is a domain, at the port of SMTP: what a list can have. */
static void write_key(FILE *out, const struct cli *cli, const char *text, size_t *count)
{
    struct key key;

    key_parse(&key, text, strlen(text), cli->config.prober.smtp_port);
    if (key.kind != KEY_DOMAIN || strcmp(key.text, key.name) != 0)
        return;
    fprintf(out, "%s\n", key.name);
    (*count)++;
}

static FILE *open_names(const char *path)
{
    FILE *out = fopen(path, "wx");

    if (out == NULL)
        fprintf(stderr, "mxcrypt: %s: %s\n", path, strerror(errno));
    return out;
}

static int close_names(FILE *out, const char *path, int status)
{
    bool whole = !ferror(out);

    if (fclose(out) == 0 && whole)
        return status;
    fprintf(stderr, "mxcrypt: %s: %s\n", path, strerror(errno));
    return CLI_CANNOT_WRITE;
}

/* ---- rules ---- */

static bool asks_for_tls(const struct rule *rule, int64_t now_s)
{
    bool lapsed = rule->until_s != 0 && rule->until_s <= now_s;

    return !lapsed && (rule->action == RULE_AT_LEAST || rule->action == RULE_EXACTLY) &&
           rule->level >= VERDICT_ENCRYPT;
}

int list_names_of_rules(struct cli *cli, const char *path, size_t *count)
{
    char error[CONFIG_ERROR_MAX + RULES_ERROR_MAX];
    int64_t now_s = clock_wall_s();
    struct rules *rules = NULL;
    FILE *out;

    *count = 0;
    if (config_read_rules(&rules, &cli->config, error) != 0) {
        fprintf(stderr, "mxcrypt: %s\n", error);
        return CLI_DATA;
    }
    out = open_names(path);
    for (size_t i = 0; out != NULL && rules != NULL && i < rules_count(rules); i++)
        if (asks_for_tls(rules_at(rules, i), now_s))
            write_key(out, cli, rules_at(rules, i)->pattern, count);
    rules_free(rules);
    return out == NULL ? CLI_CANNOT_WRITE : close_names(out, path, CLI_OK);
}

/* ---- memory ---- */

int list_names_of_memory(struct cli *cli, const char *path, size_t *count)
{
    json_t *entries = json_array(), *entry;
    FILE *out = open_names(path);
    int status = CLI_CANNOT_WRITE;
    size_t i, asked;

    *count = 0;
    if (out != NULL)
        status =
            client_pages(cli, client_request("cache-list", NULL), "entries", entries, NULL, &asked);
    json_array_foreach(entries, i, entry)
    {
        if (status == CLI_OK)
            write_key(out, cli, string_of(entry, "key"), count);
    }
    json_decref(entries);
    return out == NULL ? status : close_names(out, path, status);
}
