/*
 * check_writer: writes the pages of made-up checks, for tests/check_pages.py.
 * usage: check_writer FOLDER     NAME.txt, NAME.quiet, NAME.json and NAME.nagios of each
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/check_page.h"
#include "check/judge.h"
#include "tests/unit/check/facts_make.h"

#define ARENA_OCTETS (16u << 20)
#define HOSTILE      "\033[31m<script>\"\\|\n\xff\xc3\xa9"

/* ---- what is made up ---- */

static void sound(struct made *made)
{
    (void)made;
}

static void mistakes(struct made *made)
{
    struct check_attempt *attempt = &made->hosts[0].addresses[0].attempts[CHECK_OFFER_DEFAULT];

    for (size_t i = 0; i < MADE_ADDRESSES; i++)
        for (size_t o = 0; o < CHECK_OFFER_COUNT; o++)
            if (made->hosts[0].addresses[i].attempts[o].certificate_count > 0) {
                made_tls(&made->host[0], "mx1.example.org", i, (enum check_offer)o, '5');
                made->hosts[0].addresses[i].attempts[o].tlsa = TLSA_MATCH_MISMATCH;
                made->host[0].matched[i][o][0] = false;
            }
    attempt->certificates[0].not_after = MADE_NOW + 9 * MADE_DAY;
    made_tls(&made->host[1], "mx2.example.org", 0, CHECK_OFFER_OLD, '1');
    made->hosts[1].addresses[0].attempts[CHECK_OFFER_OLD].protocol = "TLSv1.1";
    made->hosts[1].addresses[1].reverse_confirmed = false;
    made->policy.mx_count = 3;
    made->patterns[2] = "old.example.org";
    made->servers[1].agreement = CHECK_OTHER;
    made->servers[1].serial = 2026112700;
    made->servers[1].rrset = "TLSA _25._tcp.mx1.example.org";
    made->ruas[0].reach = CHECK_REACH_NO;
    made->ruas[0].why = "it has a null MX record";
    made->hosts[1].aaaa.failed_here = true;
}

static void hostile(struct made *made)
{
    struct check_attempt *attempt = &made->hosts[0].addresses[0].attempts[CHECK_OFFER_DEFAULT];

    mistakes(made);
    made->hosts[0].name = made->zones[0].name = HOSTILE;
    made->servers[1].name = made->servers[1].rrset = HOSTILE;
    attempt->certificates[0].subject = attempt->certificates[0].names = HOSTILE;
    attempt->certificates[0].issuer = attempt->certificates[0].signature = HOSTILE;
    attempt->detail = attempt->cipher = HOSTILE;
    made->patterns[2] = HOSTILE;
    made->facts.tlsrpt.rua = HOSTILE;
    made->ruas[0].uri = "mailto:" HOSTILE;
    made->faults[0] = (struct check_fault){3, true, HOSTILE};
    made->facts.policy.fault_count = 1;
    made->facts.policy.content_type = HOSTILE;
}

static void many(struct made *made)
{
    static const char *bad[CHECK_REPORT_MAX + 50];

    for (size_t i = 0; i < CHECK_REPORT_MAX + 50; i++)
        bad[i] = "192.0.2.1";
    made->facts.bad_names = bad;
    made->facts.bad_name_count = CHECK_REPORT_MAX + 50;
}

static void bare(struct made *made)
{
    static const struct evidence nothing;

    made->facts =
        (struct check_facts){.domain = "example.org", .now_s = MADE_NOW, .evidence = &nothing};
}

static const struct {
    const char *name;
    void (*spoil)(struct made *made);
} checks[] = {
    {"sound", sound}, {"mistakes", mistakes}, {"hostile", hostile}, {"many", many}, {"bare", bare}};

/* ---- writing ---- */

static const struct {
    const char *end;
    bool (*write)(FILE *out, const struct check_page *page);
    bool quiet;
} pages[] = {{"txt", check_text, false},
             {"quiet", check_text, true},
             {"json", check_json, false},
             {"nagios", check_nagios, false}};

static bool write_check(const char *folder, const char *name, const struct check_facts *facts)
{
    static struct check_report report;
    struct arena *arena = arena_new(ARENA_OCTETS);
    bool ok = arena != NULL;

    report.arena = arena;
    check_judge(&report, facts);
    for (size_t i = 0; ok && i < sizeof pages / sizeof pages[0]; i++) {
        char path[4096];
        FILE *out;

        snprintf(path, sizeof path, "%s/%s.%s", folder, name, pages[i].end);
        out = fopen(path, "w");
        ok = out != NULL &&
             pages[i].write(out, &(struct check_page){facts, &report, pages[i].quiet});
        ok = out != NULL && fclose(out) == 0 && ok;
    }
    arena_free(arena);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: check_writer FOLDER\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        struct made *made = facts_make();

        checks[i].spoil(made);
        if (!write_check(argv[1], checks[i].name, &made->facts)) {
            fprintf(stderr, "check_writer: %s\n", checks[i].name);
            return 1;
        }
    }
    return 0;
}
