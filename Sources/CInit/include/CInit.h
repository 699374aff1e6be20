#ifndef CINIT_H
#define CINIT_H

// A program that this is linked into can be the first process of a container, PID 1, or a child subreaper: before anything
// else of it runs, it then splits in two. The first process gives its memory back, hands signals on and reaps the
// children of processes that have ended before them; it leaves with the status of the second, which is the program, and whose own
// children nobody else waits for.

#endif
