/*
 * mxcryptd: the daemon as a whole (mxcryptd(8)): reads its command line, makes its parts, runs them
 * until a signal, and takes them down in the opposite order, until the loop is empty. At start every
 * failure is fatal and the log says what to change; from "ready" on none is.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log/log.h"
#include "daemon/config/config.h"
#include "daemon/control/control.h"
#include "daemon/lists/lists.h"
#include "daemon/lists/verifier.h"
#include "daemon/lookup/engine.h"
#include "daemon/rules/ruleset.h"
#include "daemon/rules/reload.h"
#include "daemon/metrics/metrics.h"
#include "daemon/sandbox/privileges.h"
#include "daemon/resolver_check.h"
#include "daemon/serve/server.h"
#include "daemon/serve/socket.h"
#include "daemon/systemd.h"
#include "probe/prober_uv.h"

#define OVERRIDES_MAX  64
#define FDS_SPARE      64
#define DRAIN_SPARE_MS 1000 /* for the last answers to leave */
#define SIGNALS        3
#define NS_PER_MS      1000000

struct listening_socket {
    int fd; /* -1 once it is served */
    enum listen_protocol protocol;
    const char *path; /* made here, so it is removed at the end; NULL: systemd's, or TCP */
    struct socket_file file;
};

struct mxcryptd {
    struct config *config;
    uv_loop_t loop;
    struct prober *prober;
    struct verifier *verifier; /* NULL: no policy list at start, or no process */
    struct lists *lists;
    struct ruleset *ruleset;
    struct reload *reload;
    struct engine *engine;
    struct server *server;
    struct control *control;
    struct metrics *metrics; /* NULL: none */
    struct resolver_check *check;
    uv_signal_t signals[SIGNALS];
    uv_timer_t watchdog, patience;
    uv_prepare_t turn;   /* called once in each turn of the loop */
    int64_t turn_cpu_ns; /* processor time of this thread at the last turn; 0: none yet */
    bool loop_made, draining, stopping;
    struct listening_socket sockets[SYSTEMD_FDS_MAX + CONFIG_LISTEN_MAX + 1];
    size_t socket_count;
    bool inherited_policy, inherited_control, made_policy;
};

/* ---- the end ---- */

/* In a folder where the user may not remove them they stay, and the next start replaces them. */
static void end_sockets(const struct mxcryptd *daemon)
{
    for (size_t i = 0; i < daemon->socket_count; i++) {
        if (daemon->sockets[i].path != NULL)
            socket_remove(daemon->sockets[i].path, &daemon->sockets[i].file);
        if (daemon->sockets[i].fd >= 0)
            close(daemon->sockets[i].fd);
    }
}

static void stop(struct mxcryptd *daemon)
{
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    systemd_notify("STOPPING=1");
    end_sockets(daemon);
    if (daemon->server != NULL)
        server_close(daemon->server);
    if (daemon->control != NULL)
        control_close(daemon->control);
    metrics_close(daemon->metrics);
    reload_close(daemon->reload);
    resolver_check_free(daemon->check);
    if (daemon->engine != NULL)
        engine_close(daemon->engine);
    if (daemon->lists != NULL)
        lists_close(daemon->lists);
    if (daemon->ruleset != NULL)
        ruleset_close(daemon->ruleset);
    if (daemon->prober != NULL)
        prober_close(daemon->prober);
    if (daemon->loop_made) {
        for (int i = 0; i < SIGNALS; i++)
            uv_close((uv_handle_t *)&daemon->signals[i], NULL);
        uv_close((uv_handle_t *)&daemon->watchdog, NULL);
        uv_close((uv_handle_t *)&daemon->patience, NULL);
        uv_close((uv_handle_t *)&daemon->turn, NULL);
    }
}

static void take_down(struct mxcryptd *daemon)
{
    stop(daemon);
    if (daemon->loop_made)
        uv_run(&daemon->loop, UV_RUN_DEFAULT);
    if (daemon->engine != NULL)
        engine_free(daemon->engine);
    if (daemon->prober != NULL)
        prober_free(daemon->prober);
    if (daemon->ruleset != NULL)
        ruleset_free(daemon->ruleset);
    if (daemon->lists != NULL)
        lists_free(daemon->lists);
    verifier_stop(daemon->verifier);
    CHECK(!daemon->loop_made || uv_loop_close(&daemon->loop) == 0);
    log_event(LOG_LEVEL_INFO, "stopped", "loop", "empty", NULL);
}

static void on_drained(void *context)
{
    stop(context);
}

static void on_patience_over(uv_timer_t *timer)
{
    stop(timer->data);
}

/* With systemd's sockets, new connections wait there for the next daemon, so this one first
 * answers what it was asked. With sockets of its own it stops at once, so that the next can
 * start soon. True when it is time to stop. */
static bool drain(struct mxcryptd *daemon)
{
    if (daemon->server == NULL || daemon->made_policy)
        return true;
    daemon->draining = true;
    if (server_drain(daemon->server, on_drained, daemon))
        return true;
    systemd_notify("STOPPING=1");
    uv_timer_start(&daemon->patience, on_patience_over,
                   (uint64_t)daemon->config->answer_deadline_ms + DRAIN_SPARE_MS, 0);
    return false;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct mxcryptd *daemon = handle->data;

    if (number == SIGHUP) {
        if (!daemon->stopping && daemon->reload != NULL)
            reload_start(daemon->reload, NULL, NULL);
        return;
    }
    log_event(LOG_LEVEL_INFO, "stopping", "signal", LOG_NUM(number), NULL);
    if (daemon->draining || drain(daemon))
        stop(daemon);
}

/* ---- the beginning ---- */

static int fail(const char *what, const char *why)
{
    log_event(LOG_LEVEL_ERROR, "cannot-start", "what", what, "why", why, NULL);
    return -1;
}

/* Descriptors for all limits of the configuration together, as far as the system allows. */
static void raise_fd_limit(const struct config *config)
{
    rlim_t wanted = config->connections_max + config->prober.dns.in_flight_max +
                    config->prober.probes.connections_max + 2 * config->prober.https.in_flight_max +
                    CONTROL_CONNECTIONS_MAX + FDS_SPARE;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted)
        log_event(LOG_LEVEL_WARNING, "few-descriptors", "have", LOG_NUM(limit.rlim_cur), "want",
                  LOG_NUM(wanted), "change", "raise LimitNOFILE or lower max-connections", NULL);
}

/* Logs a turn of the loop that used more processor time than it should, while everything else
 * waited. Elapsed time would count when the machine is busy elsewhere. For tests and for finding
 * faults: it costs a system call a turn. */
static void on_turn(uv_prepare_t *turn)
{
    struct mxcryptd *daemon = turn->data;
    int64_t cpu_ns = clock_thread_cpu_ns(), took_ms = (cpu_ns - daemon->turn_cpu_ns) / NS_PER_MS;

    if (took_ms >= daemon->config->stall_warning_ms && daemon->turn_cpu_ns > 0)
        log_event(LOG_LEVEL_WARNING, "loop-stalled", "cpu_ms", LOG_NUM(took_ms), NULL);
    daemon->turn_cpu_ns = cpu_ns; /* the first turn is the start, when nobody waits yet */
}

/* Called inside the sandbox: newer versions of libuv make an io_uring for each loop, and abort when
 * it is forbidden later. When it is forbidden from the start they do without. */
static int make_loop(struct mxcryptd *daemon)
{
    static const int signals[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    int error = uv_loop_init(&daemon->loop);
    bool caught = true;

    if (error != 0)
        return fail("event loop", uv_strerror(error));
    daemon->loop_made = true;
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(&daemon->loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        caught &= uv_signal_start(&daemon->signals[i], on_signal, signals[i]) == 0;
    }
    uv_timer_init(&daemon->loop, &daemon->watchdog);
    uv_timer_init(&daemon->loop, &daemon->patience);
    daemon->patience.data = daemon;
    uv_prepare_init(&daemon->loop, &daemon->turn);
    daemon->turn.data = daemon;
    if (daemon->config->stall_warning_ms > 0)
        uv_prepare_start(&daemon->turn, on_turn);
    uv_unref((uv_handle_t *)&daemon->turn);
    return caught ? 0 : fail("signals", "cannot be caught");
}

static void look_at_anchors(void *context)
{
    struct mxcryptd *daemon = context;

    prober_look_at_anchors(daemon->prober);
}

static void on_anchors_changed(void *context)
{
    struct mxcryptd *daemon = context;

    engine_judge_again(daemon->engine);
}

/* Another relay of the farm asks for it. */
static void on_farm_reload(void *context)
{
    struct mxcryptd *daemon = context;

    if (!daemon->stopping)
        reload_start(daemon->reload, NULL, NULL);
}

static void on_lists_changed(void *context)
{
    struct mxcryptd *daemon = context;

    ruleset_use_lists(daemon->ruleset, daemon->lists);
}

/* They are read before anybody can ask. */
static int make_lists(struct mxcryptd *daemon)
{
    const struct lists_tools tools = {.dns = prober_tools(daemon->prober)->dns,
                                      .tls = prober_tls(daemon->prober),
                                      .verifier = daemon->verifier};

    if (lists_new(&daemon->lists, &daemon->loop, daemon->config, &tools) != 0)
        return fail("policy-list", "no memory");
    lists_watch(daemon->lists, on_lists_changed, daemon);
    on_lists_changed(daemon);
    reload_set_lists(daemon->reload, daemon->lists);
    return 0;
}

static int make_parts(struct mxcryptd *daemon)
{
    struct config *config = daemon->config;
    char error[CONFIG_ERROR_MAX];
    const char *why = NULL;
    int status;

    if (ruleset_new(&daemon->ruleset, &daemon->loop, config, error) != 0)
        return fail("rules", error);
    daemon->reload = reload_new(&daemon->loop, config, daemon->ruleset, look_at_anchors, daemon);
    if (daemon->reload == NULL)
        return fail("reload", "no memory");
    status = prober_new(&daemon->prober, &daemon->loop, &config->prober, &why);
    if (status != 0)
        return fail("prober", why != NULL ? why : uv_strerror(status));
    if (make_lists(daemon) != 0)
        return -1;
    status = engine_new(&daemon->engine, &daemon->loop, config, prober_tools(daemon->prober),
                        daemon->ruleset);
    if (status == 0)
        status = prober_watch_anchors(daemon->prober, &daemon->loop, on_anchors_changed, daemon);
    if (status != 0)
        return fail("engine", uv_strerror(status));
    daemon->engine->reload = on_farm_reload;
    daemon->engine->reload_context = daemon;
    daemon->server = server_new(&daemon->loop, config, daemon->engine);
    if (daemon->server == NULL)
        return fail("server", "no memory");
    daemon->control = control_new(&daemon->loop, daemon->engine, daemon->server, daemon->reload);
    if (daemon->control == NULL)
        return fail("control", "no memory");
    return metrics_new(&daemon->metrics, &daemon->loop, config, daemon->engine, daemon->server);
}

/* ---- sockets: opened while this is still root, served when the parts are there ---- */

static void adopt_sockets(struct mxcryptd *daemon)
{
    struct systemd_fd fds[SYSTEMD_FDS_MAX];
    int count = systemd_listen_fds(fds);

    for (int i = 0; i < count; i++) {
        bool is_control = fds[i].protocol == LISTEN_CONTROL;

        daemon->sockets[daemon->socket_count++] =
            (struct listening_socket){.fd = fds[i].fd, .protocol = fds[i].protocol};
        daemon->inherited_control |= is_control;
        daemon->inherited_policy |= !is_control;
    }
}

/* Sockets passed by systemd replace the default; a configured one is opened unless systemd passed
 * it. */
static bool wants_socket(const struct mxcryptd *daemon, const struct listen_address *address)
{
    if (daemon->inherited_policy && daemon->config->listen_default)
        return false;
    for (size_t i = 0; i < daemon->socket_count; i++)
        if (socket_is_at(daemon->sockets[i].fd, address))
            return false;
    return true;
}

/* systemd passed the control socket, and the folder of the default policy socket does not exist:
 * Postfix is not installed yet. The daemon starts without that socket. */
static bool lacks_postfix(const struct mxcryptd *daemon, const struct listen_address *address)
{
    char folder[CONFIG_UNIX_PATH_MAX + 1];

    if (!daemon->inherited_control || !daemon->config->listen_default || address->path == NULL)
        return false;
    snprintf(folder, sizeof folder, "%s", address->path);
    *strrchr(folder, '/') = '\0';
    if (access(folder, F_OK) == 0 || errno != ENOENT)
        return false;
    log_event(LOG_LEVEL_WARNING, "no-policy-socket", "missing", folder, "effect",
              "no Postfix can ask", "change", "install Postfix, or set listen", NULL);
    return true;
}

static int open_socket(struct mxcryptd *daemon, const struct listen_address *address)
{
    struct listening_socket *made = &daemon->sockets[daemon->socket_count];
    char error[SOCKET_ERROR_MAX];

    made->fd = socket_listen(address, error);
    if (made->fd < 0)
        return fail(address->protocol == LISTEN_CONTROL ? "control-socket" : "listen", error);
    made->protocol = address->protocol;
    made->path = address->path;
    socket_find(&made->file, address->path);
    daemon->socket_count++;
    return 0;
}

static int open_policy(struct mxcryptd *daemon)
{
    char name[CONFIG_ERROR_MAX];

    for (size_t i = 0; i < daemon->config->listen_count; i++) {
        const struct listen_address *address = &daemon->config->listen[i];

        if (!wants_socket(daemon, address) || lacks_postfix(daemon, address))
            continue;
        if (open_socket(daemon, address) != 0)
            return -1;
        daemon->made_policy = true;
        log_event(LOG_LEVEL_INFO, "listening", "on", socket_text(address, name, sizeof name), NULL);
    }
    return 0;
}

static int serve_sockets(struct mxcryptd *daemon)
{
    for (size_t i = 0; i < daemon->socket_count; i++) {
        enum listen_protocol protocol = daemon->sockets[i].protocol;
        int fd = daemon->sockets[i].fd, error;

        daemon->sockets[i].fd = -1; /* the part that serves it takes it */
        error = protocol == LISTEN_CONTROL ? control_add(daemon->control, fd)
                                           : server_add(daemon->server, fd, protocol);
        if (error != 0)
            return fail("listen", uv_strerror(error));
    }
    return 0;
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    systemd_notify("WATCHDOG=1");
}

/* Not fatal: the address may come up with the network, or be on another host for a while. */
static void warn_about_source(const struct config *config, const struct ip *ip, const char *change)
{
    int error = !config->prober.probe || ip->family == 0 ? 0 : socket_try_source(ip);
    char text[IP_TEXT_MAX];

    if (error != 0)
        log_event(LOG_LEVEL_WARNING, "probe-address-unusable", "address", ip_text(ip, text),
                  "error", strerror(error), "effect",
                  "no mail host is probed over its family until it is there", "change", change,
                  NULL);
}

static void announce(struct mxcryptd *daemon)
{
    const struct smtp_options *smtp = &daemon->config->prober.probes.smtp;
    uint64_t period = systemd_watchdog_ms();
    const char *helo = smtp->helo_name;

    if (daemon->config->prober.probe && helo != NULL && strchr(helo, '.') == NULL)
        log_event(LOG_LEVEL_WARNING, "helo-name-not-full", "helo", helo, "effect",
                  "some mail hosts refuse to talk to the prober", "change",
                  "set helo-name to this host's full name", NULL);
    warn_about_source(daemon->config, &smtp->bind,
                      "set probe-bind-address to an address of this host");
    warn_about_source(daemon->config, &smtp->bind6,
                      "set probe-bind-address6 to an address of this host");

    if (period > 0)
        uv_timer_start(&daemon->watchdog, on_watchdog, period, period);
    daemon->check =
        resolver_check_new(prober_tools(daemon->prober)->dns, daemon->config->prober.dane);
    systemd_notify("READY=1");
    log_event(LOG_LEVEL_INFO, "ready", "version", MXC_VERSION, "helo", helo, NULL);
}

/* As the daemon's user, and before the sandbox forbids making processes. Without one, lists with
 * OpenPGP signatures are not used. */
static void start_verifier(struct mxcryptd *daemon)
{
    const struct config *config = daemon->config;

    if (config->list_count > 0)
        daemon->verifier = verifier_start(config->sandbox ? privileges_confine_helper : NULL);
}

static int set_up(struct mxcryptd *daemon)
{
    const struct listen_address control = {
        .protocol = LISTEN_CONTROL, .path = daemon->config->control_socket, .mode = 0600};
    char error[PRIVILEGES_ERROR_MAX], share_error[CONFIG_ERROR_MAX];

    if (hash_init() != 0)
        return fail("random numbers", "the kernel gives none");
    raise_fd_limit(daemon->config);
    adopt_sockets(daemon);
    if (open_policy(daemon) != 0 ||
        (!daemon->inherited_control && open_socket(daemon, &control) != 0))
        return -1;
    if (config_read_share(daemon->config, share_error) != 0)
        return fail("share", share_error);
    if (privileges_drop(daemon->config, error) != 0)
        return fail("user", error);
    start_verifier(daemon);
    if (privileges_lock_down(daemon->config, error) != 0)
        return fail("sandbox", error);
    if (make_loop(daemon) != 0 || make_parts(daemon) != 0 || serve_sockets(daemon) != 0)
        return -1;
    announce(daemon);
    return 0;
}

/* The exit status: 0 after SIGTERM or SIGINT, 1 when it could not start. */
static int run(struct config *config)
{
    struct mxcryptd daemon = {.config = config};
    int status = 1;

    signal(SIGPIPE, SIG_IGN);
    log_set_level(config->log_level);
    log_open(config->log_syslog ? LOG_TO_SYSLOG : LOG_TO_STDERR);
    if (set_up(&daemon) == 0) {
        uv_run(&daemon.loop, UV_RUN_DEFAULT);
        status = 0;
    }
    take_down(&daemon);
    return status;
}

/* ---- the command line ---- */

static int usage(void)
{
    fputs("usage: mxcryptd [-tV] [-c file] [-o key=value]...\n", stderr);
    return 64;
}

/* The last part of -t. */
static int check_rules(const struct config *config)
{
    char error[CONFIG_ERROR_MAX];
    struct rules *rules;

    if (config_read_rules(&rules, config, error) != 0) {
        fprintf(stderr, "mxcryptd: %s\n", error);
        return 1;
    }
    rules_free(rules);
    puts("configuration: ok");
    return 0;
}

int main(int argc, char **argv)
{
    const char *overrides[OVERRIDES_MAX], *path = NULL;
    char error[CONFIG_ERROR_MAX];
    size_t count = 0;
    struct config config;
    int option, status;
    bool check = false;

    while ((option = getopt(argc, argv, "c:o:tV")) != -1) {
        if (option == 'V') {
            puts("mxcryptd " MXC_VERSION);
            return 0;
        }
        if (option == '?' || (option == 'o' && count == OVERRIDES_MAX))
            return usage();
        if (option == 'c')
            path = optarg;
        else if (option == 'o')
            overrides[count++] = optarg;
        else
            check = true;
    }
    if (optind != argc)
        return usage();
    if (config_load(&config, path, overrides, count, error) != 0) {
        fprintf(stderr, "mxcryptd: %s\n", error);
        config_fini(&config);
        return 1;
    }
    status = check ? check_rules(&config) : run(&config);
    config_fini(&config);
    return status;
}
