/*
 * render_reason: which lookup failed, of which name, and why; see render_reason.h.
 *
 * Names are cut at their end and causes at their beginning: names are of the domain owner's making,
 * a cause ends with what the resolver said, and a log line with long names and no cause would help
 * nobody. `mxcrypt explain` has it all.
 */
#include "policy/render/render_reason.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"

#define NAME_SHOWN 70
#define WHY_SHOWN  80
/* Causes are looked at so far. */
#define WHY_MAX 1000
#define NO_WHY  "no answer"

struct name {
    char text[NAME_SHOWN + 1];
};

struct why {
    char text[WHY_SHOWN + 1];
};

static const char *show_name(struct name *room, const char *name)
{
    return escape_bytes(room->text, sizeof room->text, name, strlen(name));
}

static const char *show_why(struct why *room, const char *why)
{
    char escaped[WHY_MAX];
    size_t length;

    if (why == NULL || *why == '\0')
        why = NO_WHY;
    escape_bytes(escaped, sizeof escaped, why, strlen(why));
    length = strlen(escaped);
    if (length <= WHY_SHOWN)
        memcpy(room->text, escaped, length + 1);
    else
        snprintf(room->text, sizeof room->text, "...%s", escaped + length - (WHY_SHOWN - 3));
    return room->text;
}

static const char *domain_of(const struct evidence *evidence)
{
    return evidence == NULL || evidence->domain == NULL ? "this destination" : evidence->domain;
}

/* The first host in one of two states. */
static const struct mx_host *host_in(const struct evidence *evidence, enum host_dane state,
                                     enum host_dane or_state)
{
    for (size_t i = 0; i < evidence->host_count; i++)
        if (evidence->hosts[i].dane == state || evidence->hosts[i].dane == or_state)
            return &evidence->hosts[i];
    return NULL;
}

static void write_mx_error(char *out, size_t size, const struct evidence *evidence)
{
    struct name domain;
    struct why why;

    snprintf(out, size, "MX lookup of %s failed: %s; mail waits for the DNS",
             show_name(&domain, domain_of(evidence)),
             show_why(&why, evidence == NULL ? NULL : evidence->mx_why));
}

/* What a host's lookups say for themselves names the host already. */
static void write_dane_error(char *out, size_t size, const struct evidence *evidence)
{
    const struct mx_host *host = host_in(evidence, HOST_DANE_ERROR, HOST_DANE_UNKNOWN);
    struct name name, domain;
    struct why why;

    if (host == NULL)
        host = host_in(evidence, HOST_DANE_LOST, HOST_DANE_LOST);
    if (host == NULL)
        return;
    show_name(&domain, domain_of(evidence));
    if (host->why != NULL)
        snprintf(out, size, "%s; MTA-STS of %s is enforced, so mail waits",
                 show_why(&why, host->why), domain.text);
    else
        snprintf(out, size, "TLSA lookup for %s %s; MTA-STS of %s is enforced, so mail waits",
                 show_name(&name, host->name),
                 host->dane == HOST_DANE_ERROR ? "failed" : "has not been answered", domain.text);
}

static void write_pending(char *out, size_t size, const struct evidence *evidence)
{
    const struct mx_host *host = NULL;
    struct name domain, name;

    show_name(&domain, domain_of(evidence));
    if (evidence != NULL)
        host = host_in(evidence, HOST_DANE_UNKNOWN, HOST_DANE_UNKNOWN);
    if (host == NULL && evidence != NULL && evidence->mx != MX_UNKNOWN)
        snprintf(out, size, "MTA-STS of %s has not been answered yet; try again shortly",
                 domain.text);
    else if (host != NULL)
        snprintf(out, size, "DNS of mail host %s of %s has not answered yet; try again shortly",
                 show_name(&name, host->name), domain.text);
    else
        snprintf(out, size, "MX lookup of %s has not answered yet; try again shortly", domain.text);
}

/* TLS was proven before, and is neither demanded, for that would bounce mail, nor given up. */
static void write_refused(char *out, size_t size, const struct evidence *evidence)
{
    struct name domain;

    snprintf(out, size,
             "a mail host of %s refuses STARTTLS, which worked before, so mail waits; "
             "mxcrypt held tells how long",
             show_name(&domain, domain_of(evidence)));
}

static void write_plain(char *out, size_t size, const struct verdict *verdict,
                        const struct evidence *evidence)
{
    struct name domain;

    snprintf(out, size, "%s: %s; try again shortly", show_name(&domain, domain_of(evidence)),
             verdict_reason_text(verdict->reason));
}

char *render_reason(char out[RENDER_REASON_MAX + 1], const struct verdict *verdict,
                    const struct evidence *evidence)
{
    size_t size = RENDER_REASON_MAX + 1;

    out[0] = '\0';
    if (verdict->reason == REASON_MX_ERROR)
        write_mx_error(out, size, evidence);
    else if (verdict->reason == REASON_HELD || verdict->reason == REASON_STARTTLS_REMEMBERED)
        write_refused(out, size, evidence);
    else if (verdict->reason == REASON_PENDING)
        write_pending(out, size, evidence);
    else if ((verdict->reason == REASON_DANE_ERROR_STS || verdict->reason == REASON_DANE_ERROR) &&
             evidence != NULL)
        write_dane_error(out, size, evidence);
    if (out[0] == '\0')
        write_plain(out, size, verdict, evidence);
    return out;
}

char *render_fault(char out[RENDER_REASON_MAX + 1], const struct evidence *evidence,
                   const char *fault)
{
    struct name domain;
    struct why why;

    snprintf(out, RENDER_REASON_MAX + 1, "MTA-STS policy of %s cannot be sent to Postfix: %s",
             show_name(&domain, domain_of(evidence)), show_why(&why, fault));
    return out;
}
