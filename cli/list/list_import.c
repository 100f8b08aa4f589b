/*
 * list_import: `mxcrypt list import`: what a policy list would change here. Nothing is changed: the
 * verdicts of its domains are asked for, as they are without it (cli/judge.h), and the list is put
 * upon each as mxcryptd would put it: below rules, DANE and MTA-STS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "cli/judge.h"
#include "cli/list/list_command.h"
#include "policy/sts_match.h"

#define DOMAINS_MAX 10000 /* that are asked for: each may be looked up */
#define SHOWN_MAX   200

/* What becomes of a domain's mail. */
#define OUTCOMES(X)                                                                                \
    X(OUTCOME_SAME, "same")       /* its answer stays */                                           \
    X(OUTCOME_TESTING, "testing") /* it stays while the list has it in testing mode */             \
    X(OUTCOME_CHANGES, "changes") /* the list's answer */                                          \
    X(OUTCOME_STOPS, "stops")     /* the same, and mail would wait */                              \
    X(OUTCOME_UNKNOWN, "unknown") /* the same, and whether mail would flow is not known */         \
    X(OUTCOME_UNSEEN, "unseen")   /* there is no verdict, or only a deferral */
enum outcome { OUTCOMES(ENUM_CONSTANT) OUTCOME_COUNT };
static const char *const outcome_names[] = {OUTCOMES(ENUM_WORD)};

struct domain {
    struct policy_list_entry entry;
    long long messages;
    enum outcome outcome;
    char *now; /* owned: the present answer; NULL: there is none */
    char *why; /* owned: of it */
};

struct importing {
    struct cli *cli;
    struct list_file file;
    struct domain *domains; /* owned, by name */
    size_t count;
    bool weighted;
    bool enforce; /* --mode enforce: entries in testing mode as if they were enforced */
    struct override_options in_force;
    long long all_messages;
};

/* ---- the domains ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct domain *)a)->entry.domain,
                  ((const struct domain *)b)->entry.domain);
}

static bool add(struct importing *all, const struct policy_list_entry *entry, long long messages)
{
    if (all->count == DOMAINS_MAX)
        return false;
    all->domains[all->count++] =
        (struct domain){.entry = *entry, .messages = messages, .outcome = OUTCOME_UNSEEN};
    return true;
}

static int too_many(void)
{
    fprintf(stderr,
            "mxcrypt: more than %d domains: with --from-audit only those that you send mail to are "
            "looked at\n",
            DOMAINS_MAX);
    return CLI_USAGE;
}

/* Those of an audit that are on the list. */
static int read_audit(struct importing *all, const char *path)
{
    json_error_t error;
    json_t *audit = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *domain;
    json_t *domains = json_object_get(audit, "domains");
    struct policy_list_entry entry;
    int status = CLI_OK;
    char shown[SHOWN_MAX];
    size_t i;

    if (!json_is_array(domains)) {
        fprintf(stderr, "mxcrypt: %s: not what mxcrypt --json audit writes: %s\n", path,
                audit == NULL ? escape_bytes(shown, sizeof shown, error.text, strlen(error.text))
                              : "it has no list of domains");
        status = CLI_DATA;
    }
    json_array_foreach(domains, i, domain)
    {
        all->all_messages += number_of(domain, "messages");
        if (status == CLI_OK &&
            policy_list_find(&entry, all->file.list, string_of(domain, "name")) &&
            !add(all, &entry, number_of(domain, "messages")))
            status = too_many();
    }
    json_decref(audit);
    return status;
}

static int read_domains(struct importing *all)
{
    const char *audit = all->cli->survey.from_audit;
    struct policy_list_entry entry;
    int status = CLI_OK;
    size_t at = 0;

    all->domains = calloc(DOMAINS_MAX, sizeof *all->domains);
    if (all->domains == NULL)
        return CLI_INTERNAL;
    all->weighted = audit != NULL;
    if (audit != NULL)
        status = read_audit(all, audit);
    while (audit == NULL && status == CLI_OK && policy_list_next(&entry, all->file.list, &at))
        if (!add(all, &entry, 0))
            status = too_many();
    qsort(all->domains, all->count, sizeof *all->domains, by_name);
    return status;
}

/* ---- the verdicts ---- */

/* Whether a rule stands above the list: it decides alone, or asks for as much. */
static bool ruled(const json_t *line)
{
    const json_t *enforced = json_object_get(line, "enforced");
    const char *reason = string_of(enforced, "reason"), *level = string_of(enforced, "level");

    if (strcmp(reason, "rule-at-least") == 0)
        return strcmp(level, "encrypt") != 0 && strcmp(level, "verify") != 0;
    return strncmp(reason, "rule-", 5) == 0;
}

/* Whether one of the mail hosts that are known to have a valid certificate is the list's. */
static bool verifies(const struct policy_list_entry *entry, const json_t *verified)
{
    const struct list_evidence list = {.mx = entry->mx, .mx_count = entry->mx_count};
    const json_t *host;
    size_t i;

    json_array_foreach(verified, i, host)
    {
        if (sts_match_listed(&list, json_string_value(host)))
            return true;
    }
    return false;
}

/* How mail would go if its hosts had to be the list's. */
static enum outcome forecast(const struct policy_list_entry *entry, const json_t *line)
{
    const char *secure = string_of(json_object_get(line, "forecasts"), "secure");

    if (strcmp(secure, "unknown") == 0)
        return OUTCOME_UNKNOWN;
    return strcmp(secure, "flows") == 0 && verifies(entry, json_object_get(line, "verified"))
               ? OUTCOME_CHANGES
               : OUTCOME_STOPS;
}

static enum outcome judge_line(const struct importing *all, const struct domain *domain,
                               const json_t *line)
{
    const json_t *found = json_object_get(line, "found");

    if (ruled(line) || strcmp(string_of(found, "reason"), "list-enforce") == 0)
        return OUTCOME_SAME;
    if (!is_true(line, "list_decides"))
        return strcmp(string_of(found, "level"), "temp") == 0 ? OUTCOME_UNSEEN : OUTCOME_SAME;
    if (domain->entry.mode == LIST_TESTING && !all->enforce)
        return OUTCOME_TESTING;
    return forecast(&domain->entry, line);
}

static void take_verdict(void *context, size_t index, const json_t *line)
{
    struct importing *all = context;
    struct domain *domain = &all->domains[index];
    const json_t *enforced = json_object_get(line, "enforced");

    if (domain->now != NULL)
        return;
    domain->now = strdup(string_of(enforced, "answer"));
    domain->why = strdup(string_of(enforced, "why"));
    domain->outcome = judge_line(all, domain, line);
}

static int ask(struct importing *all)
{
    const char **names = calloc(all->count + 1, sizeof *names);
    int status = CLI_INTERNAL;

    if (names != NULL) {
        for (size_t i = 0; i < all->count; i++)
            names[i] = all->domains[i].entry.domain;
        status = judge_ask(all->cli, names, all->count, -1, &all->in_force, take_verdict, all);
    }
    free(names);
    return status;
}

/* ---- what is told ---- */

static const char *text_of(const char *text)
{
    return text == NULL ? "" : text;
}

static json_t *json_of_domain(const struct domain *domain)
{
    json_t *mxs = json_array();
    const char *mx = domain->entry.mx;

    for (size_t i = 0; i < domain->entry.mx_count; i++, mx += strlen(mx) + 1)
        json_array_append_new(mxs, json_string(mx[0] == '*' ? mx + 1 : mx));
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:I}", "domain", domain->entry.domain, "mode",
                     list_mode_name(domain->entry.mode), "mxs", mxs, "now", text_of(domain->now),
                     "why", text_of(domain->why), "outcome", outcome_names[domain->outcome],
                     "messages", (json_int_t)domain->messages);
}

static void print_domain(const struct importing *all, const struct domain *domain)
{
    static const char *const ends[] = {[OUTCOME_STOPS] = "; mail would wait",
                                       [OUTCOME_UNKNOWN] =
                                           "; whether mail would flow is not known"};
    struct buf hosts;

    if (domain->outcome == OUTCOME_SAME || domain->outcome == OUTCOME_TESTING)
        return;
    if (domain->outcome == OUTCOME_UNSEEN) {
        printf("%s: not known: %s\n", domain->entry.domain,
               domain->why == NULL ? "it was not looked up" : domain->why);
        return;
    }
    buf_init(&hosts, POLICY_LIST_VALUE_MAX);
    list_hosts(&hosts, &domain->entry, ":");
    printf("%s: %s -> OK secure match=%s servername=hostname%s", domain->entry.domain,
           text_of(domain->now), buf_text(&hosts),
           domain->outcome == OUTCOME_CHANGES ? "" : ends[domain->outcome]);
    if (all->weighted)
        printf(" (%lld messages)", domain->messages);
    putchar('\n');
    buf_fini(&hosts);
}

struct sums {
    long long domains[OUTCOME_COUNT], messages[OUTCOME_COUNT], messages_all;
};

static void add_up(struct sums *sums, const struct importing *all)
{
    *sums = (struct sums){0};
    for (size_t i = 0; i < all->count; i++) {
        sums->domains[all->domains[i].outcome]++;
        sums->messages[all->domains[i].outcome] += all->domains[i].messages;
        sums->messages_all += all->domains[i].messages;
    }
}

static void print_sums(const struct importing *all, const struct sums *sums)
{
    static const struct {
        enum outcome outcome;
        const char *text;
    } rows[] = {
        {OUTCOME_CHANGES, "change: the list asks for TLS, and mail flows"},
        {OUTCOME_STOPS, "change: the list asks for TLS, and mail would wait"},
        {OUTCOME_UNKNOWN,
         "change: the list asks for TLS, and whether mail would flow is not known"},
        {OUTCOME_TESTING, "in testing mode: nothing changes yet (--mode enforce tells more)"},
        {OUTCOME_SAME,
         "as they are: by DANE, MTA-STS, a rule, a list in force, or without a mail host"},
        {OUTCOME_UNSEEN, "not known: the lookup failed"},
    };

    printf("%zu domains of the list", all->count);
    if (all->weighted)
        printf(" get mail from here: %lld of %lld messages", sums->messages_all, all->all_messages);
    putchar('\n');
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (sums->domains[rows[i].outcome] == 0)
            continue;
        printf("%8lld %s", sums->domains[rows[i].outcome], rows[i].text);
        if (all->weighted)
            printf(" (%lld messages)", sums->messages[rows[i].outcome]);
        putchar('\n');
    }
}

/* What holds back all or some of this. */
static void print_withheld(const struct importing *all)
{
    if (all->in_force.monitor)
        puts("mode = monitor: until that is changed, Postfix is told nothing of it");
    else if (all->in_force.rollout < 100)
        printf("rollout = %u: the other next-hops are told nothing of it\n", all->in_force.rollout);
}

static json_t *json_of_sums(const struct importing *all, const struct sums *sums)
{
    json_t *json = json_object(), *domains = json_array();

    for (int i = 0; i < OUTCOME_COUNT; i++)
        json_object_set_new(json, outcome_names[i],
                            json_pack("{s:I, s:I}", "domains", (json_int_t)sums->domains[i],
                                      "messages", (json_int_t)sums->messages[i]));
    for (size_t i = 0; i < all->count; i++)
        json_array_append_new(domains, json_of_domain(&all->domains[i]));
    return json_pack("{s:o, s:o}", "outcomes", json, "domains", domains);
}

static int tell(const struct importing *all)
{
    struct sums sums;
    json_t *json;

    add_up(&sums, all);
    if (all->cli->json) {
        json = json_of_sums(all, &sums);
        print_json(json);
        json_decref(json);
    } else {
        for (size_t i = 0; i < all->count; i++)
            print_domain(all, &all->domains[i]);
        print_sums(all, &sums);
        print_withheld(all);
    }
    return sums.domains[OUTCOME_STOPS] > 0 ? CLI_NO : CLI_OK;
}

/* ---- the command ---- */

/* Signed, where a key is given; what has expired would change nothing. */
static int open_list(struct importing *all)
{
    const struct cli *cli = all->cli;
    char why[POLICY_LIST_ERROR_MAX];
    struct list_signer signer;
    int status = list_open(&all->file, cli->words[0]);

    if (status == CLI_OK && cli->own.key != NULL)
        status = list_verify(&signer, cli, &all->file);
    if (status == CLI_OK &&
        policy_list_judge(all->file.header, 0, 0, clock_wall_s(), why) != POLICY_LIST_IN_FORCE) {
        fprintf(stderr, "mxcrypt: %s would not be used: %s\n", cli->words[0], why);
        status = CLI_DATA;
    }
    return status;
}

int list_import(struct cli *cli)
{
    struct importing all = {.cli = cli};
    enum list_mode mode;
    int status;

    if (!list_read_mode(&mode, cli->own.mode))
        return CLI_USAGE;
    all.enforce = mode == LIST_ENFORCE;
    status = open_list(&all);
    if (status == CLI_OK)
        status = read_domains(&all);
    if (status == CLI_OK)
        status = ask(&all);
    if (status == CLI_OK)
        status = tell(&all);
    for (size_t i = 0; i < all.count; i++) {
        free(all.domains[i].now);
        free(all.domains[i].why);
    }
    free(all.domains);
    list_close(&all.file);
    return status;
}
