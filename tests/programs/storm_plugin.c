/* A plug-in of storm.c. */
#include <stdlib.h>

static int calls;
/* A block that stays is reachable from nowhere once the plug-in is gone. */
static void *volatile stays;

__attribute__((noinline)) static void allocate(size_t size) {
    void *blocks[10];
    for (int i = 0; i < 10; i++) blocks[i] = malloc(size);
    for (int i = 0; i < 9; i++) free(blocks[i]);
    stays = blocks[9];
}

__attribute__((constructor)) static void construct(void) { allocate(333); }

int entry(void) {
    allocate(337);
    return ++calls;
}
