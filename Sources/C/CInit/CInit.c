#include "CInit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int adopts_orphans(void) {
    int is_subreaper = 0;
    return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper) == 0 && is_subreaper);
}

// The first process needs only the function below, so it gives back all other memory of the program. From then on there
// is no libc, and it makes its system calls itself.
#if defined(__x86_64__)
#define GIVES_MEMORY_BACK 1
static inline __attribute__((always_inline)) long kernel(long number, long a, long b, long c, long d) {
    long result;
    register long fourth __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
#define GIVES_MEMORY_BACK 1
static inline __attribute__((always_inline)) long kernel(long number, long a, long b, long c, long d) {
    register long code __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    __asm__ volatile("svc 0"
                     : "+r"(first)
                     : "r"(code), "r"(second), "r"(third), "r"(fourth)
                     : "memory");
    return first;
}
#else
#define GIVES_MEMORY_BACK 0
static inline __attribute__((always_inline)) long kernel(long number, long a, long b, long c, long d) {
    return syscall(number, a, b, c, d);
}
#endif

#if GIVES_MEMORY_BACK
// Unmaps all memory that this function does not run on. It keeps its code, the stack, and the memory that the kernel
// writes to for each thread. Without /proc everything stays mapped.
static inline __attribute__((always_inline)) void give_memory_back(void *code) {
    const uintptr_t kept[] = {(uintptr_t)code, (uintptr_t)__builtin_frame_address(0), (uintptr_t)__builtin_thread_pointer()};
    long maps = kernel(SYS_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (maps < 0) return;
    char text[512];
    long count;
    // A line begins with "start-end " in hexadecimal. A name in brackets that begins with v or u is memory of the
    // kernel.
    uintptr_t range[2] = {0, 0};
    int field = 0, bracket = 0;
    uintptr_t own[2] = {0, 0};
    while ((count = kernel(SYS_read, maps, (long)text, sizeof text, 0)) > 0) {
        for (long i = 0; i < count; i++) {
            char letter = text[i];
            if (letter == '\n') {
                int is_kept = bracket == 'v' || bracket == 'u' || range[1] <= range[0];
                for (int j = 0; j < 3; j++) is_kept |= range[0] <= kept[j] && kept[j] < range[1];
                if (range[0] <= kept[0] && kept[0] < range[1]) own[0] = range[0], own[1] = range[1];
                if (!is_kept) kernel(SYS_munmap, (long)range[0], (long)(range[1] - range[0]), 0, 0);
                range[0] = range[1] = 0;
                field = bracket = 0;
            } else if (field < 2) {
                if (letter == '-' || letter == ' ') field++;
                else range[field] = range[field] << 4 | (uintptr_t)(letter <= '9' ? letter - '0' : letter - 'a' + 10);
            } else if (letter == '[') {
                bracket = '[';
            } else if (bracket == '[') {
                bracket = letter;
            }
        }
    }
    kernel(SYS_close, maps, 0, 0, 0);
    // The pages of the code are dropped as well. The few that are needed are read again.
    if (own[1] > own[0]) kernel(SYS_madvise, (long)own[0], (long)(own[1] - own[0]), MADV_DONTNEED, 0);
}
#endif

// Waits for the program and for every process whose parent has ended. Code that needs more than its own stack must not
// be added here.
static void __attribute__((noreturn, noinline, no_stack_protector, disable_sanitizer_instrumentation)) serve(pid_t program) {
    prctl(PR_SET_NAME, "worker-init");
#if GIVES_MEMORY_BACK
    give_memory_back((void *)serve);
#endif
    const uint64_t all = ~(uint64_t)0;
    for (;;) {
        long signal = kernel(SYS_rt_sigtimedwait, (long)&all, 0, 0, sizeof all);
        if (signal > 0 && signal != SIGCHLD) kernel(SYS_kill, program, signal, 0, 0);
        int status = 0;
        long ended;
        while ((ended = kernel(SYS_wait4, -1, (long)&status, WNOHANG, 0)) > 0) {
            if (ended != program) continue;
            int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            for (;;) kernel(SYS_exit_group, code, 0, 0, 0);
        }
    }
}

// This runs before main, while there is one thread. A process with more threads cannot continue after a fork.
__attribute__((constructor)) static void split(void) {
    if (!adopts_orphans()) return;
    sigset_t all, before;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, &before) != 0) return;
    pid_t first = getpid();
    pid_t program = fork();
    if (program > 0) serve(program);
    if (program == 0) {
        // The program gets its own foreground group. So a terminal sends it Ctrl-C directly, and only once.
        setpgid(0, 0);
        if (isatty(STDIN_FILENO)) tcsetpgrp(STDIN_FILENO, getpid());
        // Without the first process, nothing would report how the program ends. So the program ends with it.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != first) _exit(1);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}
