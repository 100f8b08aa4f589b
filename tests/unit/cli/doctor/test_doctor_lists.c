/* doctor: the checks of policy lists: each row plants one fault in lists that are sound. */
#include "tests/unit/support/doctor_world.h"

#define LISTS                                                                                      \
    "policy-list = /lists/own key=/keys/own\n"                                                     \
    "policy-list = https://lists.example/x key=/keys/x "                                           \
    "fingerprint=0123456789ABCDEF0123456789ABCDEF01234567\n"
#define HOUR_S 3600
#define DAY_S  (24 * HOUR_S)

static struct doctor_list lists[2];

static void lists_of(struct world *world)
{
    load_config(world, SOUND_CONFIG LISTS);
    make_clients(world);
    for (size_t i = 0; i < 2; i++)
        lists[i] = (struct doctor_list){.source = world->config.lists[i].source,
                                        .key_path = world->config.lists[i].key_path,
                                        .openpgp = world->config.lists[i].fingerprint != NULL,
                                        .state = "in-force",
                                        .why = "",
                                        .not_kept = "",
                                        .expires_s = world->facts.now_s + 14 * DAY_S};
    world->facts.lists = (struct doctor_lists){.lists = lists, .count = 2};
}

/* A fault in lists that are sound otherwise. */
#define LIST_FAULT(name, ...)                                                                      \
    FAULT(name)                                                                                    \
    {                                                                                              \
        lists_of(world);                                                                           \
        __VA_ARGS__;                                                                               \
    }

LIST_FAULT(sound, (void)0)
LIST_FAULT(no_key, lists[0].key_error = "/keys/own: No such file or directory")
LIST_FAULT(forbidden_key, lists[0].key_forbidden = true)
LIST_FAULT(no_gpgv, world->facts.lists.no_gpgv = true)
LIST_FAULT(no_gpgv_needed, {
    world->facts.lists.no_gpgv = true;
    lists[1].openpgp = false;
})
LIST_FAULT(unknown, world->facts.lists.unknown = "mxcryptd says nothing of its policy lists: x")
LIST_FAULT(not_there, lists[1].state = NULL)
LIST_FAULT(missing, {
    lists[1].state = "missing";
    lists[1].why = "HTTP status 404";
    lists[1].expires_s = 0;
})
LIST_FAULT(expired, {
    lists[0].state = "expired";
    lists[0].expires_s = world->facts.now_s - 1;
})
LIST_FAULT(too_new, lists[0].state = "too-new")
LIST_FAULT(refused, {
    lists[0].state = "refused";
    lists[0].why = "signature: it was made by another key";
})
LIST_FAULT(no_newer, lists[0].why = "its timestamp is older")
LIST_FAULT(stale, {
    lists[1].stale = true;
    lists[1].why = "HTTP status 503";
})
LIST_FAULT(expires_soon, lists[0].expires_s = world->facts.now_s + 3 * DAY_S)
LIST_FAULT(expires_later, lists[0].expires_s = world->facts.now_s + 3 * DAY_S + 1)
LIST_FAULT(not_kept, lists[0].not_kept = "/x/list-1.state: No space left on device")

static const struct doctor_row rows[] = {
    {"sound lists", sound, NULL, NULL, NULL},
    {"no key", no_key,
     "list-key warning: the key of policy list /lists/own: /keys/own: No such file",
     "mxcrypt reload", NULL},
    {"a key for others", forbidden_key, NULL, NULL, "list-key"},
    {"no gpgv", no_gpgv, "list-gpgv warning: gpgv is not installed", "apt-get install gpgv", NULL},
    {"no gpgv, and no use for it", no_gpgv_needed, NULL, NULL, NULL},
    {"the daemon says nothing", unknown, NULL, NULL, "list"},
    {"nor of expiry", unknown, NULL, NULL, "list-expiry"},
    {"nor of the disk", unknown, NULL, NULL, "list-kept"},
    {"the daemon does not have it", not_there,
     "list warning: mxcryptd.conf names policy list https://lists.example/x", "mxcrypt reload",
     NULL},
    {"missing", missing,
     "list warning: policy list https://lists.example/x is not in force: missing: HTTP status 404",
     "let mxcryptd reach the server", NULL},
    {"expired", expired, "list warning: policy list /lists/own is not in force: expired",
     "publish a newer list", NULL},
    {"too new", too_new, "list warning: policy list /lists/own is not in force: too-new", "min-age",
     NULL},
    {"refused", refused,
     "list warning: policy list /lists/own is not in force: refused: signature: it was made by "
     "another key",
     "mxcrypt list verify", NULL},
    {"a newer one is refused", no_newer,
     "list warning: policy list /lists/own is in force, and its source has no newer one that is: "
     "its timestamp is older",
     "ask its maker", NULL},
    {"stale", stale,
     "list warning: policy list https://lists.example/x is stale; the one in force is not renewed: "
     "HTTP status 503",
     "ask its maker", NULL},
    {"it expires in three days", expires_soon,
     "list-expiry warning: policy list /lists/own expires in 72 hours", "by a timer", NULL},
    {"it expires later", expires_later, NULL, NULL, NULL},
    {"it cannot be kept", not_kept,
     "list-kept warning: what is kept of policy list /lists/own cannot be written: /x/list-1.state",
     "room", NULL},
};

/* Of a configuration without lists none of these checks is spoken of. */
static void without_lists(void **state)
{
    struct world *world = malloc(sizeof *world);
    struct doctor_report *report = malloc(sizeof *report);

    (void)state;
    make_world(world);
    doctor_judge(report, &world->facts, false);
    for (size_t i = 0; i < report->check_count; i++)
        assert_int_not_equal(strncmp(report->checks[i].check, "list", 4), 0);
    config_fini(&world->config);
    arena_free(world->arena);
    free(report);
    free(world);
}

int main(void)
{
    ROWS_ADD(rows, test_doctor_row);
    ROWS_ADD_TEST(without_lists);
    return rows_run("doctor of policy lists");
}
