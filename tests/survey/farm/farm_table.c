/* farm_table: the table of the farm's hosts, and what each temper says. */
#include "farm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMTP_PORT 25
#define BLANKS    " \n"

#define EHLO    "250-farm.world\r\n250-PIPELINING\r\n"
#define OFFERED EHLO "250 STARTTLS\r\n"
#define CLEAR   EHLO "250 8BITMIME\r\n"
#define READY   "220 ready\r\n"
#define TLS     EHLO "250 REQUIRETLS\r\n"
#define PLAIN   EHLO "250 8BITMIME\r\n"

static const struct farm_temper farm_tempers[] = {
    {"postfix", "220 farm.world ESMTP Postfix (Debian/GNU)\r\n", OFFERED, READY, PLAIN, false, 0},
    {"exim", "220 farm.world ESMTP Exim 4.96\r\n", OFFERED, READY, PLAIN, false, 0},
    {"requiretls", "220 farm.world ESMTP\r\n", OFFERED, READY, TLS, false, 0},
    {"tls12", "220 farm.world ESMTP\r\n", OFFERED, READY, PLAIN, false, TLS1_2_VERSION},
    {"clear", "220 farm.world ESMTP Postfix\r\n", CLEAR, "502 what?\r\n", "", false, 0},
    {"later", "421 farm.world come back later\r\n", CLEAR, "502 what?\r\n", "", false, 0},
    {"refusing", "554 farm.world no mail from you\r\n", CLEAR, "502 what?\r\n", "", false, 0},
    {"closing", "", CLEAR, "502 what?\r\n", "", false, 0},
    {"silent", NULL, CLEAR, "502 what?\r\n", "", false, 0},
    {"starttls4", "220 farm.world ESMTP\r\n", OFFERED, "454 not now\r\n", "", false, 0},
    {"starttls5", "220 farm.world ESMTP\r\n", OFFERED, "554 never\r\n", "", false, 0},
    {"garbage", "220 farm.world ESMTP\r\n", OFFERED, READY, "", true, 0},
    {"hostile",
     "220 <script>alert(1)</script>\x1b[31m'; DROP TABLE domain; --\x07\xff\xfe=cmd|' /C "
     "calc'!A0,\"\r\n",
     OFFERED, READY, PLAIN, false, 0},
};

static const struct farm_temper *find_temper(const char *name)
{
    for (size_t i = 0; i < sizeof farm_tempers / sizeof farm_tempers[0]; i++)
        if (strcmp(farm_tempers[i].name, name) == 0)
            return &farm_tempers[i];
    farm_die("the table has an unknown temper", name);
}

static void read_address(struct farm_host *host, const char *text)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&host->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&host->address;

    snprintf(host->text, sizeof host->text, "%s", text);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(SMTP_PORT);
        host->address_length = sizeof *v4;
    } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(SMTP_PORT);
        host->address_length = sizeof *v6;
    } else {
        farm_die("the table has a bad address", text);
    }
}

/* Which worker has the prefix (IPv4 /24, IPv6 /48). */
static unsigned worker_of(const struct farm_host *host, unsigned workers)
{
    const uint8_t *octets;
    size_t length;
    uint32_t hash = 2166136261U;

    if (host->address.ss_family == AF_INET) {
        octets = (const uint8_t *)&((const struct sockaddr_in *)&host->address)->sin_addr;
        length = 3;
    } else {
        octets = (const uint8_t *)&((const struct sockaddr_in6 *)&host->address)->sin6_addr;
        length = 6;
    }
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ octets[i]) * 16777619U;
    return (hash >> 8) % workers;
}

static char *keep(const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        farm_die("no memory", "");
    return copy;
}

static void read_kind(struct farm_host *host, char *kind)
{
    char *end = strstr(kind, "-sni");

    host->by_sni = end != NULL;
    if (end != NULL)
        *end = '\0';
    host->kind = keep(kind);
}

static void read_names(struct farm_host *host, char **rest)
{
    char *names[FARM_NAMES_MAX], *name;

    while ((name = strtok_r(NULL, BLANKS, rest)) != NULL) {
        if (host->name_count == FARM_NAMES_MAX)
            farm_die("too many names", host->text);
        names[host->name_count++] = keep(name);
    }
    host->names = calloc(host->name_count + 1, sizeof *host->names);
    if (host->names == NULL)
        farm_die("no memory", "");
    memcpy(host->names, names, host->name_count * sizeof *names);
}

static bool read_line(struct farm_host *host, char *line, unsigned worker, unsigned workers)
{
    char *rest, *word = strtok_r(line, BLANKS, &rest);

    memset(host, 0, sizeof *host);
    if (word == NULL)
        return false;
    read_address(host, word);
    if (worker_of(host, workers) != worker)
        return false;
    word = strtok_r(NULL, BLANKS, &rest);
    host->temper = find_temper(word != NULL ? word : "");
    word = strtok_r(NULL, BLANKS, &rest);
    if (word == NULL)
        farm_die("a line of the table has no certificate", host->text);
    read_kind(host, word);
    read_names(host, &rest);
    return true;
}

size_t farm_read(const char *path, unsigned worker, unsigned workers, struct farm_host **out)
{
    FILE *file = fopen(path, "r");
    struct farm_host *hosts = NULL;
    size_t count = 0, room = 0, line_room = 0;
    char *line = NULL;

    if (file == NULL)
        farm_die(path, strerror(errno));
    while (getline(&line, &line_room, file) > 0) {
        if (count == room) {
            room = room == 0 ? 1024 : room * 2;
            hosts = realloc(hosts, room * sizeof *hosts);
            if (hosts == NULL)
                farm_die("no memory", "");
        }
        if (read_line(&hosts[count], line, worker, workers))
            count++;
    }
    free(line);
    fclose(file);
    *out = hosts;
    return count;
}
