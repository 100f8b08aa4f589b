/* options: the table of options, what the command line says, and values of options; see cli.h. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define OVERRIDES_MAX 64

static struct cli command_line = {.fd = -1};

/* X(word, name, member): options whose values are kept as they were written. */
#define TEXT_OPTIONS(X)                                                                            \
    X(AS, "as", as)                                                                                \
    X(SINCE, "since", audit.since)                                                                 \
    X(UNTIL, "until", audit.until)                                                                 \
    X(TOP, "top", audit.top)                                                                       \
    X(HTML, "html", audit.html)                                                                    \
    X(PROMETHEUS, "prometheus", audit.prometheus)                                                  \
    X(ROLLOUT, "rollout", audit.rollout)                                                           \
    X(RULES, "rules", audit.rules)                                                                 \
    X(MIN_MESSAGES, "min-messages", audit.min_messages)                                            \
    X(MIN_DAYS, "min-days", audit.min_days)                                                        \
    X(TLSRPT, "tlsrpt", audit.tlsrpt)                                                              \
    X(DAY, "day", audit.day)                                                                       \
    X(POSTFIX, "postfix", postfix_directory)                                                       \
    X(EXIM, "exim", exim)                                                                          \
    X(SENDMAIL, "sendmail", sendmail)                                                              \
    X(CF, "cf", cf)                                                                                \
    X(OUT, "out", survey.out)                                                                      \
    X(RATE, "rate", survey.rate)                                                                   \
    X(JOBS, "jobs", survey.jobs)                                                                   \
    X(SAMPLE, "sample", survey.sample)                                                             \
    X(SEED, "seed", survey.seed)                                                                   \
    X(SHARD, "shard", survey.shard)                                                                \
    X(OPT_OUT, "opt-out", survey.opt_out)                                                          \
    X(FROM_AUDIT, "from-audit", survey.from_audit)                                                 \
    X(NAME, "name", survey.name)                                                                   \
    X(SPOOL, "spool", survey.spool)                                                                \
    X(CHUNK_SIZE, "chunk-size", survey.chunk_size)                                                 \
    X(PARTS, "parts", survey.parts)                                                                \
    X(SLOTS, "slots", survey.slots)                                                                \
    X(IDLE, "idle", survey.idle)                                                                   \
    X(FORMAT, "format", survey.format)                                                             \
    X(FROM, "from", check.from)                                                                    \
    X(STATE, "state", check.state)                                                                 \
    X(MODE, "mode", own.mode)                                                                      \
    X(MAX_AGE, "max-age", own.max_age)                                                             \
    X(TTL, "ttl", own.ttl)                                                                         \
    X(RUA, "rua", own.rua)                                                                         \
    X(KEY, "key", own.key)                                                                         \
    X(CURRENT, "current", own.current)                                                             \
    X(FINGERPRINT, "fingerprint", list.fingerprint)                                                \
    X(EXPIRES, "expires", list.expires)                                                            \
    X(FROM_SURVEY, "from-survey", list.from_survey)                                                \
    X(REPORT, "report", list.report)                                                               \
    X(DROP_AFTER, "drop-after", list.drop_after)                                                   \
    X(ENFORCE_AFTER, "enforce-after", list.enforce_after)

enum text_option {
    TEXT_BEFORE = 0xff, /* no letter */
#define X(word, name, member) TEXT_##word,
    TEXT_OPTIONS(X)
#undef X
};

/* --FLAG sets its number; the others are taken by take_option. */
static const struct option long_options[] = {
    {"json", no_argument, &command_line.json, 1},
    {"fresh", no_argument, &command_line.fresh, 1},
    {"partial", no_argument, &command_line.audit.partial, 1},
    {"dry-run", no_argument, &command_line.dry_run, 1},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {"verdicts", no_argument, &command_line.audit.verdicts, 1},
    {"suggest-rules", no_argument, &command_line.audit.suggest, 1},
    {"queue", optional_argument, NULL, 'q'},
    {"follow", no_argument, &command_line.audit.follow, 1},
    {"resume", no_argument, &command_line.survey.resume, 1},
    {"no-probe", no_argument, &command_line.survey.no_probe, 1},
    {"enforced", no_argument, &command_line.check.enforced, 1},
    {"issuer", no_argument, &command_line.own.issuer, 1},
    {"missing", no_argument, &command_line.own.missing, 1},
    {"zone", no_argument, &command_line.own.zone, 1},
    {"nsupdate", no_argument, &command_line.own.nsupdate, 1},
    {"any-name", no_argument, &command_line.own.any_name, 1},
    {"cert", required_argument, NULL, 'C'},
    {"without-server", required_argument, NULL, 'W'},
    {"without-address", required_argument, NULL, 'A'},
    {"quiet", no_argument, &command_line.check.quiet, 1},
    {"nagios", no_argument, &command_line.check.nagios, 1},
    {"check", no_argument, &command_line.check_it, 1},
    {"self", no_argument, &command_line.self, 1},
    {"inbound", no_argument, &command_line.inbound, 1},
    {"enforce", no_argument, &command_line.enforce, 1},
    {"from-rules", no_argument, &command_line.list.from_rules, 1},
    {"from-memory", no_argument, &command_line.list.from_memory, 1},
    {"fold", no_argument, &command_line.list.fold, 1},
    {"really", no_argument, &command_line.list.really, 1},
    {"no-dnssec", no_argument, &command_line.survey.no_dnssec, 1},
#define X(word, name, member) {name, required_argument, NULL, TEXT_##word},
    TEXT_OPTIONS(X)
#undef X
        {"mail-host", required_argument, NULL, 'm'},
    {NULL, 0, NULL, 0},
};

static const char *overrides[OVERRIDES_MAX]; /* -o */

/* -1 to go on, else the exit status, as the next one. */
static int take_into(const char **list, size_t *count, size_t max)
{
    if (*count == max)
        return cli_usage(stderr);
    list[(*count)++] = optarg;
    return -1;
}

/* A queue of Postfix has no place, that of a survey has a URL, which may stand behind a blank. */
static void take_queue(const char *value, char **words)
{
    if (value == NULL && words[optind] != NULL && strstr(words[optind], "://") != NULL)
        value = words[optind++];
    command_line.survey.queue = value;
    command_line.audit.queue = value == NULL;
}

static int take_option(int option, char **words)
{
    switch (option) {
    case 0: /* a flag */
        return -1;
#define X(word, name, member)                                                                      \
    case TEXT_##word:                                                                              \
        command_line.member = optarg;                                                              \
        return -1;
        TEXT_OPTIONS(X)
#undef X
    case 'c':
        command_line.config_path = optarg;
        return -1;
    case 'o':
        return take_into(overrides, &command_line.override_count, OVERRIDES_MAX);
    case 'q':
        take_queue(optarg, words);
        return -1;
    case 'C':
        return take_into(command_line.own.certs, &command_line.own.cert_count, CLI_CERTS_MAX);
    case 'W':
        return take_into(command_line.own.without, &command_line.own.without_count,
                         CLI_WITHOUT_MAX);
    case 'A':
        return take_into(command_line.own.unseen, &command_line.own.unseen_count, CLI_WITHOUT_MAX);
    case 'm':
        return take_into(command_line.mail_hosts, &command_line.mail_host_count,
                         CLI_MAIL_HOSTS_MAX);
    case 'V':
        puts("mxcrypt " MXC_VERSION);
        return CLI_OK;
    case 'h':
        cli_usage(stdout);
        return CLI_OK;
    default:
        return cli_usage(stderr);
    }
}

int cli_options(struct cli **cli, int argc, char **argv)
{
    int option, status;

    command_line.overrides = overrides;
    *cli = &command_line;
    while ((option = getopt_long(argc, argv, "c:o:V", long_options, NULL)) != -1) {
        status = take_option(option, argv);
        if (status >= 0)
            return status;
    }
    return optind == argc ? cli_usage(stderr) : -1;
}

/* ---- values ---- */

bool cli_number(long *out, const char *option, const char *text, long least, long most)
{
    char *end;

    if (text == NULL)
        return true;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *out >= least && *out <= most)
        return true;
    fprintf(stderr, "mxcrypt: %s must be a number from %ld to %ld: %s\n", option, least, most,
            text);
    return false;
}
