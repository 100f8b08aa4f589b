/*
 * render_reason: which lookup failed, of which name, and why; see render_reason.h.
 *
 * A name is cut before the reason is: names are of the domain owner's making, and a log line with
 * a long one and no reason would help nobody. CLI `mxcrypt explain` has it all.
 */
#include "policy/render_reason.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"

#define NAME_SHOWN 70
#define WHY_SHOWN  80
#define NO_WHY     "no answer"

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
    if (why == NULL || *why == '\0')
        why = NO_WHY;
    return escape_bytes(room->text, sizeof room->text, why, strlen(why));
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

    snprintf(out, size, "MX lookup of %s failed: %s; mail waits until the DNS answers",
             show_name(&domain, domain_of(evidence)),
             show_why(&why, evidence == NULL ? NULL : evidence->mx_why));
}

static void write_dane_error(char *out, size_t size, const struct evidence *evidence)
{
    const struct mx_host *host = host_in(evidence, HOST_DANE_ERROR, HOST_DANE_UNKNOWN);
    const char *what = "TLSA";
    struct name name;
    struct why why;

    if (host == NULL) {
        host = host_in(evidence, HOST_DANE_LOST, HOST_DANE_LOST);
        what = "address";
    }
    if (host == NULL)
        return;
    snprintf(out, size, "%s lookup for %s failed: %s; MTA-STS is enforced, so mail waits", what,
             show_name(&name, host->name), show_why(&why, host->why));
}

static void write_pending(char *out, size_t size, const struct evidence *evidence)
{
    const struct mx_host *host = NULL;
    struct name domain, name;

    show_name(&domain, domain_of(evidence));
    if (evidence != NULL)
        host = host_in(evidence, HOST_DANE_UNKNOWN, HOST_DANE_UNKNOWN);
    if (host != NULL)
        snprintf(out, size, "DNS of mail host %s of %s has not answered yet; try again shortly",
                 show_name(&name, host->name), domain.text);
    else
        snprintf(out, size, "MX lookup of %s has not answered yet; try again shortly", domain.text);
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
    else if (verdict->reason == REASON_PENDING)
        write_pending(out, size, evidence);
    else if (verdict->reason == REASON_DANE_ERROR_STS && evidence != NULL)
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
