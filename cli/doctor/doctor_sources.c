/* doctor_sources: see doctor_sources.h. What it mirrors is own_inet_addr_list() and
 * smtp_connect_addr() of Postfix. */
#include "cli/doctor/doctor_sources.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/net/hostname.h"
#include "cli/doctor/doctor.h"

#define SEPARATORS ", \t"

struct interfaces {
    struct ip ips[DOCTOR_INTERFACES_MAX]; /* each once */
    size_t count;
};

static bool add(struct interfaces *interfaces, const struct ip *ip)
{
    for (size_t i = 0; i < interfaces->count; i++)
        if (ip_equal(&interfaces->ips[i], ip))
            return true;
    if (interfaces->count == DOCTOR_INTERFACES_MAX)
        return false;
    interfaces->ips[interfaces->count++] = *ip;
    return true;
}

static bool add_word(struct interfaces *interfaces, char *word, doctor_resolve resolve)
{
    struct ip found[DOCTOR_INTERFACES_MAX];
    size_t length = strlen(word);
    int count;

    if (word[0] == '[' && word[length - 1] == ']') {
        word[length - 1] = '\0';
        word++;
    }
    if (ip_parse(&found[0], word))
        return add(interfaces, &found[0]);
    count = resolve(word, found, DOCTOR_INTERFACES_MAX);
    for (int i = 0; i < count; i++)
        if (!add(interfaces, &found[i]))
            return false;
    return count >= 0;
}

static bool add_words(struct interfaces *interfaces, const char *text, doctor_resolve resolve)
{
    for (text += strspn(text, SEPARATORS); *text != '\0'; text += strspn(text, SEPARATORS)) {
        size_t length = strcspn(text, SEPARATORS);
        char word[HOSTNAME_MAX + 3];

        if (length >= sizeof word)
            return false;
        memcpy(word, text, length);
        word[length] = '\0';
        if (!add_word(interfaces, word, resolve))
            return false;
        text += length;
    }
    return true;
}

/* The only one of its family; family 0 without, and for a loopback address. */
static struct ip only_one(const struct interfaces *interfaces, uint8_t family)
{
    struct ip one = {.family = 0};
    size_t count = 0;

    for (size_t i = 0; i < interfaces->count; i++) {
        if (interfaces->ips[i].family != family)
            continue;
        one = interfaces->ips[i];
        count++;
    }
    return count == 1 && !ip_is_loopback(&one) ? one : (struct ip){.family = 0};
}

bool doctor_sources(struct ip out[2], const char *inet_interfaces, doctor_resolve resolve)
{
    struct interfaces interfaces = {.count = 0};

    out[0] = out[1] = (struct ip){.family = 0};
    if (strcasecmp(inet_interfaces, "all") == 0 ||
        strcasecmp(inet_interfaces, "loopback-only") == 0)
        return true;
    if (!add_words(&interfaces, inet_interfaces, resolve))
        return false;
    out[0] = only_one(&interfaces, 4);
    out[1] = only_one(&interfaces, 6);
    return true;
}

int doctor_resolve_system(const char *name, struct ip *out, size_t max)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    size_t count = 0;

    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *one = found; one != NULL && count < max; one = one->ai_next)
        count += ip_from_sockaddr(&out[count], one->ai_addr);
    freeaddrinfo(found);
    return (int)count;
}

void doctor_try_interfaces(struct doctor_facts *facts)
{
    for (size_t i = 0; i < facts->client_count; i++) {
        struct doctor_client *client = &facts->clients[i];
        const char *interfaces = client->values[POSTFIX_INET_INTERFACES];

        if (interfaces != NULL && doctor_client_matters(facts, client))
            client->interfaces_unknown =
                !doctor_sources(client->interfaces, interfaces, doctor_resolve_system);
    }
}
