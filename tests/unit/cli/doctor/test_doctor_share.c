/* doctor: the checks of a share: each row plants one fault in a share that is sound. */
#include "tests/unit/support/doctor_world.h"

#define REMOTE "share = valkey://relay:@192.0.2.1\nshare-key-file = /key\n"

static struct doctor_relay relays[3];

static struct doctor_relay relay_of(const char *name)
{
    return (struct doctor_relay){.name = name,
                                 .version = "1",
                                 .rules = "00000000000000ab",
                                 .settings = "00000000000000cd",
                                 .mode = "enforce",
                                 .rollout = 100};
}

static void share_with(struct world *world, const char *lines)
{
    struct doctor_share *share = &world->facts.share;
    char text[1024];

    snprintf(text, sizeof text, SOUND_CONFIG "%s", lines);
    load_config(world, text);
    make_clients(world);
    relays[0] = relay_of("a");
    relays[0].self = true;
    relays[1] = relay_of("b");
    relays[2] = relay_of("c");
    *share = (struct doctor_share){.server = "192.0.2.1:6379",
                                   .user = "relay",
                                   .ready = true,
                                   .error = "",
                                   .news_error = "",
                                   .policy = "volatile-ttl",
                                   .used_octets = 1000,
                                   .max_octets = 1000000,
                                   .rights_known = true,
                                   .lacks = "",
                                   .exceeds = "",
                                   .relays = relays,
                                   .relay_count = 3};
}

/* As valkeys:// is; not every build has TLS, and reads that. */
static void over_tls(struct world *world)
{
    static struct valkey_url url;

    url = *world->config.share;
    url.tls = true;
    world->config.share = &url;
}

/* A fault in a share that is sound otherwise. */
#define SHARE_FAULT(name, ...)                                                                     \
    FAULT(name)                                                                                    \
    {                                                                                              \
        struct doctor_share *share = &world->facts.share;                                          \
                                                                                                   \
        share_with(world, REMOTE);                                                                 \
        over_tls(world);                                                                           \
        (void)share;                                                                               \
        __VA_ARGS__;                                                                               \
    }

#define URL_FAULT(name, lines)                                                                     \
    FAULT(name)                                                                                    \
    {                                                                                              \
        share_with(world, lines);                                                                  \
    }

URL_FAULT(on_a_socket, "share = valkey+unix:///run/valkey.sock\n")
URL_FAULT(on_loopback, "share = valkey://127.0.0.2,localhost,[::1]:7000\n")
URL_FAULT(in_clear, "share = valkey://192.0.2.1\nshare-key-file = /key\n")
URL_FAULT(second_in_clear, "share = valkey://127.0.0.1,valkey.example\nshare-key-file = /key\n")
URL_FAULT(sentinels_in_clear, "share = valkey+sentinel://192.0.2.9/x\nshare-key-file = /key\n")
SHARE_FAULT(sound, (void)0)

FAULT(without_key)
{
    share_with(world, "share = valkey://192.0.2.1\n");
    over_tls(world);
}

SHARE_FAULT(unknown, share->unknown = "mxcryptd says nothing of its share: unknown command")
SHARE_FAULT(unshared, {
    share->unshared = true;
    share->unknown = "x";
})
SHARE_FAULT(lost, {
    share->ready = false;
    share->for_s = 12;
    share->error = "cannot connect: connection refused";
    share->relay_count = 0;
})
SHARE_FAULT(refused, {
    share->ready = false;
    share->error = "the server refuses: WRONGPASS invalid username-password pair";
})
SHARE_FAULT(no_news, share->news_error = "connection lost")
SHARE_FAULT(no_right_to_news, share->news_error = "NOPERM this user may not")
SHARE_FAULT(no_key_file, share->secrets_error = "share-key-file: /key: No such file or directory")
SHARE_FAULT(forbidden_files, share->secrets_forbidden = true)
SHARE_FAULT(open_file, {
    share->secrets[0] = (struct doctor_secret){"/key", "share-key-file", true};
    share->secrets[1] = (struct doctor_secret){"/password", "share-password-file", false};
    share->secret_count = 2;
})
SHARE_FAULT(open_config, {
    share->secrets[0] = (struct doctor_secret){"/etc/mxcryptd.conf", NULL, true};
    share->secret_count = 1;
})
SHARE_FAULT(lacks_rights, share->lacks = "XADD mxcrypt:1:news, TIME")
SHARE_FAULT(exceeds_rights, share->exceeds = "FLUSHALL, KEYS")
SHARE_FAULT(default_user, {
    share->user = "default";
    share->exceeds = "FLUSHALL";
})
SHARE_FAULT(rights_unknown, {
    share->rights_known = false;
    share->rights_error = "it is older than Redis 7";
})
SHARE_FAULT(memory_unknown, {
    share->policy = NULL;
    share->memory_error = "NOPERM this user has no permissions to run the 'info' command";
})
SHARE_FAULT(unbounded, share->max_octets = 0)
SHARE_FAULT(evicts_all, share->policy = "allkeys-lru")
SHARE_FAULT(evicts_nothing, share->policy = "noeviction")
SHARE_FAULT(nearly_full, {
    share->policy = "noeviction";
    share->used_octets = 900001;
})
SHARE_FAULT(full_and_evicts, share->used_octets = 999999)
SHARE_FAULT(clock_at_limit, share->skew_ms = -3000)
SHARE_FAULT(clock_behind, share->skew_ms = -3001)
SHARE_FAULT(clock_ahead, share->skew_ms = 4200)
SHARE_FAULT(relays_at_limit, {
    relays[1].skew_ms = 1500;
    relays[2].skew_ms = -1500;
})
SHARE_FAULT(relays_apart, {
    relays[1].skew_ms = 1501;
    relays[2].skew_ms = -1500;
})
SHARE_FAULT(silent_apart, {
    relays[1].skew_ms = 100000;
    relays[1].silent_s = 61;
    relays[1].mode = "monitor";
})
SHARE_FAULT(not_listed, relays[0].self = false)
SHARE_FAULT(other_version, relays[1].version = "2")
SHARE_FAULT(other_rules, relays[2].rules = "")
SHARE_FAULT(other_mode, relays[1].mode = "monitor")
SHARE_FAULT(other_rollout, relays[1].rollout = 99)
SHARE_FAULT(other_settings, relays[1].settings = "00000000000000ce")
SHARE_FAULT(lags, relays[1].behind_s = 61)
SHARE_FAULT(just_in_time, relays[1].behind_s = relays[1].silent_s = 60)

static const struct doctor_row rows[] = {
    {"a sound share", sound, NULL, NULL, NULL},
    {"a Unix socket needs neither TLS nor key", on_a_socket, NULL, NULL, NULL},
    {"nor does loopback", on_loopback, NULL, NULL, NULL},
    {"in clear", in_clear,
     "share-tls warning: the connection to the share at 192.0.2.1 is in clear", "valkeys://", NULL},
    {"the second server in clear", second_in_clear,
     "share-tls warning: the connection to the share "
     "at valkey.example is in clear",
     "valkeys://", NULL},
    {"Sentinels in clear", sentinels_in_clear, "share-tls warning: the connection", "valkeys://",
     NULL},
    {"without a key", without_key, "share-key warning: there is no share-key-file", "openssl rand",
     NULL},
    {"the daemon says nothing", unknown, NULL, NULL, "share"},
    {"nor of its server", unknown, NULL, NULL, "share-rights"},
    {"nor of its memory", unknown, NULL, NULL, "share-memory"},
    {"nor of clocks", unknown, NULL, NULL, "share-clock"},
    {"nor of relays", unknown, NULL, NULL, "share-relays"},
    {"the daemon has no share", unshared, "share warning: mxcryptd.conf names a share",
     "restart mxcryptd", "share-rights"},
    {"lost", lost,
     "share warning: the share at 192.0.2.1:6379 has not been usable for 12 s, and each relay goes "
     "on alone: cannot connect",
     "start the server", "share-clock"},
    {"refused", refused, "share warning: the share at 192.0.2.1:6379", "share-password-file",
     "share-clock"},
    {"no news", no_news, "share warning: the news of the other relays do not come: connection lost",
     "twice", NULL},
    {"no right to news", no_right_to_news, "share warning: the news", "users.acl", NULL},
    {"a file is missing", no_key_file, "share-files error: share-key-file: /key",
     "readable by root", NULL},
    {"files are forbidden", forbidden_files, NULL, NULL, "share-files"},
    {"a file is open", open_file, "share-files warning: /key (share-key-file) can be read",
     "chmod 600 /key", NULL},
    {"the configuration is open", open_config,
     "share-files warning: the password of the share stands in /etc/mxcryptd.conf",
     "share-password-file", NULL},
    {"a right is missing", lacks_rights,
     "share-rights error: the user relay may not: XADD mxcrypt:1:news, TIME", "users.acl", NULL},
    {"a right too much", exceeds_rights,
     "share-rights warning: the user relay may do what no relay does: FLUSHALL, KEYS", "users.acl",
     NULL},
    {"the default user", default_user, "share-rights warning: the user default",
     "valkey://relay:@HOST", NULL},
    {"rights are unknown", rights_unknown, NULL, NULL, "share-rights"},
    {"memory is unknown", memory_unknown, NULL, NULL, "share-memory"},
    {"no maxmemory", unbounded, "share-memory warning: the server has no maxmemory",
     "maxmemory 1gb", NULL},
    {"everything is evicted", evicts_all, "share-memory warning: maxmemory-policy allkeys-lru",
     "maxmemory-policy volatile-ttl", NULL},
    {"nothing is evicted", evicts_nothing, NULL, NULL, NULL},
    {"nearly full", nearly_full, "share-memory warning: 900001 of 1000000 octets", "more maxmemory",
     NULL},
    {"full, and makes room", full_and_evicts, NULL, NULL, NULL},
    {"three seconds behind", clock_at_limit, NULL, NULL, NULL},
    {"more", clock_behind, "share-clock warning: the clock of this host is 3.0 s behind that of",
     "NTP", NULL},
    {"ahead", clock_ahead, "share-clock warning: the clock of this host is 4.2 s ahead of that of",
     "NTP", NULL},
    {"relays three seconds apart", relays_at_limit, NULL, NULL, NULL},
    {"relays further apart", relays_apart,
     "share-clock warning: the clock of relay b is 3.0 s ahead of that of relay c", "NTP", NULL},
    {"a relay that is gone", silent_apart, NULL, NULL, NULL},
    {"this relay is not listed", not_listed, NULL, NULL, "share-relays"},
    {"another version", other_version, "share-relays warning: relay b is version 2, this one is 1",
     "same version", NULL},
    {"other rules", other_rules, "share-relays warning: relay c has other rules", "farm reload",
     NULL},
    {"another mode", other_mode,
     "share-relays warning: relay b has mode = monitor and rollout = 100%, this one enforce",
     "farm reload", NULL},
    {"another rollout", other_rollout,
     "share-relays warning: relay b has mode = enforce and "
     "rollout = 99%",
     "farm reload", NULL},
    {"other settings", other_settings, "share-relays warning: relay b has other settings",
     "mxcryptd.conf at both", NULL},
    {"a relay lags", lags, "share-relays warning: relay b is 61 s behind", "mxcrypt doctor there",
     NULL},
    {"a relay is just in time", just_in_time, NULL, NULL, NULL},
};

/* Of a configuration without a share none of these checks is spoken of. */
static void without_a_share(void **state)
{
    struct world *world = malloc(sizeof *world);
    struct doctor_report *report = malloc(sizeof *report);

    (void)state;
    make_world(world);
    doctor_judge(report, &world->facts, false);
    for (size_t i = 0; i < report->check_count; i++)
        assert_int_not_equal(strncmp(report->checks[i].check, "share", 5), 0);
    config_fini(&world->config);
    arena_free(world->arena);
    free(report);
    free(world);
}

int main(void)
{
    ROWS_ADD(rows, test_doctor_row);
    ROWS_ADD_TEST(without_a_share);
    return rows_run("doctor of a share");
}
