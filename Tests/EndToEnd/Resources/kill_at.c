// Preloaded into a worker: ends it by SIGKILL before or after the call that KILL_AT names, as in "spawn:after:2" for the
// moment after its second start of a process; "pwrite:full:2" fills the disk instead, from the second write of the ledger
// on. What the worker starts is left alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char name[32], when[16];
static atomic_int left;

__attribute__((constructor)) static void begin(void) {
    // Whatever starts the worker is not meant.
    if (strcmp(program_invocation_short_name, "prefect-worker") != 0) return;
    const char *text = getenv("KILL_AT");
    int count = 0;
    if (text && sscanf(text, "%31[^:]:%15[^:]:%d", name, when, &count) == 3) left = count;
    unsetenv("KILL_AT");
    unsetenv("LD_PRELOAD");
}

// Whether this call, by its number, is the one; counted once for each call.
static int is_meant(const char *call) {
    return name[0] && strcmp(name, call) == 0 && atomic_fetch_sub(&left, 1) == 1;
}

static void end_if(int meant, const char *now) {
    if (meant && strcmp(when, now) == 0) kill(getpid(), SIGKILL);
}

#define AROUND(call, result, ...) \
    int meant = is_meant(call);   \
    end_if(meant, "before");      \
    result outcome = __VA_ARGS__; \
    end_if(meant, "after");       \
    return outcome;

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
    int (*next)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[],
                char *const[]) = dlsym(RTLD_NEXT, "posix_spawn");
    AROUND("spawn", int, next(pid, path, actions, attributes, arguments, environment))
}

int mkdir(const char *path, mode_t mode) {
    int (*next)(const char *, mode_t) = dlsym(RTLD_NEXT, "mkdir");
    if (!strstr(path, "/prefect-run-")) return next(path, mode);
    AROUND("mkdir", int, next(path, mode))
}

int rmdir(const char *path) {
    int (*next)(const char *) = dlsym(RTLD_NEXT, "rmdir");
    AROUND("rmdir", int, next(path))
}

// What SQLite writes the ledger with.
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    ssize_t (*next)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    if (strcmp(name, "pwrite") == 0 && strcmp(when, "full") == 0 && atomic_fetch_sub(&left, 1) <= 1) {
        errno = ENOSPC;
        return -1;
    }
    AROUND("pwrite", ssize_t, next(descriptor, bytes, count, offset))
}

// What libcurl speaks to the API with.
ssize_t send(int socket, const void *bytes, size_t count, int flags) {
    ssize_t (*next)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
    AROUND("send", ssize_t, next(socket, bytes, count, flags))
}

ssize_t recv(int socket, void *bytes, size_t count, int flags) {
    ssize_t (*next)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");
    AROUND("recv", ssize_t, next(socket, bytes, count, flags))
}
