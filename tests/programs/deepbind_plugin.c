/* The plug-in of deepbind.c. */
#include <stdlib.h>

static void *own[10];

void *give(void) { return malloc(48); }

void take(void **blocks, int count, int leaks) {
    for (int i = 0; i < 10; i++) {
        if (!leaks) free(own[i]);
        own[i] = NULL;
    }
    for (int i = 0; i < count; i++) free(blocks[i]);
    for (int i = 0; i < 10 && count > 0; i++) own[i] = malloc(80);
}
