/* https_target: see https_target.h. */
#include "probe/https/https_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

void https_target_fini(struct https_target *target)
{
    free(target->host);
}

static bool is_left_alone(const struct https_target *target, const struct address_filter *filter,
                          const struct ip *ip)
{
    return filter->excludes_policy_hosts && address_filter_excludes(filter, ip, target->host);
}

static void add_address(struct https_target *target, const struct address_filter *filter,
                        const struct ip *ip)
{
    char room[IP_TEXT_MAX];
    size_t same = 0;

    if (!address_filter_permits(filter, ip)) {
        if (target->address_count == 0)
            snprintf(target->why, sizeof target->why,
                     "%s has no public address (%s); allow-address could permit it", target->host,
                     ip_text(ip, room));
        return;
    }
    if (is_left_alone(target, filter, ip)) {
        if (target->address_count == 0)
            snprintf(target->why, sizeof target->why, "%s (%s) is excluded by probe-exclude",
                     target->host, ip_text(ip, room));
        return;
    }
    target->why[0] = '\0';
    for (size_t i = 0; i < target->address_count; i++)
        if (target->addresses[i].family == ip->family)
            same++;
    if (same < HTTPS_ADDRESSES_MAX)
        target->addresses[target->address_count++] = *ip;
}

bool https_target_init(struct https_target *target, const struct https_request *request,
                       const struct address_filter *filter)
{
    *target = (struct https_target){
        .host = strdup(request->host), .path = request->path, .failure = FETCH_FAILURE_COUNT};
    if (target->host == NULL)
        return false;
    snprintf(target->why, sizeof target->why, "%s has no address", request->host);
    for (size_t i = 0; i < request->address_count; i++)
        add_address(target, filter, &request->addresses[i]);
    return true;
}

bool https_target_permits(struct https_target *target, const struct address_filter *filter,
                          const struct sockaddr *address)
{
    char room[IP_TEXT_MAX];

    if (!ip_from_sockaddr(&target->tried, address))
        return false;
    if (address_filter_permits(filter, &target->tried) &&
        !is_left_alone(target, filter, &target->tried))
        return true;
    snprintf(target->why, sizeof target->why, "connection to %s forbidden",
             ip_text(&target->tried, room));
    return false;
}

void https_target_resolve(const struct https_target *target, struct buf *out, unsigned port)
{
    char room[IP_TEXT_MAX];

    buf_addf(out, "%s:%u:", target->host, port);
    for (size_t i = 0; i < target->address_count; i++) {
        const struct ip *ip = &target->addresses[i];

        buf_adds(out, i == 0 ? "" : ",");
        if (ip->family == 6)
            buf_addf(out, "[%s]", ip_text(ip, room));
        else
            buf_adds(out, ip_text(ip, room));
    }
}

/* What an operator needs of OpenSSL's and libcurl's words. */
static const char *essence(const char *detail)
{
    const char *last = detail;

    if (strstr(detail, "SSL_ERROR_SYSCALL") != NULL || strstr(detail, "SSL_ERROR_ZERO") != NULL)
        return "the server closed the connection";
    if (strstr(detail, "routines::") == NULL)
        return detail;
    /* "OpenSSL/3: error:0A000102:SSL routines::" of libcurl 7, "TLS connect error:" of libcurl 8 */
    while ((detail = strstr(last, "::")) != NULL)
        last = detail + 2;
    return last;
}

void https_target_explain(struct https_target *target, enum fetch_failure failure,
                          const char *words, const char *detail)
{
    static const char certificate[] = "SSL certificate problem: ";
    char room[IP_TEXT_MAX] = "", text[100];

    if (target->why[0] != '\0')
        return;
    if (target->tried.family != 0)
        ip_text(&target->tried, room);
    if (strncmp(detail, certificate, sizeof certificate - 1) == 0) {
        failure = FETCH_FAILURE_CERTIFICATE;
        words = "the certificate is not valid";
        detail += sizeof certificate - 1;
    }
    target->failure = failure;
    detail = essence(detail);
    escape_bytes(text, sizeof text, detail, strlen(detail));
    snprintf(target->why, sizeof target->why, "%.60s%s%s%s: %s: %s", target->host,
             room[0] == '\0' ? "" : " (", room, room[0] == '\0' ? "" : ")", words, text);
}

const char *fetch_failure_name(enum fetch_failure failure)
{
#define X(word, name) name,
    static const char *const names[] = {FETCH_FAILURES(X)};
#undef X

    return names[failure];
}
