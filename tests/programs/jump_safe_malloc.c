/* An allocator that may be left anywhere, by a jump or for a signal handler that calls it: no locks, and
 * every change is one atomic step, so that at most one block is lost. glibc's cannot do that: programs
 * that leave it in the middle are wrong without any tracer. Programs link this library as their malloc.
 * Freed blocks wait in a few places per size and are handed out again. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER = 16, LEAST = 5, CLASSES = 12, PLACES = 16 };

static const size_t ROOM = (size_t)1 << 32;
static _Atomic(char *) arena;
static atomic_size_t used;
static _Atomic(char *) waiting[CLASSES][PLACES];

static char *begin(void) {
    char *here = atomic_load(&arena);
    if (here != NULL) return here;
    char *made = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED) abort();
    if (atomic_compare_exchange_strong(&arena, &here, made)) return made;
    munmap(made, ROOM);
    return here;
}

/* Where a block's size lies: right before it. */
static size_t *size_of(void *block) { return (size_t *)((char *)block - sizeof(size_t)); }

static int class_of(size_t size) {
    int class = 0;
    while (class < CLASSES && (size_t)1 << (LEAST + class) < size) class++;
    return class;
}

static void *allocate(size_t alignment, size_t size) {
    if (size > ROOM / 16) return errno = ENOMEM, NULL;
    int class = class_of(size);
    if (class < CLASSES && alignment <= 16) {
        size = (size_t)1 << (LEAST + class);
        for (int i = 0; i < PLACES; i++) {
            char *block = atomic_exchange(&waiting[class][i], NULL);
            if (block != NULL) return block;
        }
    }
    size_t whole = (size + HEADER + alignment + 15) & ~(size_t)15;
    size_t at = atomic_fetch_add(&used, whole);
    if (at + whole > ROOM) return errno = ENOMEM, NULL;
    uintptr_t block = ((uintptr_t)begin() + at + HEADER + alignment - 1) & ~(uintptr_t)(alignment - 1);
    *size_of((void *)block) = size;
    return (void *)block;
}

void *malloc(size_t size) { return allocate(16, size); }

void free(void *block) {
    if (block == NULL) return;
    int class = class_of(*size_of(block));
    for (int i = 0; class < CLASSES && i < PLACES; i++) {
        char *nothing = NULL;
        if (atomic_compare_exchange_strong(&waiting[class][i], &nothing, block)) return;
    }
}

void *calloc(size_t count, size_t size) {
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole)) return errno = ENOMEM, NULL;
    void *block = allocate(16, whole);
    return block == NULL ? NULL : memset(block, 0, whole);
}

void *realloc(void *block, size_t size) {
    if (block == NULL) return allocate(16, size);
    if (*size_of(block) >= size) return block;
    void *moved = allocate(16, size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, *size_of(block));
    free(block);
    return moved;
}

void *memalign(size_t alignment, size_t size) { return allocate(alignment < 16 ? 16 : alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    *block = memalign(alignment, size);
    return *block == NULL ? ENOMEM : 0;
}
