/* member: see member.h. What a host that did not answer would have shown is not known; it is in the
 * list by its name, for which it will need a valid certificate. */
#include "survey/member/member.h"

#include <string.h>

#include "base/escape.h"
#include "base/net/hostname.h"
#include "base/net/ip.h"

#define SHOWN_MAX 300

const char *member_fault_name(enum member_fault fault)
{
    static const char *const names[] = {MEMBER_FAULTS(ENUM_WORD)};

    return names[fault];
}

const char *member_fault_text(enum member_fault fault)
{
#define TEXT(constant, word, text) [constant] = (text),
    static const char *const texts[] = {MEMBER_FAULTS(TEXT)};
#undef TEXT

    return texts[fault];
}

static enum member_fault judge_mx(const struct evidence *evidence)
{
    if (evidence->mx == MX_ERROR || evidence->mx == MX_UNKNOWN)
        return MEMBER_MX_ERROR;
    if (evidence->mx != MX_LISTED && evidence->mx != MX_IMPLICIT)
        return MEMBER_NO_MAIL;
    return evidence->mx_truncated ? MEMBER_TOO_MANY : MEMBER_GOOD;
}

/* What an answer of an address means; MEMBER_SILENT: it was none. */
static enum member_fault judge_answer(enum starttls state)
{
    switch (state) {
    case STARTTLS_UNKNOWN:
    case STARTTLS_SKIPPED:
    case STARTTLS_SILENT:
    case STARTTLS_ERROR:
        return MEMBER_SILENT;
    case STARTTLS_CLEAR:
    case STARTTLS_TEMPFAIL:
    case STARTTLS_REFUSED:
    case STARTTLS_BROKEN:
        return MEMBER_CLEAR;
    case STARTTLS_TLS:
        return MEMBER_CERTIFICATE;
    case STARTTLS_VERIFIED:
        break;
    }
    return MEMBER_GOOD;
}

/* A failed lookup of TLSA records is not among what counts: a list does without them. */
static enum member_fault judge_name(const struct mx_host *host)
{
    size_t length = strlen(host->name);

    if (host->dane == HOST_DANE_LOST || host->dane == HOST_DANE_UNKNOWN || !host->addresses_known)
        return MEMBER_HOST_ERROR;
    if (host->hidden != NULL)
        return MEMBER_TOO_MANY;
    if (!hostname_valid(host->name, length, HOSTNAME_LDH) ||
        hostname_labels(host->name, length) < 2)
        return MEMBER_NAME;
    return MEMBER_GOOD;
}

/* Notes the first fault. */
static void note(struct member *out, enum member_fault fault, const struct mx_host *host,
                 const struct mx_address *address)
{
    if (fault != MEMBER_GOOD && out->fault == MEMBER_GOOD)
        *out = (struct member){fault, host, address, out->answered};
}

static void judge_host(struct member *out, const struct mx_host *host)
{
    if (host->dane == HOST_DANE_DEAD)
        return;
    note(out, judge_name(host), host, NULL);
    for (size_t i = 0; i < host->address_count; i++) {
        enum member_fault fault = judge_answer(host->addresses[i].starttls.state);

        out->answered |= fault != MEMBER_SILENT;
        if (fault != MEMBER_SILENT)
            note(out, fault, host, &host->addresses[i]);
    }
}

void member_judge(struct member *out, const struct evidence *evidence)
{
    size_t live = 0;

    *out = (struct member){.fault = judge_mx(evidence)};
    if (out->fault != MEMBER_GOOD)
        return;
    for (size_t i = 0; i < evidence->host_count; i++) {
        live += evidence->hosts[i].dane != HOST_DANE_DEAD;
        judge_host(out, &evidence->hosts[i]);
    }
    if (live == 0)
        note(out, MEMBER_NO_MAIL, NULL, NULL);
    if (!out->answered)
        note(out, MEMBER_SILENT, NULL, NULL);
}

/* ---- words ---- */

static void add_printable(struct buf *out, const char *text)
{
    char shown[SHOWN_MAX];

    buf_adds(out, escape_bytes(shown, sizeof shown, text, strlen(text)));
}

void member_why(struct buf *out, const struct member *member)
{
    char ip[IP_TEXT_MAX];

    buf_adds(out, member_fault_text(member->fault));
    if (member->host == NULL)
        return;
    buf_adds(out, ": ");
    add_printable(out, member->host->name);
    if (member->address == NULL) {
        if (member->host->why != NULL) {
            buf_adds(out, ": ");
            add_printable(out, member->host->why);
        }
        return;
    }
    ip_text(&member->address->ip, ip);
    buf_addf(out, " %s", ip);
    if (member->address->starttls.detail != NULL) {
        buf_adds(out, ": ");
        add_printable(out, member->address->starttls.detail);
    }
}
