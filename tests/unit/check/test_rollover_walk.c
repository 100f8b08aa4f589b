/*
 * test_rollover_walk: random worlds through which a rollover goes: servers that lag behind or lose
 * records, caches and caches of caches, TTLs that change, a clock that steps back or is wrong for a
 * while, addresses that do not answer or go back, steps that are killed or repeated, a server that is
 * gone for ever. An operator does what he is told, late; he changes his mind, and stages another
 * certificate or none; he adds a host, withdraws a group of records, and begins the next change as
 * soon as one is over.
 *
 * At every moment every RRset that a sender could have must, in each of its groups, match what every
 * address shows, and nothing is shown that was not ripe. When a step says to install, each of them
 * must match the next certificate too; when it says to remove, nothing that is shown needs the record.
 */
#include "tests/unit/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/rollover/rollover.h"
#include "tests/unit/check/made_chain.h"

#define WORLDS    80
#define TICKS     3000
#define ROLLOVERS 3 /* one after the other, in each world */
#define HOSTS     2
#define SERVERS   3
#define CACHES    4
#define ADDRESSES 2
#define RECORDS   64

/* ---- the world ---- */

struct rrset {
    size_t count;
    struct tlsa records[RECORDS];
    uint32_t ttl;
};

struct cache {
    struct rrset rrset;
    int64_t until;
};

struct host {
    struct rrset master, servers[SERVERS], before[SERVERS]; /* before: what a backup has */
    bool lost[SERVERS], silent[SERVERS];
    struct cache caches[CACHES], behind[CACHES]; /* behind: they ask a cache */
    size_t live[ADDRESSES], was[ADDRESSES];      /* the chain that is shown, and the one before */
    bool dead[ADDRESSES];
};

struct world {
    unsigned seed;
    int64_t now, offset, lag; /* offset: of the machine's clock; lag: for a while */
    int64_t changed_at;       /* the last time that a TTL was, or a group was withdrawn */
    struct host hosts[HOSTS];
    size_t current, next; /* chains */
    size_t gone;          /* a server that nobody can reach; SERVERS: none */
    bool asked;           /* to install */
    struct rollover rollover;
    struct rollover_sight sights[HOSTS];
    struct rollover_advice advice;
    struct arena *arena;
};

static struct world world;

static bool chance(unsigned percent)
{
    world.seed = world.seed * 1103515245u + 12345u;
    return (world.seed >> 16) % 100 < percent;
}

static unsigned any(unsigned below)
{
    world.seed = world.seed * 1103515245u + 12345u;
    return (world.seed >> 16) % below;
}

/* One that can be reached. */
static size_t any_server(void)
{
    size_t server = any(SERVERS);

    return server == world.gone ? (server + 1) % SERVERS : server;
}

static void publish(struct rrset *rrset, const struct tlsa *record)
{
    for (size_t i = 0; i < rrset->count; i++)
        if (memcmp(rrset->records[i].data, record->data, DATA) == 0 &&
            rrset->records[i].usage == record->usage)
            return;
    assert_true(rrset->count < RECORDS);
    rrset->records[rrset->count++] = *record;
}

static void withdraw(struct rrset *rrset, const struct tlsa *record)
{
    for (size_t i = 0; i < rrset->count; i++)
        if (memcmp(rrset->records[i].data, record->data, DATA) == 0 &&
            rrset->records[i].usage == record->usage)
            rrset->records[i--] = rrset->records[--rrset->count];
}

static void publish_for(struct rrset *rrset, const unsigned form[3], size_t chain)
{
    const struct tls_association *data =
        &chains[chain].made[form[0] == 3 ? 0 : 1].of[form[1]][form[2]];
    struct tlsa record = {(uint8_t)form[0], (uint8_t)form[1], (uint8_t)form[2], true, DATA,
                          data->data};

    publish(rrset, &record);
}

static const unsigned forms[][3] = {{3, 1, 1}, {2, 1, 1}, {3, 0, 1}, {3, 1, 2}, {2, 0, 1}};

static void begin(unsigned seed)
{
    if (world.arena == NULL)
        world.arena = arena_new(1 << 22);
    world = (struct world){.seed = seed * 7919 + 1, .now = 1000000, .arena = world.arena};
    world.gone = chance(20) ? any(SERVERS) : SERVERS;
    for (size_t h = 0; h < HOSTS; h++) {
        struct host *host = &world.hosts[h];

        host->master.ttl = 10 + any(50);
        for (unsigned i = 0, n = any(4); i < n; i++)
            publish_for(&host->master, forms[any(COUNT(forms))], 0);
        for (size_t i = 0; i < SERVERS; i++)
            host->servers[i] = host->before[i] = host->master;
    }
}

static int64_t clock_now(void)
{
    return world.now + world.offset - world.lag;
}

/* ---- time passes ---- */

static bool is_of_group(const struct tlsa *record, const struct tlsa *group)
{
    return record->usage == group->usage && record->selector == group->selector &&
           record->matching_type == group->matching_type;
}

/* Whether a group has a record of a chain; written without the code that is tested. */
static bool group_matches(const struct rrset *rrset, const struct tlsa *group, size_t live)
{
    const struct made_chain *chain = &chains[live];
    const uint8_t *want =
        chain->data[group->usage == 3 ? 0 : 1][group->selector][group->matching_type];

    for (size_t i = 0; i < rrset->count; i++)
        if (is_of_group(&rrset->records[i], group) &&
            memcmp(rrset->records[i].data, want, DATA) == 0)
            return true;
    return false;
}

/* Whether a backup has what is shown. */
static bool would_do(const struct rrset *backup, const struct host *host)
{
    for (size_t a = 0; a < ADDRESSES; a++)
        for (size_t i = 0; i < backup->count; i++)
            if (!group_matches(backup, &backup->records[i], host->live[a]))
                return false;
    return true;
}

static void tick_servers(struct host *host)
{
    for (size_t i = 0; i < SERVERS; i++) {
        if (!host->lost[i] && chance(10))
            host->servers[i] = host->master;
        /* a backup is put in, while it does no harm; it is seen before it is put right */
        if (!world.asked && would_do(&host->before[i], host) && !host->lost[i] && chance(1) &&
            chance(15)) {
            host->servers[i] = host->before[i];
            host->lost[i] = true;
        }
        host->silent[i] = i == world.gone || chance(5);
    }
}

static void tick_caches(struct host *host)
{
    for (size_t i = 0; i < CACHES; i++) {
        struct cache *cache = &host->caches[i], *behind = &host->behind[i];

        if (world.now >= cache->until && chance(20)) {
            cache->rrset = host->servers[any_server()];
            cache->until = world.now + cache->rrset.ttl;
        }
        if (world.now >= behind->until && world.now < cache->until && chance(20)) {
            behind->rrset = cache->rrset;
            behind->until = world.now + behind->rrset.ttl;
        }
    }
}

static void tick_addresses(struct host *host)
{
    bool asked = world.asked && host < &world.hosts[world.rollover.host_count];

    for (size_t i = 0; i < ADDRESSES; i++) {
        if (asked && chance(30)) {
            if (host->live[i] != world.next)
                host->was[i] = host->live[i];
            host->live[i] = world.next;
        } else if (world.rollover.state == ROLLOVER_DEPLOYED && !world.asked &&
                   host->was[i] == world.current && chance(1))
            host->live[i] = world.current; /* somebody goes back */
        host->dead[i] = chance(5);
    }
}

static bool has_group(const struct rrset *rrset, const struct tlsa *group)
{
    for (size_t i = 0; i < rrset->count; i++)
        if (is_of_group(&rrset->records[i], group))
            return true;
    return false;
}

/* He publishes what he is told, but for a group that he has withdrawn; and a group more at times, for
 * all that will be shown. */
static void tick_operator(struct host *host, const struct rollover_sight *sight)
{
    if (world.rollover.state < ROLLOVER_DEPLOYED && chance(10))
        for (size_t i = 0; i < sight->missing_count; i++)
            if (has_group(&host->master, &sight->missing[i]))
                publish(&host->master, &sight->missing[i]);
    if (world.rollover.state < ROLLOVER_RIPE && host->master.count > 0 && chance(1)) {
        const unsigned *form = forms[any(COUNT(forms))];

        publish_for(&host->master, form, world.current);
        publish_for(&host->master, form, world.next);
        for (size_t i = 0; i < ADDRESSES; i++)
            publish_for(&host->master, form, host->live[i]);
    }
}

static void check_rrset(const struct rrset *rrset, size_t live, unsigned seed, const char *what)
{
    for (size_t i = 0; i < rrset->count; i++) {
        const struct tlsa *group = &rrset->records[i];

        if (!group_matches(rrset, group, live))
            fail_msg("world %u, %zu to %zu, %s: group %u %u %u of %s does not match what is shown",
                     seed, world.current, world.next, rollover_state_name(world.rollover.state),
                     group->usage, group->selector, group->matching_type, what);
    }
}

static void check_chain(const struct host *host, size_t chain, unsigned seed)
{
    for (size_t i = 0; i < SERVERS; i++)
        if (i != world.gone)
            check_rrset(&host->servers[i], chain, seed, "a server");
    for (size_t i = 0; i < CACHES; i++) {
        if (world.now < host->caches[i].until)
            check_rrset(&host->caches[i].rrset, chain, seed, "a cache");
        if (world.now < host->behind[i].until)
            check_rrset(&host->behind[i].rrset, chain, seed, "a cache behind");
    }
}

static void check_host(const struct host *host, unsigned seed)
{
    for (size_t a = 0; a < ADDRESSES; a++)
        check_chain(host, host->live[a], seed);
}

/* What may go is of no use to any address. */
static void check_removal(const struct host *host, const struct rollover_sight *sight,
                          unsigned seed)
{
    for (size_t i = 0; i < sight->old_count; i++)
        for (size_t a = 0; a < ADDRESSES; a++) {
            const struct rrset one = {1, {sight->old[i]}, 0};

            if (group_matches(&one, &one.records[0], host->live[a]))
                fail_msg("world %u: a record is to go that matches what is shown", seed);
        }
}

/* ---- steps ---- */

static const char *const names[SERVERS] = {"ns0.example", "ns1.example", "ns2.example"};

static struct rollover_rrset rrset_of(const struct rrset *rrset, const char *name, bool known)
{
    return (struct rollover_rrset){.server = name,
                                   .name = name,
                                   .known = known,
                                   .why = "timeout",
                                   .ttl = rrset->ttl,
                                   .count = rrset->count,
                                   .records = rrset->records};
}

static void look(struct host *host, struct rollover_sight *out)
{
    struct rollover_rrset servers[SERVERS];
    struct rollover_shown shown[ADDRESSES];
    struct cache *cache = &host->caches[0];
    struct rollover_seen seen = {.host = "mx",
                                 .server_count = SERVERS,
                                 .servers = servers,
                                 .address_count = ADDRESSES,
                                 .addresses = shown};

    if (world.now >= cache->until) {
        cache->rrset = host->servers[any_server()];
        cache->until = world.now + cache->rrset.ttl;
    }
    for (size_t i = 0; i < SERVERS; i++)
        servers[i] = rrset_of(&host->servers[i], names[i], !host->silent[i]);
    seen.resolver = rrset_of(&cache->rrset, "resolver", true);
    seen.resolver.cached = true;
    seen.resolver.ttl = (uint32_t)(cache->until - world.now);
    for (size_t i = 0; i < ADDRESSES; i++) {
        shown[i] = (struct rollover_shown){.address = "address", .why = "timeout"};
        if (!host->dead[i])
            shown[i].chain = chains[host->live[i]].chain;
        for (size_t k = 0; k < cache->rrset.count; k++)
            shown[i].proven |= rollover_matches(&cache->rrset.records[k], &shown[i].chain);
    }
    rollover_look(out, world.arena, &world.rollover, &seen);
}

/* What a step saw and wrote down may be put right. */
static void forgive(struct host *host)
{
    for (size_t i = 0; i < SERVERS; i++)
        if (!host->silent[i] && chance(50))
            host->lost[i] = false;
}

/* False when it was killed before the state was written. */
static bool step(unsigned seed)
{
    struct rollover before = world.rollover;
    unsigned times = chance(10) ? 2 : 1;

    arena_reset(world.arena);
    for (size_t h = 0; h < world.rollover.host_count; h++)
        look(&world.hosts[h], &world.sights[h]);
    for (unsigned i = 0; i < times; i++) {
        rollover_step(&world.rollover, world.sights, clock_now(), &world.advice);
        if (world.advice.install) {
            assert_int_equal(world.rollover.state, ROLLOVER_RIPE);
            assert_true(world.rollover.published_at > 0);
            assert_true(world.rollover.released);
            world.rollover.installed = chance(80);
            for (size_t h = 0; h < world.rollover.host_count; h++)
                check_chain(&world.hosts[h], world.next, seed);
        }
        for (size_t h = 0; world.advice.remove && h < world.rollover.host_count; h++)
            check_removal(&world.hosts[h], &world.sights[h], seed);
    }
    world.asked = world.advice.install;
    if (chance(10)) {
        world.rollover = before;
        return false;
    }
    for (size_t h = 0; h < HOSTS; h++)
        forgive(&world.hosts[h]);
    return true;
}

/* Of hosts that have records. */
static bool all_live_are_next(void)
{
    for (size_t h = 0; h < world.rollover.host_count; h++)
        for (size_t a = 0; a < ADDRESSES; a++)
            if (world.hosts[h].master.count > 0 && world.hosts[h].live[a] != world.next)
                return false;
    return true;
}

static void change_ttl(void)
{
    struct host *host = &world.hosts[any((unsigned)world.rollover.host_count)];

    for (size_t i = 0; i < SERVERS; i++)
        if (host->lost[i])
            return;
    world.changed_at = world.now;
    host->master.ttl = 10 + any(50);
    for (size_t i = 0; i < SERVERS; i++)
        host->servers[i].ttl = host->master.ttl;
}

/* Whether every server has what the primary has, so that the step before has seen it. */
static bool is_everywhere(const struct host *host)
{
    for (size_t i = 0; i < SERVERS; i++)
        if (i != world.gone &&
            (host->lost[i] || host->silent[i] || host->servers[i].count != host->master.count))
            return false;
    return true;
}

static void withdraw_group(void)
{
    struct host *host = &world.hosts[any((unsigned)world.rollover.host_count)];
    struct rrset was = host->master, *master = &host->master;

    if (was.count == 0 || !is_everywhere(host))
        return;
    world.changed_at = world.now;
    master->count = 0;
    for (size_t i = 0; i < was.count; i++)
        if (!is_of_group(&was.records[i], &was.records[0]))
            master->records[master->count++] = was.records[i];
}

/* ---- other certificates ---- */

/* The next certificate, in the place of one that is staged or deployed. */
static bool stage(void)
{
    if (world.next + 1 == CHAINS)
        return false;
    if (world.rollover.released || world.rollover.state == ROLLOVER_CLEANED)
        world.current = world.next;
    world.next++;
    world.asked = false;
    assert_true(rollover_stage(&world.rollover, &chains[world.next].chain, clock_now()));
    return true;
}

/* He publishes what a host will need just before it is added. */
static void prepare(struct host *host)
{
    for (size_t i = 0, count = host->master.count; i < count; i++) {
        const struct tlsa *one = &host->master.records[i];

        publish_for(&host->master,
                    (const unsigned[]){one->usage, one->selector, one->matching_type}, world.next);
    }
    for (size_t i = 0; i < SERVERS; i++)
        if (!host->lost[i])
            host->servers[i] = host->master;
}

/* The second host, which nothing has been waited for. */
static void add_host(void)
{
    if (world.rollover.host_count == HOSTS || world.lag > 0)
        return;
    if (chance(50))
        prepare(&world.hosts[world.rollover.host_count]);
    world.rollover.host_count++;
    world.asked = false;
    if (!rollover_stage(&world.rollover, &chains[world.next].chain, clock_now()))
        rollover_begin_again(&world.rollover, clock_now());
}

/* As `mxcrypt rollover abort` has it; then what is shown first becomes the present one. What was
 * seen is forgotten too, so caches must have forgotten what was there, and the clock be right. */
static void give_up(void)
{
    if (world.rollover.released || world.now < world.changed_at + 1000 || world.lag > 0)
        return;
    for (size_t h = 0; h < HOSTS; h++)
        for (size_t a = 0; a < ADDRESSES; a++)
            if (world.hosts[h].live[a] == world.next)
                return;
    world.current = world.hosts[0].live[0];
    world.rollover = (struct rollover){.host_count = world.rollover.host_count,
                                       .current = chains[world.current].chain,
                                       .next = chains[world.next].chain,
                                       .ttl = 0};
    if (!stage())
        rollover_stage(&world.rollover, &chains[world.next].chain, clock_now());
}

static void change_of_mind(void)
{
    if (chance(1) && chance(10))
        stage();
    if (chance(1) && chance(10))
        give_up();
    if (chance(1))
        add_host();
    if (world.gone < SERVERS && chance(3))
        assert_true(rollover_pass_over(&world.rollover, names[world.gone]));
}

static void tick_clock(void)
{
    world.now += 1 + any(3);
    if (chance(1))
        world.offset -= any(30);
    if (chance(10))
        world.lag = chance(10) ? any(100000) : 0;
}

static void tick(unsigned seed)
{
    tick_clock();
    change_of_mind();
    for (size_t h = 0; h < HOSTS; h++) {
        tick_servers(&world.hosts[h]);
        tick_caches(&world.hosts[h]);
        tick_addresses(&world.hosts[h]);
        tick_operator(&world.hosts[h], &world.sights[h]);
        check_host(&world.hosts[h], seed);
    }
    if (chance(20))
        step(seed);
    if (chance(1) && step(seed)) /* a TTL is seen before it changes */
        change_ttl();
    if (chance(1) && step(seed)) /* and so are records before they are withdrawn */
        withdraw_group();
}

/* What may go goes, while caches still have it. */
static void clean_up(unsigned seed)
{
    assert_true(all_live_are_next());
    for (size_t h = 0; h < world.rollover.host_count; h++) {
        for (size_t i = 0; i < world.sights[h].old_count; i++)
            withdraw(&world.hosts[h].master, &world.sights[h].old[i]);
        for (size_t i = 0; i < SERVERS; i++)
            world.hosts[h].servers[i] = world.hosts[h].before[i] = world.hosts[h].master;
        check_host(&world.hosts[h], seed);
    }
    world.now += any(200);
    world.asked = false;
}

static void nobody_is_ever_without_a_record(void **state)
{
    unsigned finished = 0;

    (void)state;
    make_chains();
    for (unsigned seed = 0; seed < WORLDS; seed++) {
        begin(seed);
        for (size_t round = 1; round <= ROLLOVERS; round++) {
            if (round == 1)
                world.rollover.host_count = 1 + any(HOSTS);
            if (round == 1)
                world.rollover.current = chains[0].chain;
            if (!stage())
                break;
            step(seed);
            for (unsigned i = 0; i < TICKS && world.rollover.state != ROLLOVER_CLEANED; i++)
                tick(seed);
            if (world.rollover.state != ROLLOVER_CLEANED)
                break;
            clean_up(seed);
            finished += round == ROLLOVERS;
        }
    }
    if (finished < WORLDS / 2)
        fail_msg("only %u of %u worlds came to an end", finished, WORLDS);
    print_message("%u of %u worlds came to an end\n", finished, WORLDS);
    arena_free(world.arena);
    world.arena = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_is_ever_without_a_record)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
