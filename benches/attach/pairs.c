/* Allocates and frees, 10,000 times each for every line that it is given, and writes the processor time of one pair, in
 * nanoseconds. `attach_pairs DEPTH`: always from one place, below so many calls. `attach_pairs DEPTH sites`: from 1,024
 * stacks of that depth in turn, while 50,000 blocks live. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PAIRS = 10000, SITES = 1024, LIVE = 50000 };

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

static void *blocks[LIVE];

/* Each bit of the site chooses one of two calls. */
__attribute__((noinline)) static void *walk(int depth, unsigned site, size_t size) {
    void *block;
    if (depth == 0)
        block = malloc(size);
    else if (site & 1)
        block = walk(depth - 1, site >> 1, size);
    else
        block = walk(depth - 1, site >> 1, size + 16);
    __asm__ volatile("");
    return block;
}

static void replace(int depth) {
    static unsigned next = 1;
    for (int i = 0; i < PAIRS; i++) {
        next = next * 1103515245u + 12345u;
        void **block = &blocks[(next >> 8) % LIVE];
        free(*block);
        *block = walk(depth, (next >> 4) % SITES, 16);
    }
}

int main(int count, char **arguments) {
    int depth = count > 1 ? atoi(arguments[1]) : 0;
    for (int i = 0; i < LIVE; i++) blocks[i] = malloc(16);
    while (getchar() == '\n') {
        double began = now();
        if (count > 2)
            replace(depth);
        else
            down(depth);
        printf("%.0f\n", (now() - began) / PAIRS);
        fflush(stdout);
    }
}
