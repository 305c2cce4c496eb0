/* The plug-in of deepbind.c. */
#include <stdlib.h>

static void *own[10];

void *give(void) { return malloc(48); }

/* Frees these, and allocates as many as are to be kept for ever; if none, 10 until the next call. */
void take(void **blocks, int count, int keep) {
    for (int i = 0; i < 10; i++) {
        free(own[i]);
        own[i] = NULL;
    }
    for (int i = 0; i < count; i++) free(blocks[i]);
    if (count == 0) return;
    for (int i = 0; i < keep; i++) blocks[i] = malloc(80);
    for (int i = 0; i < 10 && keep == 0; i++) own[i] = malloc(80);
}
