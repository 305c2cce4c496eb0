/* What late.c loads. */
#include <stdlib.h>

void *kept[1024];
static int keeping;

void keep(void) {
    kept[keeping++] = malloc(73);
    __asm__ volatile("");
}
