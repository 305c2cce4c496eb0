/* Proves that every allocating function of C is seen: each is called 10 times and 1 block of each
 * stays, allocated in a function named after it. realloc is called three ways: 10 times as malloc
 * (all grown later), 10 times growing in size 100 -> 5,000, 10 times as free (realloc(p, 0)). */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALLS = 10 };
void *kept[16];
static int keeping;

/* Frees all but the last; keeps that. */
static void finish(void **blocks) {
    for (int i = 0; i < CALLS - 1; i++) free(blocks[i]);
    kept[keeping++] = blocks[CALLS - 1];
}

#define TRY(name, call)                                      \
    static __attribute__((noinline)) void by_##name(void) {  \
        void *blocks[CALLS];                                 \
        for (int i = 0; i < CALLS; i++) {                    \
            blocks[i] = NULL;                                \
            call;                                            \
            if (blocks[i] == NULL) abort();                  \
        }                                                    \
        finish(blocks);                                      \
    }

TRY(malloc, blocks[i] = malloc(111))
TRY(calloc, blocks[i] = calloc(3, 37))
TRY(reallocarray, blocks[i] = reallocarray(NULL, 3, 41))
TRY(posix_memalign, if (posix_memalign(&blocks[i], 256, 123) != 0) abort())
TRY(aligned_alloc, blocks[i] = aligned_alloc(128, 384))
TRY(memalign, blocks[i] = memalign(512, 99))
TRY(valloc, blocks[i] = valloc(77))
TRY(pvalloc, blocks[i] = pvalloc(88))

static __attribute__((noinline)) void by_realloc(void) {
    void *blocks[CALLS];
    for (int i = 0; i < CALLS; i++) blocks[i] = realloc(NULL, 100);
    for (int i = 0; i < CALLS; i++) blocks[i] = realloc(blocks[i], 5000);
    finish(blocks);
}

static __attribute__((noinline)) void by_realloc_to_nothing(void) {
    for (int i = 0; i < CALLS; i++) {
        void *block = malloc(60);
        /* glibc frees and returns NULL. */
        if (realloc(block, 0) != NULL) abort();
    }
}

int main(void) {
    by_malloc(), by_calloc(), by_reallocarray(), by_posix_memalign(), by_aligned_alloc();
    by_memalign(), by_valloc(), by_pvalloc(), by_realloc(), by_realloc_to_nothing();
    free(NULL);
    /* Blocks born: 9 functions x 10 (a realloc of one is not another) + 10 for realloc(p, 0). */
    printf("born=100 freed=91 kept=%d calls_realloc=30\n", keeping);
    return 0;
}
