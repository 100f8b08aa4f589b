/* look_host_uv: addresses and TLSA records of an MX host, as probe/host_uv finds them. */
#include "survey/look/look_uv.h"

static void on_host(void *context)
{
    struct look *look = context;

    look_note_failure(look, look->result->host->host.failure);
    look_finish(look);
}

static bool start_host(struct look *look)
{
    struct unit_result *result = look->result;
    const struct host_request request = {
        .dns = look->tools->dns,
        .arena = result->arena,
        .name = result->unit.name,
        .port = look->tools->smtp_port,
        .dane = look->tools->dane,
        .query_budget = &look->query_budget,
    };

    result->host = arena_alloc(result->arena, sizeof *result->host);
    return result->host != NULL &&
           host_start(&look->at.host, &request, &result->host->host, on_host, look) == 0;
}

static void cancel_host(struct look *look)
{
    host_cancel(look->at.host);
}

const struct look_kind look_host = {start_host, cancel_host};
