/* doctor_hosts: which mail hosts port 25 is tried at, and where helo-name leads; see doctor.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor/doctor_gather.h"
#include "cli/doctor/doctor_net.h"
#include "cli/doctor/doctor_try.h"
#include "base/net/address_filter.h"

#define ENTRIES_MAX  20 /* cached keys that are looked at */
#define HOST_SIZE    256
#define KNOWN_ENOUGH 3 /* hosts from the cache; with fewer, well-known ones are added */

struct hosts {
    char names[DOCTOR_HOSTS_MAX][HOST_SIZE];
    size_t count;
};

static void add_host(struct hosts *hosts, const char *name)
{
    if (name == NULL || strlen(name) >= HOST_SIZE || hosts->count == DOCTOR_HOSTS_MAX)
        return;
    for (size_t i = 0; i < hosts->count; i++)
        if (strcmp(hosts->names[i], name) == 0)
            return;
    snprintf(hosts->names[hosts->count++], HOST_SIZE, "%s", name);
}

/* ---- hosts that mxcryptd knows ---- */

/* The name of the first mail host of a cached key. */
static void add_first_host(struct hosts *hosts, const struct doctor_facts *facts, const char *key)
{
    struct doctor_try try;
    json_t *shown = doctor_ask(&try, facts->config->control_socket, "cache-show", key), *host;

    host = json_array_get(json_object_get(json_object_get(shown, "evidence"), "hosts"), 0);
    add_host(hosts, json_string_value(json_object_get(host, "name")));
    json_decref(shown);
}

static void add_cached(struct hosts *hosts, const struct doctor_facts *facts)
{
    struct doctor_try try;
    json_t *list = doctor_ask(&try, facts->config->control_socket, "cache-list", NULL), *entry;
    size_t i;

    json_array_foreach(json_object_get(list, "entries"), i, entry)
    {
        const char *key = json_string_value(json_object_get(entry, "key"));

        if (i == ENTRIES_MAX || hosts->count == DOCTOR_HOSTS_MAX / 2)
            break;
        if (key != NULL)
            add_first_host(hosts, facts, key);
    }
    json_decref(list);
}

static void choose_hosts(struct hosts *hosts, const struct doctor_facts *facts)
{
    static const char *const known[] = {"gmail-smtp-in.l.google.com", "mx01.mail.icloud.com",
                                        "mx-eu.mail.am0.yahoodns.net"};

    if (facts->daemon.state == DOCTOR_GOOD)
        add_cached(hosts, facts);
    for (size_t i = 0; hosts->count < KNOWN_ENOUGH && i < sizeof known / sizeof known[0]; i++)
        add_host(hosts, known[i]);
}

/* ---- port 25 ---- */

void doctor_gather_port25(struct doctor_facts *facts, const struct doctor_options *options)
{
    const struct prober_options *prober = &facts->config->prober;
    struct ip ips[DOCTOR_HOSTS_MAX * DOCTOR_ADDRESSES_MAX], found[DOCTOR_ADDRESSES_MAX];
    bool chosen = options->mail_host_count == 0;
    struct hosts hosts = {.count = 0};
    char why[DOCTOR_WHY_MAX];
    size_t count = 0;

    facts->port25 = (struct doctor_try){.why = "no mail host has an address: name one with "
                                               "--mail-host"};
    for (size_t i = 0; i < options->mail_host_count; i++)
        add_host(&hosts, options->mail_hosts[i]);
    if (chosen)
        choose_hosts(&hosts, facts);
    for (size_t i = 0; i < hosts.count; i++) {
        int more = 1;

        if (!ip_parse(&found[0], hosts.names[i]))
            more = doctor_net_addresses(found, &prober->dns, hosts.names[i], why);
        for (int k = 0; k < more; k++)
            if (!chosen || address_filter_permits(&prober->filter, &found[k]))
                ips[count++] = found[k];
    }
    if (count > 0)
        doctor_net_connect(&facts->port25, &(struct doctor_targets){ips, count, prober->smtp_port,
                                                                    prober->probes.smtp.bind,
                                                                    prober->probes.smtp.bind6});
}

void doctor_gather_sources(struct doctor_facts *facts)
{
    const struct smtp_options *smtp = &facts->config->prober.probes.smtp;

    doctor_net_source(&facts->source[0], &smtp->bind);
    doctor_net_source(&facts->source[1], &smtp->bind6);
}

/* ---- helo-name ---- */

void doctor_gather_helo(struct doctor_facts *facts)
{
    const struct prober_options *prober = &facts->config->prober;
    const char *name = prober->probes.smtp.helo_name;
    struct ip found[DOCTOR_ADDRESSES_MAX];
    char text[IP_TEXT_MAX];
    size_t used = 0;
    int count;

    if (name == NULL) {
        int own = doctor_net_own_name(facts->helo_name, facts->helo_why);

        facts->helo = own == 0 ? DOCTOR_HELO_NO_NAME : DOCTOR_HELO_NOT_TRIED;
        if (own <= 0)
            return;
        name = facts->helo_name;
    }
    count = doctor_net_addresses(found, &prober->dns, name, facts->helo_why);
    if (count < 0)
        return;
    facts->helo = count == 0 ? DOCTOR_HELO_NO_ADDRESS : DOCTOR_HELO_ELSEWHERE;
    facts->helo_why[0] = '\0';
    for (int i = 0; i < count && used < sizeof facts->helo_why; i++) {
        used += (size_t)snprintf(facts->helo_why + used, sizeof facts->helo_why - used, "%s%s",
                                 i > 0 ? " " : "", ip_text(&found[i], text));
        if (doctor_net_is_here(&found[i]))
            facts->helo = DOCTOR_HELO_HERE;
    }
}
