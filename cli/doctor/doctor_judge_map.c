/* doctor_judge_map: does Postfix ask mxcryptd, in the right place, by the right name, and does it
 * get there; see doctor.h. Pure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor/doctor.h"

static bool any_asks(const struct doctor_facts *facts)
{
    for (size_t i = 0; i < facts->client_count; i++)
        if (facts->clients[i].ours >= 0)
            return true;
    return false;
}

bool doctor_client_matters(const struct doctor_facts *facts, const struct doctor_client *client)
{
    return client->ours >= 0 || (!any_asks(facts) && (client->main || facts->client_count == 1));
}

static const struct doctor_map *our_map(const struct doctor_client *client)
{
    return client->ours < 0 ? NULL : &client->maps[client->ours];
}

static const char *map_fix(const struct doctor_report *report, const struct doctor_facts *facts)
{
    if (facts->map_suggestion == NULL)
        return "give mxcryptd a listen line, see mxcryptd.conf(5)";
    return arena_printf(report->arena, "smtp_tls_policy_maps = %s", facts->map_suggestion);
}

/* ---- is it asked ---- */

static void judge_passed_by(struct doctor_report *report, const struct doctor_facts *facts,
                            const struct doctor_client *client)
{
    if (client->main)
        doctor_find(report, DOCTOR_WARNING, client->where, map_fix(report, facts),
                    "only some services of master.cf ask mxcryptd: other mail goes out without it");
    else
        doctor_find(report, DOCTOR_WARNING, client->where, "remove this -o from master.cf",
                    "\"-o smtp_tls_policy_maps=%.200s\" bypasses mxcryptd",
                    client->values[POSTFIX_POLICY_MAPS]);
}

void doctor_judge_map(struct doctor_report *report, const struct doctor_facts *facts)
{
    if (facts->client_count == 0) {
        doctor_find(report, DOCTOR_ERROR, "master.cf", "smtp unix - - y - - smtp, in master.cf",
                    "no smtp(8) service: no mail leaves");
        return;
    }
    for (size_t i = 0; i < facts->client_count; i++) {
        const struct doctor_client *client = &facts->clients[i];

        if (client->map_error != NULL)
            doctor_find(report, DOCTOR_ERROR, client->where, map_fix(report, facts),
                        "smtp_tls_policy_maps: %s", client->map_error);
        else if (client->ours < 0 && any_asks(facts))
            judge_passed_by(report, facts, client);
        else if (client->ours < 0)
            doctor_find(report, DOCTOR_ERROR, client->where, map_fix(report, facts),
                        "smtp_tls_policy_maps does not lead to mxcryptd: it is never asked");
    }
}

/* ---- by which name ---- */

/* The map names that add what 3.10 understands: see mxcryptd(8). */
static bool is_tlsrpt(const char *name)
{
    return strcmp(name, "tlsrpt") == 0 || strcmp(name, "QUERYwithTLSRPT") == 0;
}

void doctor_judge_map_name(struct doctor_report *report, const struct doctor_facts *facts,
                           const struct doctor_client *client)
{
    bool from_3_10 = postfix_version_from(&facts->postfix_version, 3, 10);
    const struct doctor_map *ours = our_map(client);

    if (!facts->postfix_version_known)
        doctor_not_made(report, "the version of Postfix is not known");
    else if (ours == NULL || ours->map.name == NULL || is_tlsrpt(ours->map.name) == from_3_10)
        return;
    else if (from_3_10)
        doctor_find(
            report, DOCTOR_WARNING, client->where, map_fix(report, facts),
            "map name \"%.100s\" with Postfix %s: MTA-STS is matched less exactly, and TLSRPT "
            "knows nothing of it",
            ours->map.name, facts->postfix->values[POSTFIX_MAIL_VERSION]);
    else
        doctor_find(report, DOCTOR_ERROR, client->where, map_fix(report, facts),
                    "map name \"%.100s\" is for Postfix 3.10 and later: %s defers mail for what it "
                    "adds",
                    ours->map.name, facts->postfix->values[POSTFIX_MAIL_VERSION]);
}

/* ---- what comes before it ---- */

static void judge_before(struct doctor_report *report, const struct doctor_client *client,
                         const struct doctor_map *map)
{
    if (map->catches.state == DOCTOR_BAD && map->catches.error != 0)
        doctor_find(report, DOCTOR_ERROR, client->where,
                    "make the table (postmap), or remove it from smtp_tls_policy_maps",
                    "%.200s comes before mxcryptd and cannot be looked up, so all "
                    "mail waits: %s",
                    map->map.text, map->catches.why);
    else if (map->map.kind == POSTFIX_MAP_STATIC || map->catches.state == DOCTOR_BAD)
        doctor_find(report, DOCTOR_ERROR, client->where,
                    "put it after mxcryptd in smtp_tls_policy_maps, or remove it",
                    "%.200s comes before mxcryptd and answers for every domain: "
                    "mxcryptd is never asked",
                    map->map.text);
    else if (map->map.kind != POSTFIX_MAP_OTHER)
        doctor_find(report, DOCTOR_WARNING, client->where, "remove it from smtp_tls_policy_maps",
                    "%.200s, another policy daemon, comes before mxcryptd: what it "
                    "answers is never checked",
                    map->map.text);
    else if (map->catches.state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, arena_printf(report->arena, "%.200s could not be asked: %s",
                                             map->map.text, map->catches.why));
}

void doctor_judge_map_order(struct doctor_report *report, const struct doctor_facts *facts,
                            const struct doctor_client *client)
{
    (void)facts;
    for (int i = 0; i < client->ours; i++)
        judge_before(report, client, &client->maps[i]);
}

void doctor_judge_proxy(struct doctor_report *report, const struct doctor_facts *facts,
                        const struct doctor_client *client)
{
    const struct doctor_map *ours = our_map(client);

    (void)facts;
    if (ours != NULL && ours->map.proxied)
        doctor_find(
            report, DOCTOR_WARNING, client->where,
            arena_printf(report->arena, "smtp_tls_policy_maps = %.200s",
                         ours->map.text + strlen("proxy:")),
            "proxy: comes before mxcryptd's map: proxymap(8) makes one lookup at a time, so "
            "that one slow domain stops all mail");
}

/* ---- does it get there ---- */

static const char *socket_fix(const struct doctor_report *report, const struct doctor_facts *facts,
                              const struct doctor_client *client, const struct doctor_map *map)
{
    const char *queue = client->values[POSTFIX_QUEUE_DIRECTORY];

    if (map->socket.error == EACCES)
        return arena_printf(report->arena,
                            "mode=0666 on the listen line of mxcryptd.conf, and chmod a+x on the "
                            "folders above the socket");
    if (map->socket.error == ENOENT && map->chrooted && map->map.path != NULL &&
        map->map.path[0] == '/')
        return arena_printf(report->arena,
                            "listen = socketmap:unix:%s/mxcrypt/policy.sock in mxcryptd.conf and "
                            "smtp_tls_policy_maps = socketmap:unix:mxcrypt/policy.sock:%s",
                            queue, map->map.name);
    if (map->socket.error == ENOENT)
        return map_fix(report, facts);
    return "start mxcryptd (systemctl start mxcryptd), and look into its log";
}

static void judge_socket(struct doctor_report *report, const struct doctor_facts *facts,
                         const struct doctor_client *client, const struct doctor_map *ours)
{
    if (ours->socket.state == DOCTOR_NOT_TRIED)
        doctor_not_made(report, ours->socket.why);
    else if (ours->socket.state == DOCTOR_BAD)
        doctor_find(report, DOCTOR_ERROR, client->where, socket_fix(report, facts, client, ours),
                    "%s%s, as user %s, gets no answer by %.200s: %s",
                    ours->map.proxied ? "proxymap(8)" : "smtp(8)",
                    ours->chrooted ? " in its chroot" : "", client->values[POSTFIX_MAIL_OWNER],
                    ours->map.text, ours->socket.why);
}

void doctor_judge_socket(struct doctor_report *report, const struct doctor_facts *facts)
{
    if (!any_asks(facts))
        doctor_not_made(report, "smtp_tls_policy_maps does not lead to mxcryptd");
    for (size_t i = 0; i < facts->client_count; i++)
        if (facts->clients[i].ours >= 0)
            judge_socket(report, facts, &facts->clients[i], our_map(&facts->clients[i]));
}
