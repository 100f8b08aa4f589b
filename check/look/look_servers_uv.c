/* look_servers_uv: what each authoritative server says of the RRsets that mail depends on. */
#include "check/look/look_internal.h"

static void on_servers(void *context, const struct servers_said *said)
{
    struct check_look *look = context;

    look->facts.zone_count = said->zone_count;
    look->facts.zones = said->zones;
    servers_free(look->servers);
    look->servers = NULL;
    look_advance(look);
}

static void add_question(struct check_look *look, const char *kind, const char *name,
                         enum dns_type type)
{
    struct servers_question *question = &look->server_questions[look->server_question_count];

    if (name == NULL || look->server_question_count == SERVERS_QUESTIONS_MAX)
        return;
    *question = (struct servers_question){name, type,
                                          arena_printf(look->request.arena, "%s %s", kind, name)};
    look->server_question_count++;
}

static void add_questions(struct check_look *look)
{
    const struct check_facts *facts = &look->facts;

    add_question(look, "MX", facts->domain, DNS_MX);
    add_question(look, "TXT", facts->sts_record.name, DNS_TXT);
    add_question(look, "TXT", facts->tlsrpt_record.name, DNS_TXT);
    for (size_t i = 0; i < facts->host_count; i++) {
        add_question(look, "A", facts->hosts[i].name, DNS_A);
        add_question(look, "AAAA", facts->hosts[i].name, DNS_AAAA);
        add_question(look, "TLSA", facts->hosts[i].tlsa.name, DNS_TLSA);
    }
}

/* The names of the TLSA records are known when every host has been looked up. */
static bool hosts_looked_up(const struct check_look *look)
{
    if (!look->hosts_made)
        return false;
    for (size_t i = 0; i < look->facts.host_count; i++)
        if (look->hosts[i].lookup != NULL)
            return false;
    return true;
}

bool look_servers(struct check_look *look)
{
    struct servers_request request = {
        .dns = look->tools->dns,
        .options = &look->request.options->dns,
        .filter = look->tools->filter,
        .arena = look->request.arena,
    };

    if (look->servers_started || !hosts_looked_up(look) || look->evidence.mx == MX_NXDOMAIN)
        return look->servers != NULL;
    look->servers_started = true;
    look->server_questions =
        arena_array(look->request.arena, SERVERS_QUESTIONS_MAX, sizeof *look->server_questions);
    if (look->server_questions == NULL)
        return false;
    add_questions(look);
    request.questions = look->server_questions;
    request.question_count = look->server_question_count;
    if (servers_start(&look->servers, &request, on_servers, look) != 0)
        look->servers = NULL;
    return look->servers != NULL;
}

void look_servers_stop(struct check_look *look)
{
    servers_free(look->servers);
    look->servers = NULL;
}
