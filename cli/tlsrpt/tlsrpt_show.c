/* tlsrpt_show: `mxcrypt tlsrpt show`: a report for people, one of ours or one that was received: all
 * in it is escaped. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit/tlsrpt/tlsrpt_file.h"
#include "base/escape.h"
#include "cli/tlsrpt/tlsrpt_command.h"

#define SHOWN_MAX   300
#define DETAILS_MAX 1000

static const char *shown(char out[SHOWN_MAX], const char *text)
{
    return escape_bytes(out, SHOWN_MAX, text, strlen(text));
}

json_t *tlsrpt_load(const char *path, struct buf *octets, const char **why)
{
    struct buf text;
    json_t *report = NULL;

    *why = NULL;
    if (file_read(octets, path) != 0) {
        *why = strerror(errno);
        return NULL;
    }
    buf_init(&text, TLSRPT_JSON_MAX);
    *why = tlsrpt_unpack(&text, buf_text(octets), octets->length);
    if (*why == NULL) {
        report = json_loadb(buf_text(&text), text.length, JSON_REJECT_DUPLICATES, NULL);
        *why = report == NULL ? "it is no JSON" : NULL;
    }
    buf_fini(&text);
    errno = 0;
    return report;
}

static void show_detail(const json_t *detail)
{
    static const char *const words[] = {"receiving-mx-hostname", "receiving-ip", "sending-mta-ip",
                                        "failure-reason-code", "additional-information"};
    char room[SHOWN_MAX];

    printf("    %lld %s", number_of(detail, "failed-session-count"),
           shown(room, string_of(detail, "result-type")));
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (*string_of(detail, words[i]) != '\0')
            printf("%s%s", i == 0 ? " at " : ", ", shown(room, string_of(detail, words[i])));
    putchar('\n');
}

static void show_policy(const json_t *policy)
{
    const json_t *about = json_object_get(policy, "policy");
    const json_t *summary = json_object_get(policy, "summary");
    const json_t *details = json_object_get(policy, "failure-details"), *one;
    char room[SHOWN_MAX];
    size_t i;

    printf("  %s", shown(room, string_of(about, "policy-type")));
    printf(" %s: %lld sessions succeeded, %lld failed\n",
           shown(room, string_of(about, "policy-domain")),
           number_of(summary, "total-successful-session-count"),
           number_of(summary, "total-failure-session-count"));
    json_array_foreach(json_object_get(about, "policy-string"), i, one)
    {
        if (i < DETAILS_MAX && json_is_string(one))
            printf("    | %s\n", shown(room, json_string_value(one)));
    }
    json_array_foreach(details, i, one)
    {
        if (i < DETAILS_MAX)
            show_detail(one);
    }
}

static void show(const struct tlsrpt_heading *heading)
{
    char organization[SHOWN_MAX], contact[SHOWN_MAX], begin[SHOWN_MAX], end[SHOWN_MAX],
        id[SHOWN_MAX];
    const json_t *policy;
    size_t i;

    printf("%s (%s), %s to %s, report %s\n", shown(organization, heading->organization),
           shown(contact, heading->contact), shown(begin, heading->begin), shown(end, heading->end),
           shown(id, heading->id));
    json_array_foreach(heading->policies, i, policy)
    {
        if (i < DETAILS_MAX)
            show_policy(policy);
    }
}

int do_tlsrpt_show(struct cli *cli)
{
    struct tlsrpt_heading heading;
    struct buf octets;
    const char *why;
    json_t *report;
    int status = CLI_OK;

    buf_init(&octets, TLSRPT_JSON_MAX);
    report = tlsrpt_load(cli->words[0], &octets, &why);
    if (report != NULL && !tlsrpt_heading_read(&heading, report))
        why = "it is no report";
    if (why != NULL) {
        fprintf(stderr, "mxcrypt: %s: %s\n", cli->words[0], why);
        status = CLI_DATA;
    } else if (cli->json)
        print_json(report);
    else
        show(&heading);
    json_decref(report);
    buf_fini(&octets);
    return status;
}
