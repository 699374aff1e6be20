#ifndef CINIT_H
#define CINIT_H

// A program that links this code can be the first process of a container (PID 1) or a child subreaper. In that
// case it splits in two before any of its other code runs. The second process is the program. The first process gives
// its memory back, forwards signals, and reaps the children of processes that have ended before them. It exits with the
// status of the program. Only the program waits for its own children.

#endif
