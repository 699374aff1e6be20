#define _GNU_SOURCE
#include "CLinux.h"

#include <malloc.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>

// Older headers lack these numbers. They are the same on every architecture that has these calls.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define CLINUX_P_PIDFD 3
#define CLINUX_SIGNAL_PROCESS_GROUP (1u << 2)

// The kernel's struct pidfd_info up to the exit code (64 bytes in its first version).
struct clinux_pidfd_info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t identities[11];
    int32_t exit_code;
};
#define CLINUX_PIDFD_GET_INFO _IOWR(0xFF, 11, struct clinux_pidfd_info)
#define CLINUX_PIDFD_INFO_EXIT (1ull << 3)

// The limit that this process was started with, and that it passes on.
static struct rlimit inherited_open_files;
static int open_files_were_raised;

long clinux_raise_open_files(long most) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    if (!open_files_were_raised) inherited_open_files = limit;
    rlim_t wanted = limit.rlim_max < (rlim_t)most ? limit.rlim_max : (rlim_t)most;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0) open_files_were_raised = 1;
        else getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur > LONG_MAX ? LONG_MAX : (long)limit.rlim_cur;
}

int clinux_launch(const struct clinux_request *request, pid_t *pid) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    int error = posix_spawnattr_init(&attributes);
    if (error) return error;
    error = posix_spawn_file_actions_init(&actions);
    if (error) {
        posix_spawnattr_destroy(&attributes);
        return error;
    }
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    // The descriptors are moved out of the way first, so that none of them is overwritten before it is used.
    int moved[4] = {-1, -1, -1, -1};
    int count = request->descriptors[3] < 0 ? 3 : 4;
    for (int i = 0; i < count && !error; i++) {
        moved[i] = fcntl(request->descriptors[i], F_DUPFD_CLOEXEC, 4);
        if (moved[i] < 0) error = errno;
        else error = posix_spawn_file_actions_adddup2(&actions, moved[i], i);
    }
    if (!error) error = posix_spawn_file_actions_addclosefrom_np(&actions, count);
    // The child itself creates the mark, so the mark exists if and only if the child came this far.
    if (!error && request->mark)
        error = posix_spawn_file_actions_addopen(
            &actions, count, request->mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (!error) error = posix_spawn_file_actions_addchdir_np(&actions, request->directory);
    if (!error) error = posix_spawnattr_setsigmask(&attributes, &none);
    if (!error) error = posix_spawnattr_setsigdefault(&attributes, &all);
    if (!error)
        error = posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    // A program that was written a moment ago can be busy. The cause is another child between its fork and its exec,
    // which still has the descriptor that the program was written with.
    const struct timespec moment = {0, 5000000};
    for (int attempt = 0; !error && attempt < 40; attempt++) {
        error = posix_spawn(pid, request->executable, &actions, &attributes, request->arguments, request->environment);
        if (error != ETXTBSY || attempt == 39) break;
        nanosleep(&moment, 0);
        if (request->mark) unlink(request->mark);
        error = 0;
    }
    for (int i = 0; i < 4; i++)
        if (moved[i] >= 0) close(moved[i]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (!error && open_files_were_raised) prlimit(*pid, RLIMIT_NOFILE, &inherited_open_files, NULL);
    return error;
}

int clinux_pipe(int pair[2]) {
    if (pipe2(pair, O_CLOEXEC) < 0) return -1;
    return fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ? -1 : 0;
}

int clinux_socket_pair(int pair[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair); }

ssize_t clinux_send_descriptors(int socket, const void *bytes, size_t count, const int *descriptors, int number) {
    char control[CMSG_SPACE(8 * sizeof(int))];
    if (number > 8) {
        errno = EINVAL;
        return -1;
    }
    struct iovec portion = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    memset(control, 0, sizeof control);
    message.msg_iov = &portion;
    message.msg_iovlen = 1;
    if (number > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(number * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(number * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, number * sizeof(int));
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int clinux_sealed_file(const void *bytes, size_t count) {
    int file = memfd_create("environment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) return -1;
    size_t written = 0;
    while (written < count) {
        ssize_t part = write(file, (const char *)bytes + written, count - written);
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) {
            int error = errno;
            close(file);
            errno = error;
            return -1;
        }
        written += part;
    }
    fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    return file;
}

int clinux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int clinux_pidfd_signal(int descriptor, int signal, int group) {
    return (int)syscall(
        SYS_pidfd_send_signal, descriptor, signal, (void *)0, group ? CLINUX_SIGNAL_PROCESS_GROUP : 0u);
}

int clinux_pidfd_wait(int descriptor, int reap, int *code) {
    siginfo_t information;
    memset(&information, 0, sizeof information);
    int options = WEXITED | WNOHANG | (reap ? 0 : WNOWAIT);
    int result;
    do result = waitid((idtype_t)CLINUX_P_PIDFD, (id_t)descriptor, &information, options);
    while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    if (information.si_pid == 0) return 0;
    *code = information.si_code == CLD_EXITED ? information.si_status : -information.si_status;
    return 1;
}

int clinux_pidfd_exit_code(int descriptor, int *code) {
    struct clinux_pidfd_info information;
    memset(&information, 0, sizeof information);
    information.mask = CLINUX_PIDFD_INFO_EXIT;
    if (ioctl(descriptor, CLINUX_PIDFD_GET_INFO, &information) < 0) return errno == ESRCH ? 0 : -1;
    if (!(information.mask & CLINUX_PIDFD_INFO_EXIT)) return 0;
    int status = information.exit_code;
    *code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    return 1;
}

int clinux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int clinux_epoll_add(int epoll, int descriptor, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u64 = token};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

int clinux_epoll_remove(int epoll, int descriptor) { return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL); }

int clinux_epoll_wait(int epoll, uint64_t *tokens, int capacity, int milliseconds) {
    struct epoll_event events[64];
    if (capacity > 64) capacity = 64;
    int count = epoll_wait(epoll, events, capacity, milliseconds);
    for (int i = 0; i < count; i++) tokens[i] = events[i].data.u64;
    return count;
}

int clinux_eventfd(int nonblocking) { return eventfd(0, EFD_CLOEXEC | (nonblocking ? EFD_NONBLOCK : 0)); }

int clinux_inotify_create(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }

int clinux_inotify_watch(int inotify, int directory) {
    // The path uses the descriptor, so that nobody can put another directory in its place.
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", directory);
    return inotify_add_watch(inotify, path, IN_MODIFY | IN_ONLYDIR);
}

int clinux_inotify_unwatch(int inotify, int watch) { return inotify_rm_watch(inotify, watch); }

int clinux_inotify_read(int inotify, int *watches, int capacity) {
    // An event takes at least 16 bytes, so the buffer holds at most CLINUX_INOTIFY_EVENTS of them.
    char buffer[16 * CLINUX_INOTIFY_EVENTS] __attribute__((aligned(8)));
    ssize_t size = read(inotify, buffer, sizeof buffer);
    if (size <= 0) return (int)size;
    int count = 0;
    for (ssize_t offset = 0; offset < size && count < capacity;) {
        const struct inotify_event *event = (const struct inotify_event *)(buffer + offset);
        watches[count++] = event->mask & IN_Q_OVERFLOW ? -1 : event->wd;
        offset += (ssize_t)sizeof *event + event->len;
    }
    return count;
}

int clinux_punch_hole(int descriptor, int64_t offset, int64_t length) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

int clinux_loopback_listener(uint16_t *port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) return -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 128) < 0
        || getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        int error = errno;
        close(listener);
        errno = error;
        return -1;
    }
    *port = ntohs(address.sin_port);
    return listener;
}

int clinux_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

ssize_t clinux_send(int descriptor, const void *bytes, size_t count) {
    return send(descriptor, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// The kernel's struct open_how and its flags. They forbid crossing a mount, following a link and leaving the directory.
struct clinux_open_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};
#define CLINUX_RESOLVE_STRICTLY (0x01u | 0x02u | 0x04u | 0x08u)

// Opens a path below a directory. Kernels before 5.6 and some sandboxes lack the single call for this. There, each part
// of the path is opened in turn, which does not detect mounts.
static int open_below(int directory, const char *path, int flags, mode_t mode) {
    flags |= O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    struct clinux_open_how how = {
        .flags = (uint64_t)(unsigned)flags, .mode = flags & O_CREAT ? mode : 0, .resolve = CLINUX_RESOLVE_STRICTLY};
    int opened = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (opened >= 0 || (errno != ENOSYS && errno != EPERM)) return opened;
    int parent = directory;
    for (;;) {
        const char *end = strchr(path, '/');
        char part[NAME_MAX + 1];
        size_t length = end ? (size_t)(end - path) : strlen(path);
        if (length > NAME_MAX || (length == 2 && !memcmp(path, "..", 2))) {
            errno = ENAMETOOLONG;
            opened = -1;
        } else {
            memcpy(part, path, length);
            part[length] = 0;
            opened = end ? openat(parent, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                         : openat(parent, part, flags, mode);
        }
        int error = errno;
        if (parent != directory) close(parent);
        errno = error;
        if (opened < 0 || !end) return opened;
        parent = opened;
        path = end + 1;
    }
}

int clinux_open_regular(int directory, const char *path, int flags, mode_t mode) {
    int opened = open_below(directory, path, flags, mode);
    if (opened < 0) return -1;
    struct stat status;
    if (fstat(opened, &status) == 0 && S_ISREG(status.st_mode)) {
        // O_NONBLOCK is removed, because only the opening could have blocked.
        int current = fcntl(opened, F_GETFL);
        if (current >= 0) fcntl(opened, F_SETFL, current & ~O_NONBLOCK);
        return opened;
    }
    close(opened);
    errno = EINVAL;
    return -1;
}

int clinux_open_directory(int directory, const char *path) {
    return open_below(directory, path, O_RDONLY | O_DIRECTORY, 0);
}

int clinux_allow_owner(int directory, const char *name) {
    int found = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (found < 0) return -1;
    struct stat status;
    int result = fstat(found, &status);
    if (result == 0 && (status.st_mode & 0700) != 0700) {
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", found);
        result = chmod(path, (status.st_mode & 07777) | 0700);
    }
    int error = errno;
    close(found);
    errno = error;
    return result;
}

int64_t clinux_seek_data(int descriptor, int64_t offset) { return lseek(descriptor, offset, SEEK_DATA); }

int64_t clinux_seek_hole(int descriptor, int64_t offset) { return lseek(descriptor, offset, SEEK_HOLE); }

int clinux_random(void *bytes, size_t count) { return getrandom(bytes, count, 0) == (ssize_t)count ? 0 : -1; }

void clinux_name_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
}

// By default, glibc creates an arena for each thread, up to eight per core, which costs a daemon memory for months. The
// limit is set before any thread can have one.
__attribute__((constructor)) static void limit_malloc_arenas(void) { mallopt(M_ARENA_MAX, 2); }

void clinux_return_free_memory(void) { malloc_trim(0); }
