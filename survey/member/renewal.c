/* renewal: see renewal.h. */
#include "survey/member/renewal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net/hostname.h"

#define VERSION    2
#define HOSTS_SIZE (MAC_TEXT_MAX - 1)

/* The digest is a MAC under a key that everybody has. */
static const char hosts_key[] = "mxcrypt list renew: the hosts of an entry";

/* ---- which entry ---- */

static int by_name(const void *a, const void *b)
{
    const struct mac_piece *one = a, *other = b;

    return strcmp(one->octets, other->octets);
}

/* Their order does not matter. */
static bool digest(char out[MAC_TEXT_MAX], const char *mx, size_t mx_count)
{
    struct mac_piece *hosts = calloc(mx_count + 1, sizeof *hosts);
    bool made;

    if (hosts == NULL)
        return false;
    for (size_t i = 0; i < mx_count; i++, mx += strlen(mx) + 1)
        hosts[i] = (struct mac_piece){mx, strlen(mx)};
    qsort(hosts, mx_count, sizeof *hosts, by_name);
    made = mac_make(out, hosts_key, sizeof hosts_key, hosts, mx_count);
    free(hosts);
    return made;
}

bool renewal_begin(struct renewal *member, enum list_mode mode, const char *mx, size_t mx_count)
{
    struct renewal anew = {.mode = mode};

    if (!digest(anew.hosts, mx, mx_count))
        return false;
    if (member->mode != mode || strcmp(member->hosts, anew.hosts) != 0)
        *member = anew;
    return true;
}

/* ---- counting ---- */

static void count(unsigned *days, bool again)
{
    if (!again && *days < RENEWAL_DAYS_MAX)
        (*days)++;
}

enum renewal_step renewal_count(struct renewal *member, bool good, int64_t day,
                                const struct renewal_rules *rules)
{
    unsigned *days = good ? &member->good : &member->failed;

    *(good ? &member->failed : &member->good) = 0;
    if (member->day > day)
        *days = 0;
    count(days, day == member->day && *days > 0); /* it has counted as such already */
    member->day = day;
    if (!good)
        return member->failed >= rules->drop_after ? RENEWAL_DROP : RENEWAL_KEEP;
    if (member->mode == LIST_TESTING && rules->enforce_after > 0 &&
        member->good >= rules->enforce_after)
        return RENEWAL_ENFORCE;
    return RENEWAL_KEEP;
}

/* ---- the file ---- */

static const char *const mode_names[] = {LIST_MODES(ENUM_WORD)};

struct renewals {
    json_t *domains; /* owned: {DOMAIN: {"day", "good", "failed", "mode", "hosts"}} */
};

static struct renewals *of_domains(json_t *domains)
{
    struct renewals *all = domains == NULL ? NULL : malloc(sizeof *all);

    if (all == NULL)
        json_decref(domains);
    else
        all->domains = domains;
    return all;
}

struct renewals *renewals_new(void)
{
    return of_domains(json_object());
}

void renewals_free(struct renewals *all)
{
    if (all == NULL)
        return;
    json_decref(all->domains);
    free(all);
}

static bool number_between(const json_t *object, const char *name, json_int_t most)
{
    const json_t *number = json_object_get(object, name);

    return json_is_integer(number) && json_integer_value(number) >= 0 &&
           json_integer_value(number) <= most;
}

/* LIST_NONE where it is neither of the two that an entry may have. */
static enum list_mode mode_of(const json_t *member)
{
    const char *word = json_string_value(json_object_get(member, "mode"));

    for (enum list_mode mode = LIST_TESTING; word != NULL && mode <= LIST_ENFORCE; mode++)
        if (strcmp(word, mode_names[mode]) == 0)
            return mode;
    return LIST_NONE;
}

static bool is_digest(const json_t *hosts)
{
    const char *text = json_string_value(hosts);

    return text != NULL && json_string_length(hosts) == HOSTS_SIZE &&
           strspn(text, "0123456789abcdef") == HOSTS_SIZE;
}

static bool is_member(const json_t *member)
{
    return json_object_size(member) == 5 && mode_of(member) != LIST_NONE &&
           is_digest(json_object_get(member, "hosts")) &&
           number_between(member, "day", INT32_MAX) &&
           number_between(member, "good", RENEWAL_DAYS_MAX) &&
           number_between(member, "failed", RENEWAL_DAYS_MAX);
}

/* NULL, or what is wrong (static). */
static const char *judge(const json_t *root)
{
    json_t *domains = json_object_get(root, "domains");
    const char *name;
    json_t *member;

    if (!number_between(root, "version", INT32_MAX) || !json_is_object(domains))
        return "it is not what mxcrypt list renew writes";
    if (json_integer_value(json_object_get(root, "version")) != VERSION)
        return "it was written by another version of mxcrypt";
    json_object_foreach(domains, name, member)
    {
        if (!hostname_canonical(name) || !is_member(member))
            return "it has a domain that mxcrypt list renew would not write";
    }
    return NULL;
}

struct renewals *renewals_read(const char *text, size_t length, char error[RENEWAL_ERROR_MAX])
{
    json_error_t fault;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault), *domains = NULL;
    const char *wrong = root == NULL ? "it is no JSON" : judge(root);
    struct renewals *all;

    if (wrong == NULL)
        domains = json_incref(json_object_get(root, "domains"));
    json_decref(root);
    all = of_domains(domains);
    if (all == NULL)
        snprintf(error, RENEWAL_ERROR_MAX, "%s", wrong != NULL ? wrong : "no memory");
    return all;
}

struct renewal renewals_find(const struct renewals *all, const char *domain)
{
    const json_t *member = json_object_get(all->domains, domain);
    const char *hosts = json_string_value(json_object_get(member, "hosts"));
    struct renewal found = {
        .day = json_integer_value(json_object_get(member, "day")),
        .good = (unsigned)json_integer_value(json_object_get(member, "good")),
        .failed = (unsigned)json_integer_value(json_object_get(member, "failed")),
        .mode = mode_of(member),
    };

    snprintf(found.hosts, sizeof found.hosts, "%s", hosts == NULL ? "" : hosts);
    return found;
}

bool renewals_put(struct renewals *all, const char *domain, const struct renewal *member)
{
    json_t *json = json_pack("{s:I, s:i, s:i, s:s, s:s}", "day", (json_int_t)member->day, "good",
                             (int)member->good, "failed", (int)member->failed, "mode",
                             mode_names[member->mode], "hosts", member->hosts);

    return json_object_set_new(all->domains, domain, json) == 0;
}

static int add_text(const char *text, size_t length, void *context)
{
    buf_add(context, text, length);
    return ((struct buf *)context)->failed ? -1 : 0;
}

void renewals_write(struct buf *out, const struct renewals *all)
{
    json_t *root = json_pack("{s:i, s:O}", "version", VERSION, "domains", all->domains);

    if (root == NULL ||
        json_dump_callback(root, add_text, out, JSON_INDENT(1) | JSON_SORT_KEYS) != 0)
        out->failed = true;
    buf_adds(out, "\n");
    json_decref(root);
}
