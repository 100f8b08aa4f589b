/*
 * look_address_uv: one connection to an address of an MX host. What its certificate is worth is
 * found out later, for each host at the address: no TLSA records are given here, and only one host.
 */
#include "survey/look/look_uv.h"

#include "survey/unit/software.h"

/* Copies what is the arena's from now on; the strings of *from are the probe's. */
static void take_result(struct arena *arena, struct starttls_result *out,
                        const struct starttls_result *from)
{
    *out = *from;
    out->protocol = arena_strdup(arena, from->protocol);
    out->cipher = arena_strdup(arena, from->cipher);
    out->subject = arena_strdup(arena, from->subject);
    out->detail = arena_strdup(arena, from->detail);
    out->shown = out->verified_as = NULL; /* of the daemon's cache alone */
}

static void on_smtp(void *context, const struct smtp_outcome *outcome)
{
    struct look *look = context;
    struct arena *arena = look->result->arena;
    struct address_seen *seen = look->result->address;

    look->at.address.probe = NULL;
    look->result->failed_here = outcome->failed_here;
    take_result(arena, &seen->result, &outcome->result);
    if (outcome->failure != SMTP_FAILURE_COUNT)
        seen->failure = smtp_failure_name(outcome->failure);
    seen->greeting = arena_strdup(arena, outcome->greeting);
    seen->software = software_of(outcome->greeting);
    seen->nameless = outcome->nameless;
    seen->connections = outcome->connections;
    look->result->chain = tls_chain_share(outcome->chain);
    if (outcome->chain != NULL)
        look->result->failed_here |= !tls_chain_shown(outcome->chain, arena, &seen->shown);
    look_finish(look);
}

/* A unit that is opted out goes the way of every other that probe-exclude names. */
static void set_filter(struct look *look, const struct unit *unit)
{
    struct ip_prefix *excluded = &look->at.address.excluded;

    look->at.address.filter = *look->tools->smtp.filter;
    if (!unit->opted_out)
        return;
    *excluded = (struct ip_prefix){unit->ip, unit->ip.family == 6 ? 128 : 32};
    look->at.address.filter.excluded = excluded;
    look->at.address.filter.excluded_count = 1;
}

static bool start_address(struct look *look)
{
    struct unit_result *result = look->result;
    const struct unit *unit = &result->unit;
    struct smtp_tools tools = look->tools->smtp;

    result->address = arena_alloc(result->arena, sizeof *result->address);
    if (result->address == NULL)
        return false;
    look->at.address.target = (struct smtp_target){
        .ip = unit->ip, .port = look->tools->smtp_port, .host = unit->host, .sni = unit->name};
    set_filter(look, unit);
    tools.filter = &look->at.address.filter;
    return smtp_start(&look->at.address.probe, &tools, &look->tools->smtp_options,
                      &look->at.address.target, on_smtp, look) == 0;
}

static void cancel_address(struct look *look)
{
    smtp_cancel(look->at.address.probe);
}

const struct look_kind look_address = {start_address, cancel_address};
