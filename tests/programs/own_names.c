/* Proves that nobody is accused where an allocator is also called by names of its own, which no tracer
 * sees: `own_names ALLOCATE FREE WHAT ROUNDS PAUSE`, linked with the allocator; PAUSE microseconds between
 * rounds, in each of which 100 blocks of 80 bytes come and go. Nothing stays.
 *
 * freed      allocated by malloc, freed by FREE
 * allocated  allocated by ALLOCATE, freed by free; and one each by malloc and free
 *
 * ALLOCATE and FREE may take flags: they are given 0. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AT_ONCE = 100, SIZE = 80 };

int main(int count, char **arguments) {
    if (count != 6) return 2;
    void *(*allocate)(size_t, int) = (void *(*)(size_t, int))dlsym(RTLD_DEFAULT, arguments[1]);
    void (*release)(void *, int) = (void (*)(void *, int))dlsym(RTLD_DEFAULT, arguments[2]);
    if (allocate == NULL || release == NULL) return 2;
    int freed = strcmp(arguments[3], "freed") == 0, rounds = atoi(arguments[4]), pause = atoi(arguments[5]);
    for (int i = 0; i < rounds; i++) {
        void *blocks[AT_ONCE];
        for (int n = 0; n < AT_ONCE; n++) blocks[n] = freed ? malloc(SIZE) : allocate(SIZE, 0);
        for (int n = 0; n < AT_ONCE; n++) {
            if (freed) release(blocks[n], 0);
            else free(blocks[n]);
        }
        if (!freed) free(malloc(SIZE));
        if (pause > 0) usleep((useconds_t)pause);
    }
    printf("rounds=%d\n", rounds);
    return 0;
}
