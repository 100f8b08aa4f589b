/*
 * doctor_judge_probe: whether mxcryptd's probes see what Postfix will see: the versions and ciphers
 * of TLS that each smtp(8) service takes at encrypt and above. See doctor.h. Pure.
 *
 * Postfix's words are those of mxcryptd.conf, so that the line that suits can be told as it is.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/doctor.h"
#include "probe/tls_settings.h"

static const char *value_of(const struct doctor_client *client, enum postfix_parameter parameter)
{
    return client->values[parameter] == NULL ? "" : client->values[parameter];
}

static bool matters(const struct doctor_facts *facts, const struct doctor_client *client,
                    enum postfix_parameter parameter)
{
    return facts->config->prober.probe && client->values[parameter] != NULL &&
           doctor_client_matters(facts, client);
}

/* ---- versions ---- */

static void protocols(struct doctor_report *report, const struct config *config,
                      const struct doctor_client *client)
{
    const char *value = value_of(client, POSTFIX_MANDATORY_PROTOCOLS), *why;
    char names[TLS_VERSIONS_TEXT_MAX], more[TLS_VERSIONS_TEXT_MAX];
    unsigned ours = config->prober.tls.versions, theirs;
    const char *fix =
        arena_printf(report->arena, "tls-protocols = %.200s, in mxcryptd.conf", value);

    why = tls_versions_parse(&theirs, value);
    if (why != NULL)
        doctor_find(
            report, DOCTOR_ERROR, client->where,
            arena_printf(report->arena, "smtp_tls_mandatory_protocols = %.200s: %s", value, why),
            "smtp_tls_mandatory_protocols = >=TLSv1.2");
    else if ((ours & ~theirs) != 0)
        doctor_find(report, DOCTOR_ERROR, client->where,
                    arena_printf(report->arena,
                                 "smtp_tls_mandatory_protocols allows %s, and tls-protocols also "
                                 "%s: mail to hosts that do nothing newer would wait",
                                 tls_versions_text(names, theirs),
                                 tls_versions_text(more, ours & ~theirs)),
                    fix);
    else if ((theirs & ~ours) != 0)
        doctor_find(report, DOCTOR_WARNING, client->where,
                    arena_printf(report->arena,
                                 "tls-protocols allows %s, and smtp_tls_mandatory_protocols also "
                                 "%s: hosts with nothing else count as without TLS",
                                 tls_versions_text(names, ours),
                                 tls_versions_text(more, theirs & ~ours)),
                    fix);
}

void doctor_judge_protocols(struct doctor_report *report, const struct doctor_facts *facts)
{
    for (size_t i = 0; i < facts->client_count; i++)
        if (matters(facts, &facts->clients[i], POSTFIX_MANDATORY_PROTOCOLS))
            protocols(report, facts->config, &facts->clients[i]);
}

/* ---- ciphers ---- */

static bool same_ciphers(const char *a, const char *b)
{
    const char *example;

    return tls_ciphers_beyond(a, b, &example) == 0 && tls_ciphers_beyond(b, a, &example) == 0;
}

/* What stands first in tls-ciphers: the name of the grade, or the list that main.cf has for it in
 * place of Postfix's own; NULL when it is no grade that mail can be sent with. */
static const char *first_word(struct arena *arena, const struct doctor_client *client)
{
    const char *grade = value_of(client, POSTFIX_MANDATORY_CIPHERS);
    bool high = strcasecmp(grade, "high") == 0;
    const char *list = value_of(client, high ? POSTFIX_HIGH_CIPHERS : POSTFIX_MEDIUM_CIPHERS);
    char *text;

    if (!high && strcasecmp(grade, "medium") != 0 && strcasecmp(grade, "low") != 0 &&
        strcasecmp(grade, "export") != 0)
        return NULL;
    if (*list == '\0' || same_ciphers(list, high ? TLS_CIPHERS_HIGH : TLS_CIPHERS_MEDIUM))
        return high ? "high" : "medium";
    text = arena_strdup(arena, list);
    for (char *p = text; p != NULL && *p != '\0'; p++)
        if (*p == ' ' || *p == ',' || *p == '\t')
            *p = ':';
    return text;
}

static void add_exclusions(struct buf *out, const char *text)
{
    static const char separators[] = ", \t:";

    for (text += strspn(text, separators); *text != '\0'; text += strspn(text, separators)) {
        size_t length = strcspn(text, separators);

        buf_adds(out, " !");
        buf_add(out, text, length);
        text += length;
    }
}

/* What tls-ciphers should say; NULL without a grade or memory. */
static const char *suits(struct arena *arena, const struct doctor_client *client)
{
    const char *first = first_word(arena, client), *text;
    struct buf out;

    if (first == NULL)
        return NULL;
    buf_init(&out, POSTFIX_LINE_MAX);
    buf_adds(&out, first);
    add_exclusions(&out, value_of(client, POSTFIX_EXCLUDE_CIPHERS));
    add_exclusions(&out, value_of(client, POSTFIX_MANDATORY_EXCLUDE));
    text = out.failed ? NULL : arena_strdup(arena, buf_text(&out));
    buf_fini(&out);
    return text;
}

#define CIPHERS_OF_POSTFIX "smtp_tls_mandatory_ciphers, less what is excluded,"

static void compare_ciphers(struct doctor_report *report, const struct config *config,
                            const struct doctor_client *client, const char *wanted)
{
    char list[TLS_CIPHERS_MAX];
    const char *why = tls_ciphers_parse(list, wanted), *example = "";
    const char *fix =
        arena_printf(report->arena, "tls-ciphers = %.1500s, in mxcryptd.conf", wanted);
    int more;

    if (why != NULL) {
        doctor_find(report, DOCTOR_ERROR, client->where,
                    arena_printf(report->arena, CIPHERS_OF_POSTFIX " cannot be used: %s", why),
                    "smtp_tls_mandatory_ciphers = medium, and fewer exclusions");
        return;
    }
    more = tls_ciphers_beyond(config->prober.tls.cipher_list, list, &example);
    if (more > 0) {
        doctor_find(report, DOCTOR_ERROR, client->where,
                    arena_printf(report->arena,
                                 CIPHERS_OF_POSTFIX " allows %d fewer ciphers than tls-ciphers, "
                                                    "not %s: mail to hosts without better ones "
                                                    "would wait",
                                 more, example),
                    fix);
        return;
    }
    more = tls_ciphers_beyond(list, config->prober.tls.cipher_list, &example);
    if (more > 0)
        doctor_find(report, DOCTOR_WARNING, client->where,
                    arena_printf(report->arena,
                                 "tls-ciphers allows %d fewer ciphers than " CIPHERS_OF_POSTFIX
                                 " not %s: hosts without better ones count as without TLS",
                                 more, example),
                    fix);
}

static void ciphers(struct doctor_report *report, const struct config *config,
                    const struct doctor_client *client)
{
    const char *wanted = suits(report->arena, client);

    if (wanted != NULL)
        compare_ciphers(report, config, client, wanted);
    else
        doctor_find(report, DOCTOR_ERROR, client->where,
                    arena_printf(report->arena,
                                 "smtp_tls_mandatory_ciphers = %.100s is no grade to send mail "
                                 "with",
                                 value_of(client, POSTFIX_MANDATORY_CIPHERS)),
                    "smtp_tls_mandatory_ciphers = medium");
}

void doctor_judge_ciphers(struct doctor_report *report, const struct doctor_facts *facts)
{
    for (size_t i = 0; i < facts->client_count; i++)
        if (matters(facts, &facts->clients[i], POSTFIX_MANDATORY_CIPHERS))
            ciphers(report, facts->config, &facts->clients[i]);
}
