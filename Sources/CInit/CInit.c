#include "CInit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int adopts_orphans(void) {
    int is_subreaper = 0;
    return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper) == 0 && is_subreaper);
}

// Waits for the program and for everybody who is left to this process.
static void __attribute__((noreturn)) serve(pid_t program, const sigset_t *all) {
    prctl(PR_SET_NAME, "worker-init");
    for (;;) {
        int signal = sigwaitinfo(all, NULL);
        if (signal > 0 && signal != SIGCHLD) kill(program, signal);
        int status;
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended == program) _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
        }
    }
}

// Before main, while there is one thread: a process with more cannot go on after a fork.
__attribute__((constructor)) static void split(void) {
    if (!adopts_orphans()) return;
    sigset_t all, before;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, &before) != 0) return;
    pid_t first = getpid();
    pid_t program = fork();
    if (program > 0) serve(program, &all);
    if (program == 0) {
        // A terminal tells the program of Ctrl-C, and nobody twice.
        setpgid(0, 0);
        if (isatty(STDIN_FILENO)) tcsetpgrp(STDIN_FILENO, getpid());
        // The program does not go on where nobody would tell how it ends.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != first) _exit(1);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
}
