/*
 * verifier: see verifier.h. Both ends are this program, so that a request is a struct, with two files
 * in memory beside it: what was signed, and the signature. Packets keep their bounds (SOCK_SEQPACKET),
 * and each carries a number, so that an answer that came too late is not taken for the next.
 */
#define _GNU_SOURCE
#include "daemon/lists/verifier.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define FILES 2 /* that go with a request */

struct verifier {
    int fd; /* of the socket */
    pid_t pid;
    pthread_mutex_t lock; /* one request at a time */
    uint64_t number;      /* of the last request */
};

struct request {
    uint64_t number, length, signature_length;
    int deadline_ms;
    char fingerprint[OPENPGP_FINGERPRINT_MAX + 1];
    char key_path[PATH_MAX];
};

struct reply {
    uint64_t number;
    char why[OPENPGP_WHY_MAX]; /* "": the signature is good */
};

/* Room for two descriptors. */
union ancillary {
    struct cmsghdr header;
    char room[CMSG_SPACE(FILES * sizeof(int))];
};

/* ---- in the process ---- */

/* The descriptors of a packet; false when there are not two. */
static bool take_files(int files[FILES], struct msghdr *message)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);

    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(FILES * sizeof(int)))
        return false;
    memcpy(files, CMSG_DATA(header), FILES * sizeof(int));
    return true;
}

/* False when the daemon has closed its end. */
static bool receive(int fd, struct request *request, int files[FILES])
{
    union ancillary ancillary;
    struct iovec part = {request, sizeof *request};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.room,
                             .msg_controllen = sizeof ancillary.room};
    ssize_t length;

    do
        length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    return length == (ssize_t)sizeof *request && take_files(files, &message);
}

static const void *map(int file, uint64_t length)
{
    void *data;

    if (length == 0)
        return "";
    data = mmap(NULL, length, PROT_READ, MAP_PRIVATE, file, 0);
    return data == MAP_FAILED ? NULL : data;
}

static void unmap(const void *data, uint64_t length)
{
    if (data != NULL && length > 0)
        munmap((void *)(uintptr_t)data, length);
}

static void answer(struct reply *reply, const struct request *request, const int files[FILES])
{
    const struct openpgp_check check = {
        .data = map(files[0], request->length),
        .length = request->length,
        .signature = map(files[1], request->signature_length),
        .signature_length = request->signature_length,
        .key_path = request->key_path,
        .fingerprint = request->fingerprint,
        .deadline_ms = request->deadline_ms,
    };
    char room[OPENPGP_WHY_MAX];
    const char *why = "no memory";

    if (check.data != NULL && check.signature != NULL)
        why = openpgp_verify(&check, room);
    if (why != NULL)
        snprintf(reply->why, sizeof reply->why, "%s", *why == '\0' ? "not verified" : why);
    unmap(check.data, check.length);
    unmap(check.signature, check.signature_length);
}

/* Takes the files. */
static void serve(int fd, const struct request *request, const int files[FILES])
{
    struct reply reply = {.number = request->number};

    answer(&reply, request, files);
    for (int i = 0; i < FILES; i++)
        close(files[i]);
    send(fd, &reply, sizeof reply, MSG_NOSIGNAL);
}

/* Of what the daemon has open, listening sockets too, only the standard descriptors and `fd` stay. */
static void close_others(int fd)
{
    if (fd > 3)
        close_range(3, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, UINT_MAX, 0);
}

__attribute__((noreturn)) static void live(int fd, pid_t daemon, void (*confine)(void))
{
    struct request request;
    int files[FILES];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != daemon)
        _exit(0);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    close_others(fd);
    if (confine != NULL)
        confine();
    while (receive(fd, &request, files))
        serve(fd, &request, files);
    _exit(0);
}

/* ---- in the daemon ---- */

/* A file in memory that can be neither written nor cut any more; -1 without memory. */
static int file_of(const void *data, size_t length)
{
    int file = memfd_create("mxcryptd-list", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const char *at = data;

    while (file >= 0 && length > 0) {
        ssize_t written = write(file, at, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            close(file);
            return -1;
        }
        at += written;
        length -= (size_t)written;
    }
    if (file >= 0)
        fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    return file;
}

static bool send_request(int fd, const struct request *request, const int files[FILES])
{
    union ancillary ancillary = {0};
    struct iovec part = {(void *)(uintptr_t)request, sizeof *request};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.room,
                             .msg_controllen = sizeof ancillary.room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(FILES * sizeof(int));
    memcpy(CMSG_DATA(header), files, FILES * sizeof(int));
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof *request;
}

/* True when the answer to the request came within `deadline_ms`. *gone: none will come any more. */
static bool await_reply(const struct verifier *verifier, struct reply *reply, int64_t deadline_ms,
                        bool *gone)
{
    int64_t end = clock_monotonic_ms() + deadline_ms, left;
    struct pollfd poller = {.fd = verifier->fd, .events = POLLIN};
    ssize_t length;

    while ((left = end - clock_monotonic_ms()) > 0) {
        int ready = poll(&poller, 1, (int)left);

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        length = recv(verifier->fd, reply, sizeof *reply, MSG_DONTWAIT);
        *gone = length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR);
        if (*gone)
            return false;
        if (length == (ssize_t)sizeof *reply && reply->number == verifier->number)
            return true;
    }
    return false;
}

static const char *say(char why[OPENPGP_WHY_MAX], const char *text)
{
    snprintf(why, OPENPGP_WHY_MAX, "%s", text);
    return why;
}

static const char *ask(struct verifier *verifier, struct request *request, const int files[FILES],
                       char why[OPENPGP_WHY_MAX])
{
    static const char dead[] = "not verified: the verifier process is gone: restart mxcryptd";
    struct reply reply;
    bool gone = false;

    request->number = ++verifier->number;
    if (!send_request(verifier->fd, request, files))
        return say(why,
                   errno == EAGAIN ? "not verified: the verifier process does not answer" : dead);
    if (!await_reply(verifier, &reply, request->deadline_ms + VERIFIER_SPARE_MS, &gone))
        return say(why, gone ? dead : "not verified: the verifier process does not answer in time");
    reply.why[sizeof reply.why - 1] = '\0';
    return reply.why[0] == '\0' ? NULL : say(why, reply.why);
}

static const char *check_files(struct verifier *verifier, const struct openpgp_check *check,
                               const int files[FILES], char why[OPENPGP_WHY_MAX])
{
    struct request request = {.length = check->length,
                              .signature_length = check->signature_length,
                              .deadline_ms = check->deadline_ms};
    const char *wrong;

    if (files[0] < 0 || files[1] < 0)
        return say(why, "not verified: no memory");
    snprintf(request.fingerprint, sizeof request.fingerprint, "%s", check->fingerprint);
    if (strlen(check->key_path) >= sizeof request.key_path)
        return say(why, "not verified: the path of the key is too long");
    memcpy(request.key_path, check->key_path, strlen(check->key_path));
    pthread_mutex_lock(&verifier->lock);
    wrong = ask(verifier, &request, files, why);
    pthread_mutex_unlock(&verifier->lock);
    return wrong;
}

const char *verifier_check(struct verifier *verifier, const struct openpgp_check *check,
                           char why[OPENPGP_WHY_MAX])
{
    int files[FILES];
    const char *wrong;

    if (verifier == NULL)
        return say(why, "not verified: mxcryptd was started without a policy-list, and so without "
                        "the process that runs gpgv: restart it");
    files[0] = file_of(check->data, check->length);
    files[1] = file_of(check->signature, check->signature_length);
    wrong = check_files(verifier, check, files, why);
    for (int i = 0; i < FILES; i++)
        if (files[i] >= 0)
            close(files[i]);
    return wrong;
}

struct verifier *verifier_start(void (*confine)(void))
{
    struct verifier *verifier = calloc(1, sizeof *verifier);
    pid_t daemon = getpid();
    int pair[2];

    if (verifier == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        free(verifier);
        return NULL;
    }
    verifier->pid = fork();
    if (verifier->pid == 0)
        live(pair[1], daemon, confine);
    close(pair[1]);
    verifier->fd = pair[0];
    if (verifier->pid < 0) {
        close(verifier->fd);
        free(verifier);
        return NULL;
    }
    pthread_mutex_init(&verifier->lock, NULL);
    return verifier;
}

/* It ends when its socket does. Where the sandbox allows no signal to it, it is not waited for: it
 * may have been stopped, and the kernel kills it when the daemon ends. */
void verifier_stop(struct verifier *verifier)
{
    if (verifier == NULL)
        return;
    close(verifier->fd);
    waitpid(verifier->pid, NULL, kill(verifier->pid, SIGKILL) == 0 ? 0 : WNOHANG);
    pthread_mutex_destroy(&verifier->lock);
    free(verifier);
}

int verifier_pid(const struct verifier *verifier)
{
    return (int)verifier->pid;
}
