/* Proves that a jump out of the allocator leaves nothing set behind. 100 times each, free and
 * realloc are given an address whose header page cannot be read: glibc faults on its first look,
 * before it changes or locks anything, and the SIGSEGV handler jumps out of it. After each jump one
 * block is kept. `sigjump above`: allocated in a frame further out than the call that was left;
 * `sigjump below`: 60 calls further in, where a saved stack pointer alone cannot tell it from a
 * nested call. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int jumps;
void *kept[200];

static void leave(int signal_number) {
    (void)signal_number;
    jumps++;
    siglongjmp(back, 1);
}

__attribute__((noinline)) static void keep_at(int depth, int which) {
    if (depth > 0) {
        keep_at(depth - 1, which);
        __asm__ volatile("");
        return;
    }
    kept[which] = malloc(72);
}

__attribute__((noinline)) static void fault_at(int depth, void *volatile bad, int by_realloc) {
    if (depth > 0) {
        fault_at(depth - 1, bad, by_realloc);
        __asm__ volatile("");
        return;
    }
    if (by_realloc) kept[0] = realloc(bad, 100);
    else free(bad);
}

int main(int count, char **arguments) {
    int below = count > 1 && strcmp(arguments[1], "below") == 0;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages, page, PROT_NONE) != 0) return 2;
    signal(SIGSEGV, leave);
    for (volatile int i = 0; i < 200; i++) {
        if (sigsetjmp(back, 1) == 0) {
            fault_at(20, pages + page, i % 2);
            return 4;
        }
        keep_at(below ? 80 : 0, i);
    }
    printf("jumps=%d kept=200\n", jumps);
    return 0;
}
