/* cli_records: `mxcrypt records DOMAIN`: what to publish, for the hosts as they are and for
 * certificates to come. */
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "check/look/look_now.h"
#include "check/records/records.h"
#include "cli/check/cli_certs.h"
#include "cli/cli.h"
#include "policy/key.h"
#include "probe/tlsrpt/tlsrpt.h"

#define TEXT_MAX        (16 << 20)
#define MAX_AGE_DEFAULT 1209600 /* two weeks, in seconds */
#define MAX_AGE_LEAST   86400   /* below a day nobody is protected */
#define MAX_AGE_KEPT    604800  /* a published one; of less mxcrypt check says that it is short */
#define TTL_DEFAULT     3600
#define RUA_HEAD        "v=TLSRPTv1; rua="
#define TTL_MOST        86400

/* Whether it can stand in a record, and a sender of reports can use it. */
static bool is_rua(struct arena *arena, const char *rua)
{
    char text[TLSRPT_RUA_MAX + sizeof RUA_HEAD];
    struct dns_record record = {.data = (const uint8_t *)text};
    const struct dns_answer answer = {.outcome = DNS_RECORDS, .count = 1, .records = &record};
    struct tlsrpt read;

    if (strlen(rua) > TLSRPT_RUA_MAX)
        return false;
    record.length = (uint16_t)snprintf(text, sizeof text, "%s%s", RUA_HEAD, rua);
    tlsrpt_read(&read, arena, &answer);
    return read.state == TLSRPT_VALID && strcspn(rua, "; ") == strlen(rua);
}

static bool read_wish(struct records_wish *wish, struct arena *arena, const struct cli *cli)
{
    long max_age = MAX_AGE_DEFAULT, ttl = TTL_DEFAULT;
    struct records_certificate *files;

    if (!cli_number(&max_age, "--max-age", cli->own.max_age, MAX_AGE_LEAST, STS_MAX_AGE_MAX) ||
        !cli_number(&ttl, "--ttl", cli->own.ttl, 1, TTL_MOST))
        return false;
    *wish = (struct records_wish){.issuer = cli->own.issuer,
                                  .mta_sts = true,
                                  .mode = STS_MODE_TESTING,
                                  .mode_given = cli->own.mode != NULL,
                                  .max_age = (uint32_t)max_age,
                                  .rua = cli->own.rua,
                                  .ttl = (uint32_t)ttl,
                                  .missing = cli->own.missing};
    if (cli->own.mode != NULL && strcmp(cli->own.mode, "enforce") == 0)
        wish->mode = STS_MODE_ENFORCE;
    else if (cli->own.mode != NULL && strcmp(cli->own.mode, "testing") != 0) {
        fputs("mxcrypt: --mode is testing or enforce\n", stderr);
        return false;
    }
    if (wish->rua != NULL && !is_rua(arena, wish->rua)) {
        fputs("mxcrypt: --rua is mailto:ADDRESS or https://HOST/PATH, or several with commas\n",
              stderr);
        return false;
    }
    files = arena_array(arena, cli->own.cert_count + 1, sizeof *files);
    for (size_t i = 0; files != NULL && i < cli->own.cert_count; i++) {
        files[i].file = cli->own.certs[i];
        if (!cli_read_chain(&files[i].shown, arena, files[i].file))
            return false;
    }
    wish->certificates = files;
    wish->certificate_count = files == NULL ? 0 : cli->own.cert_count;
    return files != NULL;
}

/* Without the options, what is published stays. */
static void keep_published(struct records_wish *wish, const struct cli *cli,
                           const struct check_facts *facts)
{
    const struct sts_policy *policy = facts->policy.policy;

    if (policy != NULL && cli->own.mode == NULL && policy->mode != STS_MODE_NONE)
        wish->mode = policy->mode;
    if (policy != NULL && cli->own.max_age == NULL && policy->max_age >= MAX_AGE_KEPT)
        wish->max_age = policy->max_age;
}

static int print(const struct cli *cli, const struct records *records, uint32_t ttl)
{
    struct buf text;
    int status;

    if (cli->json) {
        json_t *json = records_json(records, ttl);

        print_json(json);
        json_decref(json);
        return fflush(stdout) == 0 ? CLI_OK : CLI_CANNOT_WRITE;
    }
    buf_init(&text, TEXT_MAX);
    (cli->own.nsupdate ? records_nsupdate : records_zone)(&text, records, ttl);
    fputs(buf_text(&text), stdout);
    status = !text.failed && fflush(stdout) == 0 ? CLI_OK : CLI_CANNOT_WRITE;
    buf_fini(&text);
    return status;
}

static int show(const struct cli *cli, struct arena *arena, struct records_wish *wish,
                const struct check_facts *facts)
{
    struct records *records = arena_alloc(arena, sizeof *records);

    keep_published(wish, cli, facts);
    if (records == NULL || !records_make(records, arena, facts, wish)) {
        fputs("mxcrypt: no memory\n", stderr);
        return CLI_INTERNAL;
    }
    if (facts->evidence->mx == MX_ERROR || facts->evidence->mx == MX_UNKNOWN) {
        fputs("mxcrypt: the MX records cannot be looked up\n", stderr);
        return CLI_TEMP;
    }
    return print(cli, records, wish->ttl);
}

int do_records(struct cli *cli)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct look_now *now = NULL;
    struct records_wish wish;
    char why[LOOK_WHY_MAX];
    struct key key;
    int status = CLI_USAGE;
    struct look_now_request request = {.options = &cli->config.prober,
                                       .verdict = &cli->config.verdict};

    if (arena == NULL || !read_wish(&wish, arena, cli)) {
        arena_free(arena);
        return CLI_USAGE;
    }
    key_parse(&key, cli->words[0], strlen(cli->words[0]), cli->config.prober.smtp_port);
    request.domain = key.name;
    if (key.kind != KEY_DOMAIN) {
        fprintf(stderr, "mxcrypt: not a domain: %s\n",
                escape_bytes(why, sizeof why, cli->words[0], strlen(cli->words[0])));
    } else if (look_now(&now, &request, why) != 0) {
        fprintf(stderr, "mxcrypt: %s\n", why);
        status = CLI_INTERNAL;
    } else {
        status = show(cli, arena, &wish, look_now_facts(now));
    }
    look_now_free(now);
    arena_free(arena);
    return status;
}
