#ifndef CLINUX_H
#define CLINUX_H

#include <stdint.h>
#include <sys/types.h>

// Linux calls that Swift's Glibc module does not show. Those that return int return -1 and set errno on failure, unless
// said otherwise; every descriptor made is close-on-exec.

/// What a new process is made of.
struct clinux_request {
    const char *executable;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    /// Descriptors that become 0, 1 and 2; no other is inherited.
    int descriptors[3];
    /// A file that the child makes just before it becomes the program; NULL for none.
    const char *mark;
};

/// Starts a process in a session of its own, with no signal blocked or ignored. Returns 0 or an errno, after the exec.
int clinux_launch(const struct clinux_request *request, pid_t *pid);

int clinux_pidfd_open(pid_t pid);

/// Sends a signal through a pidfd; with `group`, to the process group of that number (Linux 6.9, else EINVAL).
int clinux_pidfd_signal(int descriptor, int signal, int group);

/// Looks whether the child behind a pidfd has ended. Returns 1 when it has, 0 when it runs. `code` is the exit code, or
/// the negative number of the signal. Without `reap` the child stays a zombie.
int clinux_pidfd_wait(int descriptor, int reap, int *code);

/// The exit code of a process that is not a child, once its parent has reaped it (Linux 6.15). Returns 1 when it is
/// known, 0 when it is not yet, -1 when this kernel does not tell.
int clinux_pidfd_exit_code(int descriptor, int *code);

int clinux_epoll_create(void);
int clinux_epoll_add(int epoll, int descriptor, uint64_t token);
int clinux_epoll_remove(int epoll, int descriptor);
/// Waits; fills `tokens` with what is readable or hung up and returns how many. -1 waits without a limit.
int clinux_epoll_wait(int epoll, uint64_t *tokens, int capacity, int milliseconds);

int clinux_eventfd(int nonblocking);

int clinux_inotify_create(void);
/// Watches an open directory for writes to its files.
int clinux_inotify_watch(int inotify, int directory);
/// Reads pending events into an array of watch numbers (a number may repeat; -1 says that events were lost).
int clinux_inotify_read(int inotify, int *watches, int capacity);
int clinux_inotify_unwatch(int inotify, int watch);

/// Gives a range of a file back to the file system, its size kept.
int clinux_punch_hole(int descriptor, int64_t offset, int64_t length);

/// A non-blocking listener on 127.0.0.1 with a free port.
int clinux_loopback_listener(uint16_t *port);
int clinux_accept(int listener);
/// Sends without SIGPIPE and without blocking.
ssize_t clinux_send(int descriptor, const void *bytes, size_t count);

/// Opens a regular file, or one that is made, by a path below a directory (AT_FDCWD for the working directory). No part of
/// the path may be a link. Never blocks: a FIFO, a socket, a device or a leased file is not opened. errno is EINVAL where
/// the path leads to anything but a regular file.
int clinux_open_regular(int directory, const char *path, int flags, mode_t mode);
/// Opens a directory below a directory, by a path without links that does not lead into another mount.
int clinux_open_directory(int directory, const char *path);
/// Makes the directory `name`, no link, one that its owner may read, write and enter.
int clinux_allow_owner(int directory, const char *name);

/// Where the next bytes are from an offset on that are not a hole; -1 with ENXIO when there are none.
int64_t clinux_seek_data(int descriptor, int64_t offset);
/// Where the next hole begins from an offset on; the end of the file counts as one.
int64_t clinux_seek_hole(int descriptor, int64_t offset);

/// Fills a buffer with random bytes.
int clinux_random(void *bytes, size_t count);

/// Names the calling thread.
void clinux_name_thread(const char *name);

/// Raises the limit of open files to what is allowed, and to `most` at most. Returns the limit in force, or -1. Processes
/// that are launched after that are given the limit that this one was started with.
long clinux_raise_open_files(long most);

/// Gives back the pages of program code that were needed so far; those that are needed again come back from the system's
/// cache by themselves.
void clinux_release_code(void);

#endif
