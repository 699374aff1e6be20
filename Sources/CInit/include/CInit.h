#ifndef CINIT_H
#define CINIT_H

// A program that this is linked into can be the first process of a container, PID 1, or a child subreaper: before anything
// else of it runs, it then splits in two. The first process hands signals on and reaps whatever is left to it by processes
// that have ended before their children; it leaves with the status of the second, which is the program, and whose own
// children nobody else waits for.

#endif
