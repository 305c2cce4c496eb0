/* Pairs of malloc and free, 10,000 at a time, below so many calls as the argument says: writes the processor time of
 * one, in nanoseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PAIRS = 10000 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

__attribute__((noinline)) static void down(int depth) {
    if (depth > 0) {
        down(depth - 1);
        __asm__ volatile("");
        return;
    }
    for (int i = 0; i < PAIRS; i++) {
        void *volatile block = malloc(32);
        free(block);
    }
    __asm__ volatile("");
}

int main(int count, char **arguments) {
    int depth = count > 1 ? atoi(arguments[1]) : 0;
    for (;;) {
        double began = now();
        down(depth);
        printf("%.0f\n", (now() - began) / PAIRS);
        fflush(stdout);
    }
}
