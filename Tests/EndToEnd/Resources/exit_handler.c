#include <unistd.h>

__attribute__((destructor)) static void run_at_exit(void) {
    ssize_t count = write(2, "an exit handler ran\n", 20);
    (void)count;
}
