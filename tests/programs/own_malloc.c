/* Proves that a program with an allocator of its own is recognised: it defines malloc and its kin
 * itself, which come before any preloaded library's. 1,000 blocks, none ever given back. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static _Alignas(16) unsigned char memory[1 << 20];
static size_t used;
static unsigned long calls;

void *malloc(size_t size) {
    size_t whole = ((size + 15) & ~(size_t)15) + 16;
    calls++;
    if (size > sizeof memory || whole > sizeof memory - used) return NULL;
    unsigned char *block = memory + used + 16;
    memcpy(block - 16, &size, sizeof size);
    used += whole;
    return block;
}

void free(void *block) { (void)block; }

void *calloc(size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size) return NULL;
    return malloc(count * size); /* fresh memory is zero */
}

void *realloc(void *block, size_t size) {
    void *fresh = malloc(size);
    size_t old = 0;
    if (block != NULL) memcpy(&old, (unsigned char *)block - 16, sizeof old);
    if (fresh != NULL && block != NULL) memcpy(fresh, block, old < size ? old : size);
    return fresh;
}

int main(void) {
    static char buffer[256];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    unsigned long before = calls;
    for (int i = 0; i < 1000; i++) free(malloc(100));
    printf("own_calls=%lu\n", calls - before);
    return 0;
}
