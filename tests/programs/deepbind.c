/* Proves that nobody is accused of what was not seen. The plug-in (deepbind_plugin.c) is loaded with
 * RTLD_DEEPBIND: its calls of malloc and free go to the C library, past any tracer. `deepbind PLUGIN WHAT
 * ROUNDS PAUSE`, PAUSE microseconds between rounds:
 *
 * gives  nothing stays: the plug-in allocates, main frees: a block of 48 bytes each round, and main's own of that
 *        size in between, so that the same addresses come from both
 * takes  main allocates (100 blocks of 80 bytes at a time), the plug-in frees all of them and keeps 10 of its
 *        own at the same addresses, which it frees the round after: nothing stays
 * leaks  the same, but the plug-in never frees its 10: a leak of nobody who was seen to allocate
 * swaps  the same with as many as it freed: no address ever comes back
 * keeps  main keeps 5 blocks of 80 bytes each round; the plug-in is loaded, and not called
 *
 * In `leaks` and `keeps` the plug-in's calls are bound when they are first made. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AT_ONCE = 100 };

int main(int count, char **arguments) {
    if (count != 5) return 2;
    int keeps = strcmp(arguments[2], "keeps") == 0, leaks = strcmp(arguments[2], "leaks") == 0;
    int when = keeps || leaks ? RTLD_LAZY : RTLD_NOW;
    void *library = dlopen(arguments[1], when | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == NULL) return 2;
    void *(*give)(void) = (void *(*)(void))dlsym(library, "give");
    void (*take)(void **, int, int) = (void (*)(void **, int, int))dlsym(library, "take");
    if (!keeps && (give == NULL || take == NULL)) return 2;
    int gives = strcmp(arguments[2], "gives") == 0, swaps = strcmp(arguments[2], "swaps") == 0;
    int keep = swaps ? AT_ONCE : leaks ? 10 : 0;
    int rounds = atoi(arguments[3]), pause = atoi(arguments[4]);
    void *volatile kept = NULL;
    for (int i = 0; i < rounds; i++) {
        if (keeps) {
            for (int n = 0; n < 5; n++) {
                void **block = malloc(80);
                if (block == NULL) return 2;
                *block = kept;
                kept = block;
            }
            free(malloc(48));
        } else if (gives) {
            void *theirs = give();
            free(theirs);
            free(malloc(48));
        } else {
            void *blocks[AT_ONCE];
            for (int n = 0; n < AT_ONCE; n++) blocks[n] = malloc(80);
            take(blocks, AT_ONCE, keep);
        }
        if (pause > 0) usleep((useconds_t)pause);
    }
    if (!keeps) take(NULL, 0, keep);
    printf("rounds=%d\n", rounds);
    return 0;
}
