/* What reload.c loads, built twice with other names: ENTRY allocates 10 blocks through ALLOCATE and
 * frees 9 of them. */
#include <stdlib.h>

__attribute__((noinline)) void *ALLOCATE(size_t size) {
    void *block = malloc(size);
    __asm__ volatile("" : "+r"(block));
    return block;
}

void ENTRY(void) {
    void *blocks[10];
    for (int i = 0; i < 10; i++) blocks[i] = ALLOCATE(200 + i);
    for (int i = 0; i < 9; i++) free(blocks[i]);
}
