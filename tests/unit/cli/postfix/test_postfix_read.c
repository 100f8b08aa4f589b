/* postfix_read: what is taken from postconf's output, and what is refused. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/postfix/postfix.h"
#include "tests/unit/support/rows.h"

#define MEMORY ((size_t)64 * 1024 * 1024)
#define HEAD                                                                                       \
    "mail_version = 3.7.11\nqueue_directory = /q\nconfig_directory = /e\nmail_owner = postfix\n"

/* ---- main.cf ---- */

static const struct value_row {
    const char *name, *text, *error; /* error: a part of it; NULL: read */
    enum postfix_parameter parameter;
    const char *want; /* NULL: unknown */
} value_rows[] = {
    {"a value", HEAD "smtp_tls_CAfile = /x y\n", NULL, POSTFIX_CA_FILE, "/x y"},
    {"empty", HEAD "smtp_tls_CAfile =\n", NULL, POSTFIX_CA_FILE, ""},
    {"empty, with a blank", HEAD "smtp_tls_CAfile = \n", NULL, POSTFIX_CA_FILE, ""},
    {"an equals sign in it", HEAD "smtp_tls_CAfile = a = b\n", NULL, POSTFIX_CA_FILE, "a = b"},
    {"a tab in it", HEAD "smtp_tls_CAfile = a\tb\n", NULL, POSTFIX_CA_FILE, "a\tb"},
    {"unknown to this version", HEAD, NULL, POSTFIX_INSECURE_MX, NULL},
    {"no newline at the end", HEAD "smtp_use_tls = no", NULL, POSTFIX_USE_TLS, "no"},
    {"nothing", "", "does not tell: mail_version", 0, NULL},
    {"no mail_owner", "mail_version = 3\nqueue_directory = /q\nconfig_directory = /e\n",
     "does not tell: mail_owner", 0, NULL},
    {"a line without =", HEAD "smtp_tls_CAfile\n", "not \"name = value\"", 0, NULL},
    {"no blank before =", HEAD "smtp_tls_CAfile=/x\n", "not \"name = value\"", 0, NULL},
    {"no blank after =", HEAD "smtp_tls_CAfile =/x\n", "not \"name = value\"", 0, NULL},
    {"no name", HEAD " = /x\n", "not \"name = value\"", 0, NULL},
    {"an empty line", HEAD "\n", "not \"name = value\"", 0, NULL},
    {"a name nobody asked for", HEAD "mydomain = x\n", "nobody asked for: mydomain", 0, NULL},
    {"an escape sequence", HEAD "smtp_tls_CAfile = \033[2J\n", "control character", 0, NULL},
    {"CR LF", HEAD "smtp_tls_CAfile = x\r\n", "control character", 0, NULL},
};

static void test_value(void **state)
{
    const struct value_row *row = *state;
    struct postfix *postfix = malloc(sizeof *postfix);
    struct arena *arena = arena_new(MEMORY);
    char error[POSTFIX_ERROR_MAX] = "";
    int status = postfix_read(postfix, arena, POSTFIX_VALUES, row->text, strlen(row->text), error);

    assert_int_equal(status, row->error == NULL ? 0 : -1);
    if (row->error != NULL)
        assert_non_null(strstr(error, row->error));
    else if (row->want == NULL)
        assert_null(postfix->values[row->parameter]);
    else
        assert_string_equal(postfix->values[row->parameter], row->want);
    arena_free(arena);
    free(postfix);
}

/* A line of exactly that length. */
static int read_line_of(size_t length)
{
    static const char name[] = "smtp_tls_CAfile = ";
    size_t head = strlen(HEAD);
    char *text = malloc(head + length + 2), error[POSTFIX_ERROR_MAX];
    struct postfix *postfix = malloc(sizeof *postfix);
    struct arena *arena = arena_new(MEMORY);
    int status;

    memcpy(text, HEAD, head);
    memset(text + head, 'x', length);
    memcpy(text + head, name, strlen(name));
    text[head + length] = '\n';
    status = postfix_read(postfix, arena, POSTFIX_VALUES, text, head + length + 1, error);
    arena_free(arena);
    free(postfix);
    free(text);
    return status;
}

static void longest_line(void **state)
{
    (void)state;
    assert_int_equal(read_line_of(POSTFIX_LINE_MAX - 1), 0);
    assert_int_equal(read_line_of(POSTFIX_LINE_MAX), 0);
    assert_int_equal(read_line_of(POSTFIX_LINE_MAX + 1), -1);
}

static void a_nul_is_refused(void **state)
{
    static const char text[] = HEAD "smtp_tls_CAfile = a\0b\n";
    struct postfix *postfix = malloc(sizeof *postfix);
    struct arena *arena = arena_new(MEMORY);
    char error[POSTFIX_ERROR_MAX];

    (void)state;
    assert_int_equal(postfix_read(postfix, arena, POSTFIX_VALUES, text, sizeof text - 1, error),
                     -1);
    arena_free(arena);
    free(postfix);
}

/* ---- master.cf ---- */

static const struct service_row {
    const char *name, *fields, *overrides, *error;
    const char *want; /* name type program chroot [parameter=value]... of all services */
} service_rows[] = {
    {"one", "smtp/unix/service = smtp\nsmtp/unix/chroot = y\nsmtp/unix/command = smtp -v\n", "",
     NULL, "smtp unix smtp y;"},
    {"a slash in the name", "private/x/unix/command = smtp\n", "", NULL, "private/x unix smtp -;"},
    {"brackets and colons", "[::1]:25/inet/command = smtpd\n", "", NULL, "[::1]:25 inet smtpd -;"},
    {"the same name, two types", "a/unix/command = smtp\na/inet/command = smtpd\n", "", NULL,
     "a unix smtp -;a inet smtpd -;"},
    {"an option", "a/unix/command = smtp\n",
     "a/unix/smtp_use_tls = yes\na/unix/syslog_facility = x\n", NULL,
     "a unix smtp - smtp_use_tls=yes;"},
    {"an empty option", "a/unix/command = smtp\n", "a/unix/smtp_tls_policy_maps =\n", NULL,
     "a unix smtp - smtp_tls_policy_maps=;"},
    {"an option of nobody", "a/unix/command = smtp\n", "b/unix/smtp_use_tls = yes\n",
     "unknown service", NULL},
    {"no type", "a/command = smtp\n", "", "not \"service/type/field\"", NULL},
    {"no name", "/unix/command = smtp\n", "", "not \"service/type/field\"", NULL},
    {"no slash", "command = smtp\n", "", "not \"service/type/field\"", NULL},
};

static void describe(char *out, size_t size, const struct postfix *postfix)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < postfix->service_count; i++) {
        const struct postfix_service *one = &postfix->services[i];

        used += (size_t)snprintf(out + used, size - used, "%s %s %s %s", one->name, one->type,
                                 one->program, one->chroot);
        for (int k = 0; k < POSTFIX_PARAMETER_COUNT; k++)
            if (one->overrides[k] != NULL)
                used += (size_t)snprintf(out + used, size - used, " %s=%s",
                                         postfix_parameter_names[k], one->overrides[k]);
        used += (size_t)snprintf(out + used, size - used, ";");
    }
}

static void test_service(void **state)
{
    const struct service_row *row = *state;
    struct postfix *postfix = calloc(1, sizeof *postfix);
    struct arena *arena = arena_new(MEMORY);
    char error[POSTFIX_ERROR_MAX] = "", got[1024];
    int status =
        postfix_read(postfix, arena, POSTFIX_SERVICES, row->fields, strlen(row->fields), error);

    if (status == 0)
        status = postfix_read(postfix, arena, POSTFIX_OVERRIDES, row->overrides,
                              strlen(row->overrides), error);
    assert_int_equal(status, row->error == NULL ? 0 : -1);
    if (row->error != NULL) {
        assert_non_null(strstr(error, row->error));
    } else {
        describe(got, sizeof got, postfix);
        assert_string_equal(got, row->want);
    }
    arena_free(arena);
    free(postfix);
}

static int read_services(unsigned count)
{
    struct postfix *postfix = calloc(1, sizeof *postfix);
    struct arena *arena = arena_new(MEMORY);
    char error[POSTFIX_ERROR_MAX];
    struct buf text;
    int status;

    buf_init(&text, POSTFIX_OUTPUT_MAX);
    for (unsigned i = 0; i < count; i++)
        buf_addf(&text, "s%u/unix/command = smtp\n", i);
    status = postfix_read(postfix, arena, POSTFIX_SERVICES, buf_text(&text), text.length, error);
    buf_fini(&text);
    arena_free(arena);
    free(postfix);
    return status;
}

static void most_services(void **state)
{
    (void)state;
    assert_int_equal(read_services(POSTFIX_SERVICES_MAX - 1), 0);
    assert_int_equal(read_services(POSTFIX_SERVICES_MAX), 0);
    assert_int_equal(read_services(POSTFIX_SERVICES_MAX + 1), -1);
}

/* ---- versions, chroot ---- */

static const struct version_row {
    const char *name, *text;
    bool good;
    struct postfix_version want;
    bool from_3_10;
} version_rows[] = {
    {"release", "3.7.11", true, {3, 7, 11}, false},
    {"snapshot", "3.12-20260821", true, {3, 12, 0}, true},
    {"candidate", "3.10.0-RC1", true, {3, 10, 0}, true},
    {"short", "3.4", true, {3, 4, 0}, false},
    {"another major", "4.0.1", true, {4, 0, 1}, true},
    {"2.11", "2.11.3", true, {2, 11, 3}, false},
    {"empty", "", false, {0, 0, 0}, false},
    {"one number", "3", false, {3, 0, 0}, false},
    {"a point at the end", "3.7.", false, {3, 7, 0}, false},
    {"letters", "3.x", false, {3, 0, 0}, false},
    {"words behind", "3.7.11 beta", false, {3, 7, 11}, false},
    {"a number too long", "3.12345", false, {3, 1234, 0}, true},
};

static void test_version(void **state)
{
    const struct version_row *row = *state;
    struct postfix_version version;

    assert_int_equal(postfix_version_parse(&version, row->text), row->good);
    assert_int_equal(version.major, row->want.major);
    assert_int_equal(version.minor, row->want.minor);
    assert_int_equal(version.patch, row->want.patch);
    assert_int_equal(postfix_version_from(&version, 3, 10), row->from_3_10);
}

static const struct chroot_row {
    const char *name, *chroot, *level;
    bool want;
} chroot_rows[] = {
    {"yes", "y", "3.6", true},
    {"no", "n", "0", false},
    {"default, level 0", "-", "0", true},
    {"default, level 1", "-", "1", false},
    {"default, level 3.6", "-", "3.6", false},
    {"default, no levels yet", "-", NULL, true},
};

static void test_chroot(void **state)
{
    const struct chroot_row *row = *state;
    struct postfix *postfix = calloc(1, sizeof *postfix);
    const struct postfix_service service = {.chroot = row->chroot};

    postfix->values[POSTFIX_COMPATIBILITY_LEVEL] = row->level;
    assert_int_equal(postfix_is_chrooted(postfix, &service), row->want);
    free(postfix);
}

/* ---- lists of maps ---- */

static const struct map_row {
    const char *name, *value, *want; /* NULL: refused */
} map_rows[] = {
    {"none", "", ""},
    {"only separators", " , \t", ""},
    {"a socket", "socketmap:unix:mxcrypt/policy.sock:policy", "unix mxcrypt/policy.sock policy;"},
    {"an absolute socket", "socketmap:unix:/a:b/c:QUERY", "unix /a:b/c QUERY;"},
    {"TCP", "socketmap:inet:127.0.0.1:8461:postfix", "inet 127.0.0.1 8461 postfix;"},
    {"TCP, IPv6", "socketmap:inet:[::1]:8461:policy", "inet ::1 8461 policy;"},
    {"tcp_table", "tcp:localhost:8462", "tcp localhost 8462;"},
    {"proxy", "proxy:socketmap:unix:x:policy", "proxy unix x policy;"},
    {"static", "static:may", "static;"},
    {"static in braces", "static:{encrypt protocols=TLSv1.3}", "static;"},
    {"inline, two, by commas", "inline:{ {a.example = encrypt}, b=may },hash:/etc/x",
     "other;other;"},
    {"by blanks", "hash:/a  texthash:/b", "other;other;"},
    {"port 65535", "tcp:x:65535", "tcp x 65535;"},
    {"port 65536", "tcp:x:65536", NULL},
    {"port 0", "tcp:x:0", NULL},
    {"no port", "tcp:x", NULL},
    {"no host", "tcp::25", NULL},
    {"no map name", "socketmap:unix:/x:", NULL},
    {"no path", "socketmap:unix::policy", NULL},
    {"no such family", "socketmap:udp:/x:policy", NULL},
    {"no type", "/etc/postfix/tls_policy", NULL},
    {"no type, a colon", ":x", NULL},
    {"a brace left open", "inline:{a=b", NULL},
};

static void describe_map(struct buf *out, const struct postfix_map *map)
{
    static const char *const kinds[] = {"unix", "inet", "tcp", "static", "other"};

    buf_addf(out, "%s%s", map->proxied ? "proxy " : "", kinds[map->kind]);
    if (map->path != NULL)
        buf_addf(out, " %s", map->path);
    if (map->host != NULL)
        buf_addf(out, " %s %u", map->host, (unsigned)map->port);
    if (map->name != NULL)
        buf_addf(out, " %s", map->name);
    buf_adds(out, ";");
}

static void test_map(void **state)
{
    const struct map_row *row = *state;
    struct postfix_map maps[POSTFIX_MAPS_MAX];
    struct arena *arena = arena_new(MEMORY);
    char error[POSTFIX_ERROR_MAX];
    int count = postfix_maps_parse(maps, arena, row->value, error);
    struct buf got;

    buf_init(&got, 4096);
    for (int i = 0; i < count; i++)
        describe_map(&got, &maps[i]);
    if (row->want == NULL)
        assert_int_equal(count, -1);
    else
        assert_string_equal(buf_text(&got), row->want);
    buf_fini(&got);
    arena_free(arena);
}

static int parse_maps(unsigned count)
{
    struct postfix_map maps[POSTFIX_MAPS_MAX];
    struct arena *arena = arena_new(MEMORY);
    char error[POSTFIX_ERROR_MAX];
    struct buf text;
    int got;

    buf_init(&text, POSTFIX_LINE_MAX);
    for (unsigned i = 0; i < count; i++)
        buf_adds(&text, "hash:/x ");
    got = postfix_maps_parse(maps, arena, buf_text(&text), error);
    buf_fini(&text);
    arena_free(arena);
    return got;
}

static void most_maps(void **state)
{
    (void)state;
    assert_int_equal(parse_maps(POSTFIX_MAPS_MAX - 1), POSTFIX_MAPS_MAX - 1);
    assert_int_equal(parse_maps(POSTFIX_MAPS_MAX), POSTFIX_MAPS_MAX);
    assert_int_equal(parse_maps(POSTFIX_MAPS_MAX + 1), -1);
}

int main(void)
{
    ROWS_ADD(value_rows, test_value);
    ROWS_ADD(service_rows, test_service);
    ROWS_ADD(version_rows, test_version);
    ROWS_ADD(chroot_rows, test_chroot);
    ROWS_ADD(map_rows, test_map);
    ROWS_ADD_TEST(longest_line);
    ROWS_ADD_TEST(a_nul_is_refused);
    ROWS_ADD_TEST(most_services);
    ROWS_ADD_TEST(most_maps);
    return rows_run("postfix_read");
}
