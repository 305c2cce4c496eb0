/* Proves that a realloc that fails leaves the block as it was: 100 blocks of 80 bytes are asked to
 * become huge; every time NULL comes back. 50 of them are then freed, 50 stay with 80 bytes. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *blocks[100];
static size_t volatile huge = SIZE_MAX / 4, overflow = SIZE_MAX / 8;

int main(void) {
    int failed = 0, intact = 0;
    for (int i = 0; i < 100; i++) {
        blocks[i] = malloc(80);
        memset(blocks[i], i, 80);
        /* Another pointer, or the compiler takes the block for gone. */
        char *volatile block = blocks[i];
        failed += realloc(block, huge) == NULL;
        failed += reallocarray(block, overflow, 16) == NULL;
        intact += blocks[i][79] == (char)i;
    }
    for (int i = 0; i < 50; i++) free(blocks[i]);
    printf("failed=%d intact=%d born=100 freed=50 kept=50\n", failed, intact);
    return 0;
}
