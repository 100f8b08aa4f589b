/* list_show: `mxcrypt list verify`, `list diff` and `list export`: what a list says. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "cli/list/list_command.h"
#include "policy/list/policy_list_write.h"

#define AUTHOR_SHOWN 400

/* What is open, is signed, and may be used or not. */
struct verified {
    struct list_file file;
    struct list_signer signer;
    enum policy_list_state state;
    char why[POLICY_LIST_ERROR_MAX];
};

/* Opens and verifies it. The exit status, after a message; to be closed either way. */
static int open_verified(struct verified *out, const struct cli *cli)
{
    int status = list_open(&out->file, cli->words[0]);

    if (status == CLI_OK)
        status = list_verify(&out->signer, cli, &out->file);
    if (status == CLI_OK)
        out->state = policy_list_judge(out->file.header, 0, 0, clock_wall_s(), out->why);
    return status;
}

/* ---- verify ---- */

static void print_verified(const json_t *json)
{
    const char *author = string_of(json, "author");
    char shown[AUTHOR_SHOWN];

    if (*author != '\0')
        printf("author     %s\n", escape_bytes(shown, sizeof shown, author, strlen(author)));
    printf("signature  good, %s key %s\n", string_of(json, "signature"), string_of(json, "key"));
    printf("timestamp  %s\nexpires    %s\n", string_of(json, "timestamp"),
           string_of(json, "expires"));
    printf("domains    %lld enforce, %lld testing\n", number_of(json, "enforce"),
           number_of(json, "testing"));
    printf("state      %s%s%s\n", string_of(json, "state"),
           *string_of(json, "why") == '\0' ? "" : ": ", string_of(json, "why"));
}

static json_t *json_of(const struct verified *list)
{
    const struct policy_list_header *header = list->file.header;
    char timestamp[POLICY_LIST_TIME_SIZE], expires[POLICY_LIST_TIME_SIZE];

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "list", list->file.path,
                     "author", header->author == NULL ? "" : header->author, "signature",
                     signature_kind_name(list->signer.kind), "key", list->signer.key, "timestamp",
                     policy_list_time_text(timestamp, header->timestamp_s), "expires",
                     policy_list_time_text(expires, header->expires_s), "enforce",
                     (json_int_t)list_count(list->file.list, LIST_ENFORCE), "testing",
                     (json_int_t)list_count(list->file.list, LIST_TESTING), "state",
                     policy_list_state_name(list->state), "why", list->why);
}

int list_verify_command(struct cli *cli)
{
    struct verified list;
    int status = open_verified(&list, cli);

    if (status == CLI_OK) {
        status = cli_show(cli, json_of(&list), print_verified, NULL);
        if (status == CLI_OK && list.state != POLICY_LIST_IN_FORCE)
            status = list.state == POLICY_LIST_ABSURD ? CLI_DATA : CLI_NO;
    }
    list_close(&list.file);
    return status;
}

/* ---- diff ---- */

static const char *const change_names[] = {[POLICY_LIST_ADDED] = "added",
                                           [POLICY_LIST_REMOVED] = "removed",
                                           [POLICY_LIST_CHANGED] = "changed"};

/* {"mode", "mxs"} */
static json_t *json_of_entry(const struct policy_list_entry *entry)
{
    json_t *mxs = json_array();
    const char *mx = entry->mx;

    for (size_t i = 0; i < entry->mx_count; i++, mx += strlen(mx) + 1)
        json_array_append_new(mxs, json_string(mx[0] == '*' ? mx + 1 : mx));
    return json_pack("{s:s, s:o}", "mode", list_mode_name(entry->mode), "mxs", mxs);
}

static void add_change(void *context, enum policy_list_change change,
                       const struct policy_list_entry *was, const struct policy_list_entry *now)
{
    json_t *line = json_pack("{s:s, s:s}", "domain", was != NULL ? was->domain : now->domain,
                             "change", change_names[change]);

    if (was != NULL)
        json_object_set_new(line, "was", json_of_entry(was));
    if (now != NULL)
        json_object_set_new(line, "now", json_of_entry(now));
    json_array_append_new(context, line);
}

static void print_entry(const char *mark, const struct policy_list_entry *entry)
{
    struct buf hosts;

    buf_init(&hosts, POLICY_LIST_VALUE_MAX);
    list_hosts(&hosts, entry, " ");
    printf("%s %s %s %s\n", mark, entry->domain, list_mode_name(entry->mode), buf_text(&hosts));
    buf_fini(&hosts);
}

static void print_change(void *context, enum policy_list_change change,
                         const struct policy_list_entry *was, const struct policy_list_entry *now)
{
    size_t *counts = context;

    counts[change]++;
    if (was != NULL)
        print_entry("-", was);
    if (now != NULL)
        print_entry("+", now);
}

static int diff(const struct cli *cli, const struct list_file *was, const struct list_file *now)
{
    size_t counts[] = {0, 0, 0}, changes;
    json_t *lines = json_array();
    bool whole = policy_list_diff(was->list, now->list, cli->json ? add_change : print_change,
                                  cli->json ? (void *)lines : counts);

    changes = counts[0] + counts[1] + counts[2] + json_array_size(lines);
    if (cli->json)
        print_json(lines);
    else
        printf("%zu added, %zu removed, %zu changed\n", counts[POLICY_LIST_ADDED],
               counts[POLICY_LIST_REMOVED], counts[POLICY_LIST_CHANGED]);
    json_decref(lines);
    if (!whole)
        fputs("mxcrypt: no memory\n", stderr);
    return !whole ? CLI_INTERNAL : changes > 0 ? CLI_NO : CLI_OK;
}

int list_diff(struct cli *cli)
{
    struct list_file was, now;
    int status = list_open(&was, cli->words[0]);

    if (status == CLI_OK) {
        status = list_open(&now, cli->words[1]);
        if (status == CLI_OK)
            status = diff(cli, &was, &now);
        list_close(&now);
    }
    list_close(&was);
    return status;
}

/* ---- export ---- */

static void print_head(const struct verified *list)
{
    const struct policy_list_header *header = list->file.header;
    char timestamp[POLICY_LIST_TIME_SIZE], expires[POLICY_LIST_TIME_SIZE], shown[AUTHOR_SHOWN];
    const char *author = header->author == NULL ? "somebody without a name" : header->author;

    printf("# for smtp_tls_policy_maps = texthash:FILE; made by mxcrypt list export\n"
           "# list of %s, timestamp %s, %s key %s\n"
           "# expires %s: not to be used after that\n",
           escape_bytes(shown, sizeof shown, author, strlen(author)),
           policy_list_time_text(timestamp, header->timestamp_s),
           signature_kind_name(list->signer.kind), list->signer.key,
           policy_list_time_text(expires, header->expires_s));
    printf("# %zu domains; %zu in testing are left out\n",
           list_count(list->file.list, LIST_ENFORCE), list_count(list->file.list, LIST_TESTING));
}

/* Lines in the order of the list. */
static int print_table(const struct verified *list)
{
    struct policy_list_entry entry;
    struct buf hosts;
    size_t at = 0;

    print_head(list);
    buf_init(&hosts, POLICY_LIST_VALUE_MAX);
    while (policy_list_next(&entry, list->file.list, &at)) {
        if (entry.mode != LIST_ENFORCE)
            continue;
        buf_clear(&hosts);
        list_hosts(&hosts, &entry, ":");
        printf("%s\tsecure match=%s servername=hostname\n", entry.domain, buf_text(&hosts));
    }
    buf_fini(&hosts);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CLI_OK;
    perror("mxcrypt: standard output");
    return CLI_CANNOT_WRITE;
}

int list_export(struct cli *cli)
{
    const char *format = cli->survey.format;
    struct verified list;
    int status;

    if (format == NULL || strcmp(format, "postfix") != 0) {
        fputs("mxcrypt: list export writes --format postfix\n", stderr);
        return CLI_USAGE;
    }
    status = open_verified(&list, cli);
    if (status == CLI_OK && list.state != POLICY_LIST_IN_FORCE) {
        fprintf(stderr, "mxcrypt: %s is not to be used: %s\n", list.file.path, list.why);
        status = list.state == POLICY_LIST_ABSURD ? CLI_DATA : CLI_NO;
    }
    if (status == CLI_OK)
        status = print_table(&list);
    list_close(&list.file);
    return status;
}
