/* ip: see ip.h. The tables are the IANA special-purpose address registries of 2024. */
#include "base/net/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

bool ip_parse(struct ip *out, const char *text)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, out->octets) == 1) {
        out->family = 4;
        return true;
    }
    if (inet_pton(AF_INET6, text, out->octets) == 1) {
        out->family = 6;
        return true;
    }
    return false;
}

bool ip_from_octets(struct ip *out, const void *data, size_t length)
{
    memset(out, 0, sizeof *out);
    if (length != 4 && length != 16)
        return false;
    out->family = length == 4 ? 4 : 6;
    memcpy(out->octets, data, length);
    return true;
}

const char *ip_text(const struct ip *ip, char out[IP_TEXT_MAX])
{
    if (inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->octets, out, IP_TEXT_MAX) == NULL)
        out[0] = '\0';
    return out;
}

size_t ip_to_sockaddr(struct sockaddr_storage *out, const struct ip *ip, uint16_t port)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out;

    memset(out, 0, sizeof *out);
    if (ip->family == 4) {
        in4->sin_family = AF_INET;
        in4->sin_port = htons(port);
        memcpy(&in4->sin_addr, ip->octets, 4);
        return sizeof *in4;
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, ip->octets, 16);
    return sizeof *in6;
}

bool ip_from_sockaddr(struct ip *out, const struct sockaddr *address)
{
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    memset(out, 0, sizeof *out);
    if (address->sa_family == AF_INET) {
        memcpy(&in4, address, sizeof in4);
        return ip_from_octets(out, &in4.sin_addr, 4);
    }
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(&in6, address, sizeof in6);
    return ip_from_octets(out, &in6.sin6_addr, 16);
}

static unsigned family_bits(const struct ip *ip)
{
    return ip->family == 4 ? 32 : 128;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return a->family == b->family && memcmp(a->octets, b->octets, family_bits(a) / 8) == 0;
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip *ip)
{
    size_t whole = prefix->bits / 8;
    unsigned rest = prefix->bits % 8;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));

    if (prefix->ip.family != ip->family || memcmp(prefix->ip.octets, ip->octets, whole) != 0)
        return false;
    return rest == 0 || ((prefix->ip.octets[whole] ^ ip->octets[whole]) & mask) == 0;
}

const char *ip_prefix_text(const struct ip_prefix *prefix, char out[IP_PREFIX_TEXT_MAX])
{
    char address[IP_TEXT_MAX];

    snprintf(out, IP_PREFIX_TEXT_MAX, "%s/%u", ip_text(&prefix->ip, address), prefix->bits);
    return out;
}

bool ip_prefix_parse(struct ip_prefix *out, const char *text)
{
    char address[IP_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);
    unsigned long bits;
    char *end;

    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!ip_parse(&out->ip, address))
        return false;
    bits = family_bits(&out->ip);
    if (slash != NULL) {
        if (slash[1] < '0' || slash[1] > '9')
            return false;
        bits = strtoul(slash + 1, &end, 10);
        if (*end != '\0' || bits > family_bits(&out->ip))
            return false;
    }
    out->bits = (uint8_t)bits;
    for (; bits < family_bits(&out->ip); bits++)
        if (out->ip.octets[bits / 8] & (0x80 >> (bits % 8)))
            return false;
    return true;
}

/* What is inside 2000::/3 and yet no place to connect to; all outside it is not global either. */
static const struct ip_prefix special6[] = {
    {{6, {0x20, 0x01, 0x00, 0x00}}, 23}, /* IETF protocol assignments, Teredo, ORCHID */
    {{6, {0x20, 0x01, 0x0d, 0xb8}}, 32}, /* documentation */
    {{6, {0x20, 0x02}}, 16},             /* 6to4 */
    {{6, {0x3f, 0xff}}, 20},             /* documentation, RFC 9637 */
};
static const struct ip_prefix unicast6 = {{6, {0x20}}, 3};

static const struct ip_prefix special4[] = {
    {{4, {0}}, 8},
    {{4, {10}}, 8},
    {{4, {100, 64}}, 10},
    {{4, {127}}, 8},
    {{4, {169, 254}}, 16},
    {{4, {172, 16}}, 12},
    {{4, {192, 0, 0}}, 24},
    {{4, {192, 0, 2}}, 24},
    {{4, {192, 31, 196}}, 24},
    {{4, {192, 52, 193}}, 24},
    {{4, {192, 88, 99}}, 24},
    {{4, {192, 168}}, 16},
    {{4, {192, 175, 48}}, 24},
    {{4, {198, 18}}, 15},
    {{4, {198, 51, 100}}, 24},
    {{4, {203, 0, 113}}, 24},
    {{4, {224}}, 4},
    {{4, {240}}, 4},
};

bool ip_is_global(const struct ip *ip)
{
    const struct ip_prefix *table = ip->family == 4 ? special4 : special6;
    size_t count = ip->family == 4 ? COUNT(special4) : COUNT(special6);

    if (ip->family != 4 && (ip->family != 6 || !ip_prefix_contains(&unicast6, ip)))
        return false;
    for (size_t i = 0; i < count; i++)
        if (ip_prefix_contains(&table[i], ip))
            return false;
    return true;
}

bool ip_is_loopback(const struct ip *ip)
{
    static const uint8_t one6[16] = {[15] = 1};

    return ip->family == 4 ? ip->octets[0] == 127
                           : ip->family == 6 && memcmp(ip->octets, one6, 16) == 0;
}

struct ip_prefix ip_site(const struct ip *ip)
{
    struct ip_prefix site = {.bits = ip->family == 4 ? 24 : 48};

    site.ip.family = ip->family;
    memcpy(site.ip.octets, ip->octets, site.bits / 8);
    return site;
}
