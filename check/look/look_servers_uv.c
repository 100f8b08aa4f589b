/* look_servers_uv: what each authoritative server says of the RRsets that mail depends on. */
#include "check/look/look_internal.h"

/* Large providers of mail give each asker the addresses that are near, or that have little to do. */
static bool is_spread(const struct check_look *look, const char *name, enum dns_type type)
{
    return (type == DNS_A || type == DNS_AAAA) && !hostname_within(name, look->request.domain);
}

static void on_servers(void *context, const struct servers_said *said)
{
    struct check_look *look = context;

    look->said = *said;
    look->facts.zone_count = said->zone_count;
    look->facts.zones = said->zones;
    servers_free(look->servers);
    look->servers = NULL;
    look_advance(look);
}

static void add_question(struct check_look *look, const char *kind, struct check_rrset *rrset,
                         enum dns_type type)
{
    size_t i = look->server_question_count;

    if (rrset->name == NULL || i == SERVERS_QUESTIONS_MAX)
        return;
    look->server_questions[i] = (struct servers_question){
        rrset->name, type, arena_printf(look->request.arena, "%s %s", kind, rrset->name),
        is_spread(look, rrset->name, type)};
    look->server_rrsets[i] = rrset;
    look->server_question_count++;
}

static void add_questions(struct check_look *look)
{
    struct check_facts *facts = &look->facts;

    add_question(look, "MX", &facts->mx, DNS_MX);
    add_question(look, "TXT", &facts->sts_record, DNS_TXT);
    add_question(look, "TXT", &facts->tlsrpt_record, DNS_TXT);
    for (size_t i = 0; i < facts->host_count; i++) {
        add_question(look, "A", &facts->hosts[i].a, DNS_A);
        add_question(look, "AAAA", &facts->hosts[i].aaaa, DNS_AAAA);
        add_question(look, "TLSA", &facts->hosts[i].tlsa, DNS_TLSA);
    }
}

/* The signature that ends first (RFC 4034 §3.1.5), of answers that lead as far as the resolver's. */
static void note_signature(struct check_rrset *rrset, const struct dns_answer *answer)
{
    const struct dns_answer *resolved = rrset->answer, *before = rrset->published;

    if (!answer->is_signed || resolved == NULL || resolved->outcome != answer->outcome ||
        resolved->aliases != answer->aliases)
        return;
    if (before == NULL || (int32_t)(answer->signed_until - before->signed_until) < 0)
        rrset->published = answer;
}

void look_published(struct check_look *look)
{
    size_t count = look->server_question_count;

    for (size_t z = 0; z < look->said.zone_count; z++)
        for (size_t i = 0;
             look->said.answers[z] != NULL && i < count * look->said.zones[z].server_count; i++) {
            const struct dns_answer *answer = look->said.answers[z][i];
            struct check_rrset *rrset = look->server_rrsets[i % count];

            if (answer == NULL || !answer->authoritative)
                continue;
            if (answer->outcome == DNS_RECORDS && answer->ttl > rrset->ttl)
                rrset->ttl = answer->ttl;
            note_signature(rrset, answer);
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
    look->server_rrsets =
        arena_array(look->request.arena, SERVERS_QUESTIONS_MAX, sizeof *look->server_rrsets);
    if (look->server_questions == NULL || look->server_rrsets == NULL)
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
