/* Proves that a use count gone wrong is seen. glibc aborts on a block that is still in its thread
 * cache when it is freed again, so both modes go round that (tried on 2.36), as accidents do:
 *
 * `twice`: the thread cache of the size is full, so the blocks go to a fastbin, where glibc looks
 *   at the top only. Two blocks are freed alternately 25 times each: 2 frees are right, 48 are of
 *   a block that nobody owns.
 * `alias`: an object of 2 users is released by the first once too often. Its address goes to a new
 *   owner, the second user releases what it takes for its own, the new owner writes to its block
 *   (which wipes glibc's mark of a freed block) and frees it: 50 times, in 50 sizes, a free of an
 *   address that was freed while somebody owned it.
 *
 * No size that was over-released is allocated again, so nothing is handed out twice. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char buffer[256];

/* The compiler must not see that these are the same block. */
__attribute__((noinline)) static void release(void *volatile block) { free(block); }

static int twice(void) {
    void *cached[7], *volatile a, *volatile b;
    for (int i = 0; i < 7; i++) cached[i] = malloc(56);
    a = malloc(56);
    b = malloc(56);
    for (int i = 0; i < 7; i++) free(cached[i]);
    for (int i = 0; i < 25; i++) {
        release(a);
        release(b);
    }
    printf("born=9 frees=57 over_released=48\n");
    return 0;
}

__attribute__((noinline)) static int alias(size_t size) {
    void *volatile object = malloc(size);
    uintptr_t address = (uintptr_t)object;
    release(object); /* the first user, once too often */
    void *volatile owned = malloc(size);
    int taken = (uintptr_t)owned == address;
    release((void *)address); /* the second user */
    memset(owned, 'x', size);
    release(owned); /* the new owner */
    return taken;
}

int main(int count, char **arguments) {
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    if (count > 1 && strcmp(arguments[1], "twice") == 0) return twice();
    int taken = 0;
    for (size_t size = 72; size < 72 + 50 * 16; size += 16) taken += alias(size);
    printf("born=100 frees=150 over_released=50 taken=%d\n", taken);
    return taken == 50 ? 0 : 4;
}
