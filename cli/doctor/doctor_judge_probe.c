/*
 * doctor_judge_probe: whether mxcryptd's probes see what Postfix will see: the versions and ciphers
 * of TLS that each smtp(8) service takes at encrypt and above, and the address it connects from.
 * See doctor.h. Pure.
 *
 * mxcryptd.conf uses the words of main.cf, so that the fix can be printed as a line of it.
 */
#define _GNU_SOURCE /* strcasestr */
#include <string.h>
#include <strings.h>

#include "cli/doctor/doctor.h"
#include "probe/tls/tls_settings.h"

#define SUITS_MAX ((size_t)4 * POSTFIX_LINE_MAX) /* two lists, "a," becoming " !a" */

/* True when there are probes, and the Postfix of this client has the parameter. */
static bool compares(const struct doctor_report *report, enum postfix_parameter parameter)
{
    return report->facts->config->prober.probe && report->client->values[parameter] != NULL;
}

/* ---- versions ---- */

void doctor_judge_protocols(struct doctor_report *report)
{
    const char *value = doctor_value(report->client->values, POSTFIX_MANDATORY_PROTOCOLS), *why;
    char names[TLS_VERSIONS_TEXT_MAX], more[TLS_VERSIONS_TEXT_MAX];
    unsigned ours = report->facts->config->prober.tls.versions, theirs;
    const char *fix =
        arena_printf(report->arena, "tls-protocols = %.200s, in mxcryptd.conf", value);

    if (!compares(report, POSTFIX_MANDATORY_PROTOCOLS))
        return;
    why = tls_versions_parse(&theirs, value);
    if (why != NULL)
        doctor_find(report, DOCTOR_ERROR, "smtp_tls_mandatory_protocols = >=TLSv1.2",
                    "smtp_tls_mandatory_protocols = %.200s: %s", value, why);
    else if ((ours & ~theirs) != 0)
        doctor_find(report, DOCTOR_ERROR, fix,
                    "smtp_tls_mandatory_protocols allows %s, and tls-protocols also %s: mail to "
                    "hosts that do nothing newer would wait",
                    tls_versions_text(names, theirs), tls_versions_text(more, ours & ~theirs));
    else if ((theirs & ~ours) != 0)
        doctor_find(report, DOCTOR_WARNING, fix,
                    "tls-protocols allows %s, and smtp_tls_mandatory_protocols also %s: hosts with "
                    "nothing else count as without TLS",
                    tls_versions_text(names, ours), tls_versions_text(more, theirs & ~ours));
}

/* ---- ciphers ---- */

static bool same_ciphers(const char *a, const char *b)
{
    const char *example;

    return tls_ciphers_beyond(a, b, &example) == 0 && tls_ciphers_beyond(b, a, &example) == 0;
}

/* Whether a list is what Postfix has for the grade unless main.cf says otherwise: since 3.8 without
 * ciphers that are out of use: a difference that does not matter. */
static bool is_default(const char *list, bool high)
{
    return *list == '\0' || same_ciphers(list, high ? TLS_CIPHERS_HIGH : TLS_CIPHERS_MEDIUM) ||
           same_ciphers(list, high ? "HIGH" : "HIGH:MEDIUM");
}

/* What stands first in tls-ciphers: the name of the grade, or the list that main.cf has for it in
 * place of Postfix's own; NULL when the grade is not one to send mail with, or without memory. */
static const char *first_word(struct arena *arena, const struct doctor_client *client)
{
    const char *grade = doctor_value(client->values, POSTFIX_MANDATORY_CIPHERS);
    bool high = strcasecmp(grade, "high") == 0;
    const char *list =
        doctor_value(client->values, high ? POSTFIX_HIGH_CIPHERS : POSTFIX_MEDIUM_CIPHERS);
    char *text;

    if (!high && strcasecmp(grade, "medium") != 0 && strcasecmp(grade, "low") != 0 &&
        strcasecmp(grade, "export") != 0)
        return NULL;
    if (is_default(list, high))
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
    buf_init(&out, SUITS_MAX);
    buf_adds(&out, first);
    add_exclusions(&out, doctor_value(client->values, POSTFIX_EXCLUDE_CIPHERS));
    add_exclusions(&out, doctor_value(client->values, POSTFIX_MANDATORY_EXCLUDE));
    text = out.failed ? NULL : arena_strdup(arena, buf_text(&out));
    buf_fini(&out);
    return text;
}

#define CIPHERS_OF_POSTFIX "smtp_tls_mandatory_ciphers, less what is excluded,"

void doctor_judge_ciphers(struct doctor_report *report)
{
    const char *ours = report->facts->config->prober.tls.cipher_list, *example = "";
    const char *wanted, *why, *fix;
    char list[TLS_CIPHERS_MAX];
    int more;

    if (!compares(report, POSTFIX_MANDATORY_CIPHERS))
        return;
    wanted = suits(report->arena, report->client);
    if (wanted == NULL) {
        doctor_find(report, DOCTOR_ERROR, "smtp_tls_mandatory_ciphers = medium",
                    "smtp_tls_mandatory_ciphers = %.100s is no grade to send mail with",
                    doctor_value(report->client->values, POSTFIX_MANDATORY_CIPHERS));
        return;
    }
    why = tls_ciphers_parse(list, wanted);
    fix = arena_printf(report->arena, "tls-ciphers = %.1500s, in mxcryptd.conf", wanted);
    if (why != NULL)
        doctor_find(report, DOCTOR_ERROR,
                    "smtp_tls_mandatory_ciphers = medium, and fewer exclusions",
                    CIPHERS_OF_POSTFIX " cannot be used: %s", why);
    else if ((more = tls_ciphers_beyond(ours, list, &example)) > 0)
        doctor_find(report, DOCTOR_ERROR, fix,
                    CIPHERS_OF_POSTFIX " allows %d fewer ciphers than tls-ciphers, not %s: mail to "
                                       "hosts without better ones would wait",
                    more, example);
    else if ((more = tls_ciphers_beyond(list, ours, &example)) > 0)
        doctor_find(report, DOCTOR_WARNING, fix,
                    "tls-ciphers allows %d fewer ciphers than " CIPHERS_OF_POSTFIX
                    " not %s: hosts without better ones count as without TLS",
                    more, example);
}

/* ---- source addresses ---- */

static const char *source_text(struct arena *arena, const struct ip *ip, const char *from)
{
    char text[IP_TEXT_MAX];

    if (ip->family == 0)
        return "any address";
    return arena_printf(arena, "%s (%s)", ip_text(ip, text), from);
}

/* Of one family: our address (family 0: the kernel's choice) by our key, and Postfix's by its
 * parameter or, without, the one of inet_interfaces. */
static void compare_source(struct doctor_report *report, const char *key, const struct ip *ours,
                           enum postfix_parameter parameter, struct ip theirs)
{
    const char *value = doctor_value(report->client->values, parameter), *fix;
    const char *name = postfix_parameter_names[parameter];
    const char *from = *value == '\0' ? "inet_interfaces" : name;
    char text[IP_TEXT_MAX];

    if (*value != '\0' && !ip_parse(&theirs, value)) {
        doctor_find(report, DOCTOR_ERROR,
                    arena_printf(report->arena, "%s = an address of this host", name),
                    "%s = %.100s is no address", name, value);
        return;
    }
    if (theirs.family == ours->family && (theirs.family == 0 || ip_equal(&theirs, ours)))
        return;
    if (theirs.family == 0)
        fix = arena_printf(report->arena, "%s = %s (or no %s in mxcryptd.conf)", name,
                           ip_text(ours, text), key);
    else
        fix = arena_printf(report->arena, "%s = %s, in mxcryptd.conf", key, ip_text(&theirs, text));
    doctor_find(report, DOCTOR_WARNING, fix,
                "smtp(8) connects from %s, and the probes from %s: a server that treats addresses "
                "differently is judged wrongly",
                source_text(report->arena, &theirs, from), source_text(report->arena, ours, key));
}

/* inet_protocols; an empty list means all. */
static bool has_protocol(const struct doctor_client *client, const char *name)
{
    const char *list = doctor_value(client->values, POSTFIX_INET_PROTOCOLS);

    return *list == '\0' || strcasestr(list, "all") != NULL || strcasestr(list, name) != NULL;
}

void doctor_judge_bind_address(struct doctor_report *report)
{
    const struct smtp_options *smtp = &report->facts->config->prober.probes.smtp;
    const struct doctor_client *client = report->client;

    if (!compares(report, POSTFIX_BIND_ADDRESS))
        return;
    if (client->interfaces_unknown) {
        doctor_not_made(report, "a name in inet_interfaces has no address");
        return;
    }
    if (has_protocol(client, "ipv4"))
        compare_source(report, "probe-bind-address", &smtp->bind, POSTFIX_BIND_ADDRESS,
                       client->interfaces[0]);
    if (has_protocol(client, "ipv6"))
        compare_source(report, "probe-bind-address6", &smtp->bind6, POSTFIX_BIND_ADDRESS6,
                       client->interfaces[1]);
}

void doctor_judge_source(struct doctor_report *report)
{
    static const char *const keys[] = {"probe-bind-address", "probe-bind-address6"};
    const struct doctor_facts *facts = report->facts;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (facts->config->prober.probe && facts->source[i].state == DOCTOR_BAD)
            doctor_find(report, DOCTOR_ERROR,
                        arena_printf(report->arena,
                                     "%s = an address of this host, in mxcryptd.conf", keys[i]),
                        "%s cannot be used (%s): nothing is probed over its family", keys[i],
                        facts->source[i].why);
}
