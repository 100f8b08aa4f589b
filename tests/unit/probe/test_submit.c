/* submit: each domain is asked about once, whatever the number; after the budget none is. */
#include "tests/unit/support/rows.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/submit/submit.h"

#define DOMAINS_MAX 100

static const struct {
    const char *name;
    size_t count;
    int64_t budget_ms;
    bool asked;
} rows[] = {
    {"none", 0, INT64_C(1) << 40, false},
    {"one", 1, INT64_C(1) << 40, true},
    {"as many as at once", SUBMIT_LOOKUPS_MAX, INT64_C(1) << 40, true},
    {"more", DOMAINS_MAX, INT64_C(1) << 40, true},
    {"no time for any", DOMAINS_MAX, 0, false},
};

static void count_record(void *context, size_t index, const struct tlsrpt *record)
{
    assert_int_equal(record->state, TLSRPT_ERROR);
    assert_true(index < DOMAINS_MAX);
    ++((unsigned *)context)[index];
}

/* A name server that is silent. */
static int open_server(struct dns_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_true(ip_parse(&server->ip, "127.0.0.1"));
    server->port = ntohs(address.sin_port);
    return fd;
}

static void test_records(void **state)
{
    const __typeof__(rows[0]) *row = *state;
    struct prober_options options = {
        .dns = {.server_count = 1, .timeout_ms = 10, .tries = 1, .in_flight_max = 100},
        .https = {.deadline_ms = 10000, .in_flight_max = 1, .body_max = 1000},
        .sts = {.retry_ms = 300000, .refresh_ms = 86400000},
        .probes.smtp = {.helo_name = "x.test"},
    };
    int fd = open_server(&options.dns.servers[0]);
    unsigned found[DOMAINS_MAX] = {0};
    const char *domains[DOMAINS_MAX], *why = NULL;
    struct submit *submit = submit_open(&options, &why);
    char query[512];

    assert_null(why);
    for (size_t i = 0; i < row->count; i++)
        domains[i] = "d.test";
    assert_true(submit_records(submit, domains, row->count, row->budget_ms, count_record, found));
    for (size_t i = 0; i < DOMAINS_MAX; i++)
        assert_int_equal(found[i], i < row->count);
    assert_int_equal(recv(fd, query, sizeof query, MSG_DONTWAIT) > 0, row->asked);
    submit_close(submit);
    close(fd);
}

int main(void)
{
    ROWS_ADD(rows, test_records);
    return rows_run("submit");
}
