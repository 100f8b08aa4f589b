/* doctor_clients: whose map it is, and the line that suits a Postfix. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/doctor/doctor.h"
#include "tests/unit/support/rows.h"

#define MEMORY ((size_t)16 * 1024 * 1024)

static const struct ours_row {
    const char *name, *listen, *map;
    bool want;
} ours_rows[] = {
    {"below the queue", "socketmap:unix:/q/p", "socketmap:unix:p:policy", true},
    {"absolute", "socketmap:unix:/run/p", "socketmap:unix:/run/p:policy", true},
    {"another path", "socketmap:unix:/run/p", "socketmap:unix:/run/q:policy", false},
    {"our folder, whatever the name", "socketmap:unix:/run/p", "socketmap:unix:mxcrypt/x:policy",
     true},
    {"our folder, absolute", "socketmap:unix:/run/p", "socketmap:unix:/run/mxcrypt/x:policy", true},
    {"a folder that ends like ours", "socketmap:unix:/run/p", "socketmap:unix:/run/xmxcrypt/x:p",
     false},
    {"TCP", "socketmap:inet:127.0.0.1:8461", "socketmap:inet:127.0.0.1:8461:policy", true},
    {"TCP, proxied", "socketmap:inet:127.0.0.1:8461", "proxy:socketmap:inet:127.0.0.1:8461:x",
     true},
    {"TCP, localhost", "socketmap:inet:[::1]:8461", "socketmap:inet:localhost:8461:policy", true},
    {"TCP, another port", "socketmap:inet:127.0.0.1:8461", "socketmap:inet:127.0.0.1:8462:p",
     false},
    {"TCP, another address", "socketmap:inet:127.0.0.1:8461", "socketmap:inet:127.0.0.2:8461:p",
     false},
    {"TCP, a name", "socketmap:inet:127.0.0.1:8461", "socketmap:inet:host.example:8461:p", false},
    {"TCP, any address", "socketmap:inet:0.0.0.0:8461", "socketmap:inet:192.0.2.1:8461:p", true},
    {"TCP, any address of IPv6", "socketmap:inet:[::]:8461", "socketmap:inet:localhost:8461:p",
     true},
    {"TCP, any address, another port", "socketmap:inet:0.0.0.0:8461",
     "socketmap:inet:127.0.0.1:8462:p", false},
    {"tcp:", "tcp:127.0.0.1:8461", "tcp:127.0.0.1:8461", true},
    {"tcp: where socketmap is spoken", "socketmap:inet:127.0.0.1:8461", "tcp:127.0.0.1:8461",
     false},
    {"Exim's", "exim:unix:/q/p", "socketmap:unix:/q/p:policy", false},
    {"Exim's, TCP", "exim:inet:127.0.0.1:8461", "socketmap:inet:127.0.0.1:8461:policy", false},
    {"a table", "socketmap:unix:/q/p", "hash:/q/p", false},
};

static void test_ours(void **state)
{
    const struct ours_row *row = *state;
    char error[POSTFIX_ERROR_MAX], why[CONFIG_ERROR_MAX], text[256];
    struct postfix_map maps[POSTFIX_MAPS_MAX];
    struct arena *arena = arena_new(MEMORY);
    struct config config;

    snprintf(text, sizeof text, "listen = %s\n", row->listen);
    assert_int_equal(config_parse(&config, "test", text, strlen(text), NULL, 0, why), 0);
    assert_int_equal(postfix_maps_parse(maps, arena, row->map, error), 1);
    assert_int_equal(doctor_map_is_ours(&config, &maps[0], "/q"), row->want);
    config_fini(&config);
    arena_free(arena);
}

static const struct suggest_row {
    const char *name, *listen, *queue, *version, *want;
} suggest_rows[] = {
    {"below the queue", "socketmap:unix:/q/m/p", "/q", "3.7.0", "socketmap:unix:m/p:policy"},
    {"below the queue, 3.10", "socketmap:unix:/q/m/p", "/q", "3.10.0", "socketmap:unix:m/p:tlsrpt"},
    {"a slash behind the queue", "socketmap:unix:/q/m/p", "/q/", "3.7.0",
     "socketmap:unix:m/p:policy"},
    {"not below", "socketmap:unix:/qq/p", "/q", "3.7.0", "socketmap:unix:/qq/p:policy"},
    {"TCP", "socketmap:inet:127.0.0.1:1", "/q", "3.7.0", "socketmap:inet:127.0.0.1:1:policy"},
    {"TCP, IPv6", "socketmap:inet:[::1]:1", "/q", "3.10.0", "socketmap:inet:[::1]:1:tlsrpt"},
    {"TCP, any address", "socketmap:inet:0.0.0.0:1", "/q", "3.7.0",
     "socketmap:inet:127.0.0.1:1:policy"},
    {"TCP, any address of IPv6", "socketmap:inet:[::]:1", "/q", "3.7.0",
     "socketmap:inet:[::1]:1:policy"},
    {"tcp:", "tcp:127.0.0.1:1", "/q", "3.10.0", "tcp:127.0.0.1:1"},
    {"the best of several",
     "tcp:127.0.0.1:1\nlisten = exim:unix:/q/e\nlisten = socketmap:unix:/r/p\n"
     "listen = socketmap:unix:/q/p\nlisten = socketmap:inet:127.0.0.1:2",
     "/q", "3.7.0", "socketmap:unix:p:policy"},
};

static void test_suggest(void **state)
{
    const struct suggest_row *row = *state;
    struct postfix *postfix = calloc(1, sizeof *postfix);
    struct arena *arena = arena_new(MEMORY);
    char error[CONFIG_ERROR_MAX], text[256];
    struct config config;
    struct doctor_facts facts = {.arena = arena, .config = &config, .postfix = postfix};

    snprintf(text, sizeof text, "listen = %s\n", row->listen);
    assert_int_equal(config_parse(&config, "test", text, strlen(text), NULL, 0, error), 0);
    postfix->values[POSTFIX_QUEUE_DIRECTORY] = row->queue;
    assert_true(postfix_version_parse(&facts.postfix_version, row->version));
    assert_string_equal(doctor_suggest_map(&facts), row->want);
    config_fini(&config);
    arena_free(arena);
    free(postfix);
}

static void a_client_for_every_service(void **state)
{
    struct postfix *postfix = calloc(1, sizeof *postfix);
    struct arena *arena = arena_new(MEMORY);
    struct config config = {.listen_count = 0};
    struct doctor_facts facts = {.arena = arena, .config = &config, .postfix = postfix};

    (void)state;
    for (int i = 0; i < POSTFIX_PARAMETER_COUNT; i++)
        postfix->values[i] = "";
    for (size_t i = 0; i < POSTFIX_SERVICES_MAX; i++)
        postfix->services[i] =
            (struct postfix_service){.name = "x",
                                     .program = "smtp",
                                     .chroot = "n",
                                     .overrides[POSTFIX_CA_FILE] = arena_printf(arena, "/%zu", i)};
    postfix->service_count = POSTFIX_SERVICES_MAX;
    doctor_clients(&facts);
    assert_false(arena_failed(arena));
    assert_int_equal(facts.client_count, POSTFIX_SERVICES_MAX);
    arena_free(arena);
    free(postfix);
}

/* Debian's relay service has a syslog_name of its own. */
static void clients_that_only_log_otherwise(void **state)
{
    struct postfix *postfix = calloc(1, sizeof *postfix);
    struct arena *arena = arena_new(MEMORY);
    struct config config = {.listen_count = 0};
    struct doctor_facts facts = {.arena = arena, .config = &config, .postfix = postfix};

    (void)state;
    for (int i = 0; i < POSTFIX_PARAMETER_COUNT; i++)
        postfix->values[i] = "";
    for (int i = 0; i < 2; i++)
        postfix->services[i] = (struct postfix_service){.name = "x",
                                                        .program = "smtp",
                                                        .chroot = "n",
                                                        .overrides[POSTFIX_SYSLOG_NAME] =
                                                            i == 0 ? NULL : "postfix/relay"};
    postfix->service_count = 2;
    doctor_clients(&facts);
    assert_int_equal(facts.client_count, 1);
    assert_true(facts.clients[0].main);
    assert_string_equal(facts.clients[0].where, "main.cf");
    arena_free(arena);
    free(postfix);
}

int main(void)
{
    ROWS_ADD(ours_rows, test_ours);
    ROWS_ADD(suggest_rows, test_suggest);
    ROWS_ADD_TEST(a_client_for_every_service);
    ROWS_ADD_TEST(clients_that_only_log_otherwise);
    return rows_run("doctor_clients");
}
