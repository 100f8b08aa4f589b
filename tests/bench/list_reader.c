/*
 * list_reader: how fast a policy list is read and asked, and what memory it takes: domains with two
 * hosts of their own (the worst case), and domains that share the hosts of few operators.
 *
 * usage: list_reader [DOMAINS [RUNS]]
 *
 * Prints one line for each kind of list: octets of text, the median time to read it, octets for each
 * domain, the time to find one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "policy/list/policy_list_write.h"

#define DOMAINS   100000
#define RUNS      11
#define RUNS_MAX  1000
#define OPERATORS 100

static void die(const char *why)
{
    fprintf(stderr, "list_reader: %s\n", why);
    exit(1);
}

/* The text of a list whose domains have hosts of `operators` operators; 0: each its own. */
static void make_text(struct buf *out, unsigned domains, unsigned operators)
{
    buf_init(out, POLICY_LIST_TEXT_MAX);
    buf_adds(out,
             "{\"timestamp\": \"2026-11-28T12:00:00Z\", \"expires\": \"2026-12-28T12:00:00Z\",\n"
             "\"version\": \"0.1\", \"policy-aliases\": {}, \"policies\": {");
    for (unsigned i = 0; i < domains; i++) {
        unsigned of = operators == 0 ? i : i % operators;

        buf_addf(out,
                 "%s\n    \"domain-number-%u.example\": {\"mode\": \"enforce\", \"mxs\": "
                 "[\"mx1.operator-%u.example\", \".mail.operator-%u.example\"]}",
                 i == 0 ? "" : ",", i, of, of);
    }
    buf_adds(out, "}}\n");
    if (out->failed)
        die("no memory, or too many domains");
}

static struct policy_list *read_once(const struct buf *text, double *ms)
{
    int64_t began = clock_monotonic_ns();
    char error[POLICY_LIST_ERROR_MAX];
    struct policy_list *list;

    if (policy_list_read(&list, buf_text(text), text->length, error) != 0)
        die(error);
    *ms = (double)(clock_monotonic_ns() - began) / 1e6;
    return list;
}

static double find_ns(const struct policy_list *list, unsigned domains)
{
    int64_t began = clock_monotonic_ns();
    struct policy_list_entry entry;
    char domain[64];

    for (unsigned i = 0; i < domains; i++) {
        snprintf(domain, sizeof domain, "domain-number-%u.example", (i * 7919u) % domains);
        if (!policy_list_find(&entry, list, domain))
            die("a domain is lost");
    }
    return (double)(clock_monotonic_ns() - began) / domains;
}

static int compare_times(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static void measure(const char *what, unsigned domains, unsigned operators, unsigned runs)
{
    static double ms[RUNS_MAX];
    struct buf text;

    make_text(&text, domains, operators);
    for (unsigned i = 0; i < runs; i++) {
        struct policy_list *list = read_once(&text, &ms[i]);

        if (i + 1 == runs) {
            double each = (double)policy_list_octets(list) / domains, find = find_ns(list, domains);

            qsort(ms, runs, sizeof ms[0], compare_times);
            printf(
                "%-16s %u domains, %zu octets: read in %.1f ms (%.1f to %.1f); %.1f octets each; "
                "found in %.0f ns\n",
                what, domains, text.length, ms[runs / 2], ms[0], ms[runs - 1], each, find);
        }
        policy_list_free(list);
    }
    buf_fini(&text);
}

int main(int argc, char **argv)
{
    unsigned domains = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : DOMAINS;
    unsigned runs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : RUNS;
    struct rusage usage;

    if (domains < 1 || domains > POLICY_LIST_DOMAINS_MAX || runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: list_reader [DOMAINS [RUNS]]\n");
        return 2;
    }
    measure("hosts of its own", domains, 0, runs);
    measure("shared hosts", domains, OPERATORS, runs);
    getrusage(RUSAGE_SELF, &usage);
    printf("memory %ld KiB at most, the text included\n", usage.ru_maxrss);
    return 0;
}
