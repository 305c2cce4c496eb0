/* Allocates and frees as fast as it can, so that a tracer loses some of it: every block is freed
 * once, whatever the tracer sees. */
#include <stdio.h>
#include <stdlib.h>

enum { PLACES = 1024, BLOCKS = 1000000 };

int main(void) {
    static void *held[PLACES];
    unsigned random = 1;
    for (int i = 0; i < BLOCKS; i++) {
        random = random * 1103515245u + 12345u;
        void **place = &held[random >> 16 & (PLACES - 1)];
        free(*place);
        *place = malloc(16 + (random >> 8 & 255));
    }
    for (int i = 0; i < PLACES; i++) free(held[i]);
    printf("born=%d freed=%d\n", BLOCKS, BLOCKS);
    return 0;
}
