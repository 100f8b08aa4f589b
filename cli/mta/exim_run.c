/* exim_run: asks exim(8) and mxcryptd, as the user that Exim runs as; see exim.h. Programs are run
 * without a shell, bounded in time and output. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/file.h"
#include "cli/doctor/doctor_gather.h"
#include "cli/mta/exim.h"
#include "cli/postfix/postfix.h"

#define DEBIAN_FILE "/etc/exim4/update-exim4.conf.conf"
#define DEBIAN_MAX  65536
#define NOBODY      "mxcrypt-asks.invalid" /* no retry rule names it */
#define SIGNED_ZONE "org"
#define WORDS_MAX   16

/* What Exim prints for these words, in the arena; NULL, with *status, when its exit status is not 0. */
static const char *run(struct exim_facts *facts, const char *const *words, int *status,
                       char error[POSTFIX_ERROR_MAX])
{
    const char *text = NULL;
    struct buf out;

    buf_init(&out, EXIM_OUTPUT_MAX);
    *status = postfix_program(words, EXIM_DEADLINE_MS, &out, error);
    if (*status == 0)
        text = arena_strdup(facts->arena, buf_text(&out));
    else if (error[0] == '\0' && out.length > 0) /* it complains on its standard output, too */
        snprintf(error, POSTFIX_ERROR_MAX, "%.200s", buf_text(&out));
    else if (error[0] == '\0')
        snprintf(error, POSTFIX_ERROR_MAX, "exit status %d", *status);
    buf_fini(&out);
    return text;
}

static void complain(struct exim_facts *facts, const char *what, char *error)
{
    char shown[4 * POSTFIX_ERROR_MAX];

    error[strcspn(error, "\r\n")] = '\0';
    facts->error = arena_printf(
        facts->arena, "%s %s: %s", facts->program, what,
        *error == '\0' ? "it fails" : escape_bytes(shown, sizeof shown, error, strlen(error)));
}

/* The same for `exim WHAT NAME...`; one that takes too long is asked nothing more. */
static const char *ask(struct exim_facts *facts, const char *what, const char *first,
                       const char *second)
{
    const char *words[] = {facts->program, what, first, second, NULL}, *text;
    char error[POSTFIX_ERROR_MAX];
    int status;

    if (facts->error != NULL)
        return NULL;
    text = run(facts, words, &status, error);
    if (status < 0)
        complain(facts, what, error);
    return text;
}

/* ---- all that -bP says ---- */

static void gather_options(struct exim_facts *facts)
{
    const char *text;

    for (size_t i = 0; i < EXIM_ROUTERS; i++)
        facts->routers[i] = ask(facts, "-bP", "router", exim_router_names[i]);
    for (size_t i = 0; i < EXIM_TRANSPORTS; i++)
        facts->transports[i] = ask(facts, "-bP", "transport", exim_transport_names[i]);
    text = ask(facts, "-bP", "router_list", NULL);
    if (text != NULL)
        exim_read_order(facts, text);
    for (size_t i = 0; i < facts->before_count; i++)
        facts->before_options[i] = ask(facts, "-bP", "router", facts->before[i]);
    text = ask(facts, "-bP", "macro", "MXCRYPT_SOCKET");
    if (text != NULL && strncmp(text, "MXCRYPT_SOCKET=", 15) == 0)
        facts->socket = arena_strndup(facts->arena, text + 15, strcspn(text + 15, "\n"));
    facts->dnssec_ok =
        exim_option(facts->arena, ask(facts, "-bP", "dns_dnssec_ok", NULL), "dns_dnssec_ok");
    facts->user = exim_option(facts->arena, ask(facts, "-bP", "exim_user", NULL), "exim_user");
    facts->group = exim_option(facts->arena, ask(facts, "-bP", "exim_group", NULL), "exim_group");
    facts->retry = ask(facts, "-brt", NOBODY, NULL);
}

/* ---- what is tried ---- */

/* Exim's expansion of a text, as its user where we may become that. The first line, or NULL with the
 * error. */
static const char *expand(struct exim_facts *facts, const char *text, const char **why)
{
    const char *words[] = {
        "setpriv", "--reuid",      facts->user, "--regid", facts->group, "--init-groups",
        "--",      facts->program, "-be",       text,      NULL};
    char error[POSTFIX_ERROR_MAX];
    int status;
    const char *out = run(facts, words, &status, error);

    *why = NULL;
    if (out != NULL && strncmp(out, "Failed: ", 8) != 0)
        return arena_strndup(facts->arena, out, strcspn(out, "\n"));
    *why = arena_printf(facts->arena, "%.*s", out == NULL ? 200 : (int)strcspn(out, "\n"),
                        out == NULL ? error : out);
    return NULL;
}

static void try_it(struct exim_facts *facts)
{
    const char *socket = exim_socket(facts->arena, facts->config), *why;

    if (geteuid() != 0 || facts->user == NULL || facts->group == NULL)
        return;
    facts->tried = true;
    facts->secure =
        expand(facts, "${lookup dnsdb{dnssec_strict,ns=" SIGNED_ZONE "}{secure}{insecure}}", &why);
    if (socket == NULL || strpbrk(socket, "{}$\\") != NULL)
        return;
    facts->answer_tried = true;
    facts->answer = expand(
        facts,
        arena_printf(facts->arena, "${readsocket{%s}{exim1 " DOCTOR_KEY "\\n}{10s}{ }}", socket),
        &facts->answer_error);
}

/* ---- all of it ---- */

static void gather_debian(struct exim_facts *facts)
{
    struct buf text;

    facts->layout = EXIM_OWN_FILE;
    buf_init(&text, DEBIAN_MAX);
    if (file_read(&text, DEBIAN_FILE) == 0)
        exim_read_debian(facts, buf_text(&text));
    buf_fini(&text);
}

void exim_gather(struct exim_facts *facts, bool all)
{
    const char *words[] = {facts->program == NULL ? "exim4" : facts->program, "-bV", NULL};
    char error[POSTFIX_ERROR_MAX];
    const char *text;
    int status;

    gather_debian(facts);
    text = run(facts, words, &status, error);
    if (text == NULL && facts->program == NULL && strstr(error, "is not found") != NULL) {
        words[0] = "exim";
        text = run(facts, words, &status, error);
    }
    facts->program = words[0];
    if (text == NULL) {
        complain(facts, "-bV", error);
        return;
    }
    exim_read_version(facts, text);
    if (!all)
        return;
    gather_options(facts);
    if (facts->error == NULL)
        try_it(facts);
}
