/*
 * render_reason: which lookup failed, of which name, and why; see render_reason.h.
 *
 * Names are cut at their end and causes at their beginning: the domain owner chooses the names, a
 * cause ends with what the resolver said, and a log line without it is of no use. `mxcrypt explain`
 * shows both in full.
 */
#include "policy/render/render_reason.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"

#define NAME_SHOWN 70
#define WHY_SHOWN  80
/* Octets of a cause that are looked at. */
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

static const char *domain_of(struct name *room, const struct evidence *evidence)
{
    bool known = evidence != NULL && evidence->domain != NULL;

    return show_name(room, known ? evidence->domain : "this destination");
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

/* A host's own cause already names the host. */
static void write_dane_error(char *out, size_t size, const char *domain,
                             const struct evidence *evidence)
{
    const struct mx_host *host = host_in(evidence, HOST_DANE_ERROR, HOST_DANE_UNKNOWN);
    struct name name;
    struct why why;

    if (host == NULL)
        host = host_in(evidence, HOST_DANE_LOST, HOST_DANE_LOST);
    if (host != NULL && host->why != NULL)
        snprintf(out, size, "%s; MTA-STS of %s is enforced, so mail waits",
                 show_why(&why, host->why), domain);
    else if (host != NULL)
        snprintf(out, size, "TLSA lookup for %s %s; MTA-STS of %s is enforced, so mail waits",
                 show_name(&name, host->name),
                 host->dane == HOST_DANE_ERROR ? "failed" : "has not been answered", domain);
}

static void write_pending(char *out, size_t size, const char *domain,
                          const struct evidence *evidence)
{
    const struct mx_host *host = host_in(evidence, HOST_DANE_UNKNOWN, HOST_DANE_UNKNOWN);
    struct name name;

    if (host != NULL)
        snprintf(out, size, "DNS of mail host %s of %s has not answered yet; try again shortly",
                 show_name(&name, host->name), domain);
    else
        snprintf(out, size, "%s of %s has not been answered yet; try again shortly",
                 evidence->mx == MX_UNKNOWN ? "MX lookup" : "MTA-STS", domain);
}

char *render_reason(char out[RENDER_REASON_MAX + 1], const struct verdict *verdict,
                    const struct evidence *evidence)
{
    static const struct evidence nothing;
    const struct evidence *known = evidence != NULL ? evidence : &nothing;
    const size_t size = RENDER_REASON_MAX + 1;
    struct name room;
    struct why why;
    const char *domain = domain_of(&room, evidence);

    out[0] = '\0';
    switch (verdict->reason) {
    case REASON_MX_ERROR:
        snprintf(out, size, "MX lookup of %s failed: %s; mail waits for the DNS", domain,
                 show_why(&why, known->mx_why));
        break;
    case REASON_HELD: /* TLS is neither demanded, which would bounce mail, nor given up */
    case REASON_STARTTLS_REMEMBERED:
        snprintf(out, size,
                 "a mail host of %s refuses STARTTLS, which worked before, so mail waits; "
                 "mxcrypt held tells how long",
                 domain);
        break;
    case REASON_PENDING:
        write_pending(out, size, domain, known);
        break;
    case REASON_DANE_ERROR_STS:
    case REASON_DANE_ERROR:
        write_dane_error(out, size, domain, known);
        break;
    default:
        break;
    }
    if (out[0] == '\0')
        snprintf(out, size, "%s: %s; try again shortly", domain,
                 verdict_reason_text(verdict->reason));
    return out;
}

char *render_fault(char out[RENDER_REASON_MAX + 1], const struct evidence *evidence,
                   const char *fault)
{
    struct name domain;
    struct why why;

    snprintf(out, RENDER_REASON_MAX + 1, "MTA-STS policy of %s cannot be sent to Postfix: %s",
             domain_of(&domain, evidence), show_why(&why, fault));
    return out;
}
