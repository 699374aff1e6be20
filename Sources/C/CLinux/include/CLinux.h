#ifndef CLINUX_H
#define CLINUX_H

#include <stdint.h>
#include <sys/types.h>

// Linux calls that Swift's Glibc module does not export. Functions that return int return -1 and set errno on failure,
// unless stated otherwise. Every descriptor that they create is close-on-exec.

/// The parameters of a new process.
struct clinux_request {
    const char *executable;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    /// The descriptors that become 0, 1, 2 and 3. The last one may be -1. No other descriptor is inherited.
    int descriptors[4];
    /// A file that the child creates just before it becomes the program; NULL for none.
    const char *mark;
};

/// Starts a process in a new session, with no signal blocked or ignored. Returns 0 or an errno, after the exec.
int clinux_launch(const struct clinux_request *request, pid_t *pid);

int clinux_pidfd_open(pid_t pid);

/// Sends a signal through a pidfd. With `group`, it goes to the process group of that number (Linux 6.9, else EINVAL).
int clinux_pidfd_signal(int descriptor, int signal, int group);

/// Checks whether the child behind a pidfd has ended. Returns 1 when it has ended, 0 while it runs. `code` is the exit
/// code, or the negative number of the signal. Without `reap`, the child stays a zombie.
int clinux_pidfd_wait(int descriptor, int reap, int *code);

/// The exit code of a process that is not a child, after its parent has reaped it (Linux 6.15). Returns 1 when the code
/// is known, 0 when it is not known yet, -1 when this kernel does not report it.
int clinux_pidfd_exit_code(int descriptor, int *code);

int clinux_epoll_create(void);
int clinux_epoll_add(int epoll, int descriptor, uint64_t token);
int clinux_epoll_remove(int epoll, int descriptor);
/// Waits for events. Fills `tokens` with those of readable or hung-up descriptors and returns their number. -1
/// milliseconds waits without a limit.
int clinux_epoll_wait(int epoll, uint64_t *tokens, int capacity, int milliseconds);

int clinux_eventfd(int nonblocking);

int clinux_inotify_create(void);
/// Watches an open directory for writes to its files.
int clinux_inotify_watch(int inotify, int directory);
/// The most events that one call of clinux_inotify_read returns.
#define CLINUX_INOTIFY_EVENTS 256
/// Reads pending events into an array of watch numbers. A number may repeat; -1 means that events were lost. `capacity`
/// is at least CLINUX_INOTIFY_EVENTS.
int clinux_inotify_read(int inotify, int *watches, int capacity);
int clinux_inotify_unwatch(int inotify, int watch);

/// Gives a range of a file back to the file system and keeps the file's size.
int clinux_punch_hole(int descriptor, int64_t offset, int64_t length);

/// A non-blocking listener on 127.0.0.1 with a free port.
int clinux_loopback_listener(uint16_t *port);
int clinux_accept(int listener);
/// Sends without SIGPIPE and without blocking.
ssize_t clinux_send(int descriptor, const void *bytes, size_t count);

/// Opens or creates a regular file by a path below a directory (AT_FDCWD for the working directory). No part of the
/// path may be a link. The call never blocks: a FIFO, a socket, a device or a leased file is not opened. errno is
/// EINVAL when the path leads to anything but a regular file.
int clinux_open_regular(int directory, const char *path, int flags, mode_t mode);
/// Opens a directory below another one. The path must not contain links or lead into another mount.
int clinux_open_directory(int directory, const char *path);
/// Lets the owner of the directory `name` read, write and enter it. `name` must not be a link.
int clinux_allow_owner(int directory, const char *name);

/// The offset of the next bytes that are not in a hole, from an offset on; -1 with ENXIO when there are none.
int64_t clinux_seek_data(int descriptor, int64_t offset);
/// The offset of the next hole, from an offset on. The end of the file counts as a hole.
int64_t clinux_seek_hole(int descriptor, int64_t offset);

/// A pipe. Reading from its first end never blocks.
int clinux_pipe(int pair[2]);
/// Two connected stream sockets. A sender without a reader gets EPIPE and no SIGPIPE from clinux_send_descriptors.
int clinux_socket_pair(int pair[2]);
/// Sends bytes, and copies of descriptors with the first byte. Returns the number of bytes that were sent.
ssize_t clinux_send_descriptors(int socket, const void *bytes, size_t count, const int *descriptors, int number);
/// A file without a name that holds these bytes and that nobody can change.
int clinux_sealed_file(const void *bytes, size_t count);

/// Fills a buffer with random bytes.
int clinux_random(void *bytes, size_t count);

/// Names the calling thread.
void clinux_name_thread(const char *name);

/// Raises the limit of open files to the allowed limit, but at most to `most`. Returns the limit in force, or -1.
/// Processes that are launched afterwards get the limit that this process was started with.
long clinux_raise_open_files(long most);

// Returns free pages of the allocator to the system, also those between pages in use.
void clinux_return_free_memory(void);

#endif
