// Preloaded into a worker: takes openat2 away, as kernels before 5.6 and some sandboxes do, and writes "yes" into the file
// that OPENAT2_ASKED names once the worker has asked for it. The worker's own children are not affected.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *note;

__attribute__((constructor)) static void begin(void) {
    // The launcher of the worker is not affected.
    if (strcmp(program_invocation_short_name, "prefect-worker") != 0) return;
    note = getenv("OPENAT2_ASKED");
    unsetenv("LD_PRELOAD");
}

long syscall(long number, ...) {
    static long (*next)(long, ...);
    long a[6];
    va_list list;
    va_start(list, number);
    for (int index = 0; index < 6; index++) a[index] = va_arg(list, long);
    va_end(list);
    if (number == 437 && note) {
        int file = open(note, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (file >= 0 && (pwrite(file, "yes", 3, 0) != 3 || close(file) != 0)) abort();
        errno = ENOSYS;
        return -1;
    }
    if (!next) next = dlsym(RTLD_NEXT, "syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
