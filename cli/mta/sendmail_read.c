/* sendmail_read: reads sendmail.cf, and what Sendmail says of itself; see sendmail.h. Pure. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/mta/sendmail.h"

#define VERSION_LINE "Version "

const char *const sendmail_map_names[SENDMAIL_MAPS] = {"sts", "sendmail"};

/* ---- what the program says ---- */

void sendmail_read_program(struct sendmail_facts *facts, const char *text)
{
    const char *line = strstr(text, VERSION_LINE);
    unsigned major, minor;
    size_t length;

    facts->compiled = arena_strdup(facts->arena, text);
    if (line == NULL || strstr(text, "Compiled with:") == NULL ||
        sscanf(line, VERSION_LINE "%4u.%4u", &major, &minor) != 2)
        return;
    line += strlen(VERSION_LINE);
    length = strcspn(line, " \t\r\n");
    facts->version = arena_strndup(facts->arena, line, length);
    facts->major = major;
    facts->minor = minor;
}

/* ---- lines of sendmail.cf ---- */

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');

    return end == NULL ? NULL : end + 1;
}

/* What of the line belongs to it, without blanks at either end. */
static char *trimmed(struct arena *arena, const char *text)
{
    size_t length;

    text += strspn(text, " \t");
    length = strcspn(text, "\r\n");
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    return arena_strndup(arena, text, length);
}

/* What follows a word; NULL when the text does not begin with that word alone. */
static const char *after_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    if (strncasecmp(text, word, length) != 0 || isalnum((unsigned char)text[length]) ||
        text[length] == '_' || text[length] == '.')
        return NULL;
    return text + length;
}

const char *sendmail_option(const struct sendmail_facts *facts, const char *name)
{
    const char *value = NULL, *rest;

    for (const char *line = facts->text; line != NULL; line = next_line(line)) {
        if (line[0] != 'O' || line[1] != ' ')
            continue;
        rest = after_word(line + 1 + strspn(line + 1, " \t"), name);
        if (rest == NULL)
            continue;
        rest += strspn(rest, " \t");
        if (*rest == '=')
            value = trimmed(facts->arena, rest + 1);
    }
    return value;
}

const char *sendmail_first_rule(const struct sendmail_facts *facts, const char *ruleset)
{
    bool inside = false;

    for (const char *line = facts->text; line != NULL; line = next_line(line)) {
        if (line[0] == 'S')
            inside = after_word(line + 1, ruleset) != NULL;
        else if (line[0] == 'R' && inside)
            return trimmed(facts->arena, line + 1);
    }
    return NULL;
}

/* ---- maps ---- */

static void read_map_word(struct sendmail_socket *map, const char *word)
{
    char *end;

    if (strncmp(word, "-T", 2) == 0) {
        map->temporary = word + 2;
    } else if (strncmp(word, "-d", 2) == 0) {
        map->timeout_s = strtol(word + 2, &end, 10);
        if (*end != '\0' || map->timeout_s < 0)
            map->timeout_s = 0;
    } else if (word[0] != '-') {
        map->address = word;
    }
}

static void read_map(struct sendmail_facts *facts, struct sendmail_socket *map, const char *text)
{
    char *words = trimmed(facts->arena, text), *state = NULL, *word;

    *map = (struct sendmail_socket){.text = trimmed(facts->arena, text)};
    if (words == NULL)
        return;
    word = strtok_r(words, " \t", &state);
    map->is_socket = word != NULL && strcmp(word, "socket") == 0;
    while (word != NULL && (word = strtok_r(NULL, " \t", &state)) != NULL)
        read_map_word(map, word);
}

/* ---- mailers ---- */

/* The number after r=. */
static long recipients_of(const char *mailer)
{
    for (const char *at = strstr(mailer, "r="); at != NULL; at = strstr(at + 1, "r="))
        if (at > mailer && strchr(", \t\n", at[-1]) != NULL)
            return strtol(at + 2, NULL, 10);
    return 0;
}

/* `NAME, P=[IPC], ..., r=N, ...`, which goes on in lines that begin with a blank. */
static void read_mailer(struct sendmail_facts *facts, const char *text)
{
    struct sendmail_mailer *mailer = &facts->mailers[facts->mailer_count];
    const char *end = text;
    char *whole;

    do
        end = strchr(end + 1, '\n');
    while (end != NULL && (end[1] == ' ' || end[1] == '\t'));
    whole = arena_strndup(facts->arena, text, end == NULL ? strlen(text) : (size_t)(end - text));
    if (whole == NULL || strstr(whole, "P=[IPC]") == NULL || strstr(whole, "A=TCP") == NULL ||
        facts->mailer_count == SENDMAIL_MAILERS_MAX)
        return;
    mailer->recipients = recipients_of(whole);
    mailer->name = arena_strndup(facts->arena, whole, strcspn(whole, ", \t"));
    facts->mailer_count += mailer->name != NULL;
}

bool sendmail_canonifies(struct arena *arena, const char *text)
{
    const struct sendmail_facts facts = {.arena = arena, .text = text};
    const char *modifiers = sendmail_option(&facts, "DirectSubmissionModifiers");

    /* without that option they are "c u", where c asks for it */
    return strstr(text, "\nR$* $| $* < @ $+.$+ > $*") == NULL || modifiers == NULL ||
           *modifiers == '\0' || strchr(modifiers, 'c') != NULL;
}

void sendmail_read_cf(struct sendmail_facts *facts, const char *text)
{
    const char *rest;

    facts->text = arena_strdup(facts->arena, text);
    for (const char *line = facts->text; line != NULL; line = next_line(line)) {
        if (line[0] == 'M')
            read_mailer(facts, line + 1);
        for (size_t i = 0; i < SENDMAIL_MAPS && line[0] == 'K'; i++)
            if ((rest = after_word(line + 1, sendmail_map_names[i])) != NULL)
                read_map(facts, &facts->sockets[i], rest);
    }
}

/* ---- addresses ---- */

/* Where mxcryptd listens by default: for Postfix alone. */
#define OF_POSTFIX "unix:/var/spool/postfix/"

/* As a K line names a listener; NULL for one that is not Sendmail's. */
static const char *address_of(struct arena *arena, const struct listen_address *listen)
{
    static const struct ip any4 = {.family = 4}, any6 = {.family = 6};
    char text[IP_TEXT_MAX];
    bool six = listen->ip.family == 6;

    if (listen->protocol != LISTEN_SOCKETMAP)
        return NULL;
    if (listen->path != NULL)
        return arena_printf(arena, "unix:%s", listen->path);
    ip_text(&listen->ip, text);
    if (ip_equal(&listen->ip, six ? &any6 : &any4))
        strcpy(text, six ? "::1" : "127.0.0.1");
    return arena_printf(arena, "%s:%u@%s", six ? "inet6" : "inet", (unsigned)listen->port, text);
}

const char *sendmail_address(struct arena *arena, const struct config *config)
{
    const char *best = NULL, *address;

    for (size_t i = 0; i < config->listen_count; i++) {
        address = address_of(arena, &config->listen[i]);
        if (address != NULL && strncmp(address, OF_POSTFIX, strlen(OF_POSTFIX)) != 0 &&
            (best == NULL || (strncmp(best, "unix:", 5) == 0 && strncmp(address, "unix:", 5) != 0)))
            best = address;
    }
    return best;
}

bool sendmail_is_ours(const struct config *config, const char *address)
{
    struct arena *arena = arena_new(CONFIG_LISTEN_MAX * 4096);
    const char *ours;
    bool same = false;

    if (strncmp(address, "local:", 6) == 0)
        address = arena_printf(arena, "unix:%s", address + 6);
    for (size_t i = 0; i < config->listen_count && address != NULL; i++) {
        ours = address_of(arena, &config->listen[i]);
        same = same || (ours != NULL && strcmp(ours, address) == 0);
    }
    arena_free(arena);
    return same;
}
