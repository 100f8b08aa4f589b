/* judge: see judge.h; judge_queue.c has the queue, local.c the command's own lookups. */
#include "cli/judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/rules/rules.h"

#define KEYS_AT_ONCE 1000 /* VERDICTS_KEYS_MAX of the daemon */

/* ---- asking ---- */

/* The keys of one request, each with its index, and who takes the answers. */
struct batch {
    json_t *indexes; /* by key */
    judge_taker *take;
    void *context;
};

static void take_line(void *context, const json_t *line)
{
    const struct batch *batch = context;
    const json_t *index = json_object_get(batch->indexes, string_of(line, "key"));

    if (json_is_integer(index))
        batch->take(batch->context, (size_t)json_integer_value(index), line);
}

/* The exit status of an answer to `verdicts`, whose refusal was printed. */
static int status_of_batch(int status)
{
    if (status != CLI_NO)
        return status;
    fputs("mxcrypt: mxcryptd gives no verdicts: if it is older than mxcrypt, restart it; --fresh "
          "works without it\n",
          stderr);
    return CLI_NO_DAEMON;
}

/* Asks the daemon for the names from `begin` on. */
static int ask_batch(struct cli *cli, const char *const *names, size_t begin, size_t end,
                     int rollout, struct override_options *in_force, struct batch *batch)
{
    json_t *keys = json_array(), *request, *totals;
    int status;

    batch->indexes = json_object();
    for (size_t i = begin; i < end; i++) {
        json_array_append_new(keys, json_string(names[i]));
        json_object_set_new(batch->indexes, names[i], json_integer((json_int_t)i));
    }
    request = json_pack("{s:s, s:o}", "command", "verdicts", "keys", keys);
    if (rollout >= 0)
        json_object_set_new(request, "rollout", json_integer(rollout));
    totals = client_each(cli, request, take_line, batch, &status);
    if (in_force != NULL && totals != NULL)
        *in_force = (struct override_options){strcmp(string_of(totals, "mode"), "monitor") == 0,
                                              (unsigned)number_of(totals, "rollout")};
    json_decref(totals);
    json_decref(batch->indexes);
    return status_of_batch(status);
}

bool judge_by_daemon(struct cli *cli)
{
    if (cli->fresh)
        return false;
    if (client_reach(cli))
        return true;
    fprintf(stderr, "mxcrypt: cannot reach %s: %s: everything is looked up here\n",
            cli->config.control_socket, strerror(errno));
    cli->fresh = 1; /* said once */
    return false;
}

int judge_ask(struct cli *cli, const char *const *names, size_t count, int rollout,
              struct override_options *in_force, judge_taker *take, void *context)
{
    struct batch batch = {.take = take, .context = context};
    int status = CLI_OK;

    if (!judge_by_daemon(cli)) {
        if (in_force != NULL)
            *in_force = cli->config.override;
        return local_verdicts(cli, names, count, rollout, take, context);
    }
    if (count == 0)
        return ask_batch(cli, names, 0, 0, rollout, in_force, &batch);
    for (size_t i = 0; i < count && status == CLI_OK; i += KEYS_AT_ONCE)
        status = ask_batch(cli, names, i, count - i < KEYS_AT_ONCE ? count : i + KEYS_AT_ONCE,
                           rollout, in_force, &batch);
    return status;
}

/* ---- the domains of a log ---- */

struct judging {
    const struct judge_options *options;
    struct judged *judged;
    const struct tally *tally;
    uint32_t *order;    /* indexes of the domains that are asked for; owned, as `names` */
    const char **names; /* of these */
    size_t count, done, senseless;
};

/* Whether its verdict matters. */
static bool is_wanted(const void *context, uint32_t domain)
{
    static const struct judged nothing;
    const struct judging *judging = context;
    const struct suggest_options *suggest = judging->options->suggest;
    enum verdict_level level;

    return suggest == NULL ||
           suggest_domain(judging->tally, &nothing, suggest, domain, &level) == SUGGEST_NO_VERDICT;
}

static int judging_begin(struct judging *judging)
{
    const struct tally *tally = judging->tally;

    judging->order = calloc((size_t)tally->domain_count + 1, sizeof *judging->order);
    judging->names = calloc(JUDGED_DOMAINS_MAX, sizeof *judging->names);
    if (judging->order == NULL || judging->names == NULL)
        return CLI_INTERNAL;
    judging->count = judged_choose(judging->order, tally, is_wanted, judging);
    for (size_t i = 0; i < judging->count; i++)
        judging->names[i] = tally->domains[judging->order[i]].name;
    return CLI_OK;
}

static void take_verdict(void *context, size_t index, const json_t *line)
{
    struct judging *judging = context;

    judging->done++;
    judging->senseless +=
        !judged_take(judging->judged, judging->tally, judging->order[index], line);
    if (judging->options->progress != NULL)
        judging->options->progress(judging->options->context, judging->done, judging->count);
}

static int judge_them(struct cli *cli, struct judging *judging, const struct rules *rules)
{
    struct judged_options options = {.rollout = judging->options->rollout,
                                     .rules = rules,
                                     .rules_name = judging->options->rules_path,
                                     .now_s = clock_wall_s(),
                                     .smtp_port = cli->config.prober.smtp_port};
    bool daemon = judge_by_daemon(cli);
    /* only to learn mode and rollout */
    int status = judge_ask(cli, NULL, 0, -1, &options.in_force, NULL, NULL);

    if (status == CLI_OK)
        status = judging_begin(judging);
    if (status == CLI_OK && judged_begin(judging->judged, judging->tally,
                                         daemon ? "mxcryptd" : "lookups made now", &options) != 0)
        status = CLI_INTERNAL;
    if (status == CLI_INTERNAL)
        fputs("mxcrypt: no memory\n", stderr);
    if (status != CLI_OK)
        return status;
    status = judge_ask(cli, judging->names, judging->count, options.rollout, NULL, take_verdict,
                       judging);
    judged_end(judging->judged, judging->tally);
    if (judging->senseless > 0)
        fprintf(stderr, "mxcrypt: %zu verdicts could not be read, or there was no memory\n",
                judging->senseless);
    return status;
}

int judge_domains(struct cli *cli, struct judged *judged, const struct tally *tally,
                  const struct judge_options *options)
{
    struct judging judging = {.options = options, .judged = judged, .tally = tally};
    struct rules *rules = NULL;
    int status = CLI_OK;
    struct buf text;

    if (options->rules_path != NULL) {
        status = read_rules(cli, options->rules_path, &text, &rules);
        buf_fini(&text);
    }
    if (status == CLI_OK)
        status = judge_them(cli, &judging, rules);
    judged->options.rules = NULL; /* which are freed now */
    rules_free(rules);
    free(judging.order);
    free(judging.names);
    return status;
}
