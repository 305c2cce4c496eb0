/* Proves that a frame without unwind table faults nobody: on a mapped stack between guard pages, code
 * without a table puts something that looks like a frame pointer into rbp, and calls a function that
 * keeps 1 of 10 blocks (70 bytes): 16 times, with an rbp that points to the last word of the stack, past its
 * end (no memory), below the stack pointer, to odd addresses, and outside any address space. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096, STACK = 64 * 1024 };

void *kept[16];
static int keeping;

void call_with(void *stack, uintptr_t rbp, void (*function)(void));
__asm__(".text\n"
        ".globl call_with\n"
        "call_with:\n"
        "  push %rbp\n"
        "  push %rbx\n"
        "  mov %rsp, %rbx\n"
        "  mov %rdi, %rsp\n"
        "  mov %rsi, %rbp\n"
        "  call *%rdx\n"
        "  mov %rbx, %rsp\n"
        "  pop %rbx\n"
        "  pop %rbp\n"
        "  ret\n");

__attribute__((noinline)) static void allocate(void) {
    void *blocks[10];
    for (int i = 0; i < 10; i++) blocks[i] = malloc(70);
    for (int i = 0; i < 9; i++) free(blocks[i]);
    kept[keeping++] = blocks[9];
}

int main(void) {
    char *guarded = mmap(NULL, STACK + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *stack = guarded + PAGE;
    if (guarded == MAP_FAILED || mprotect(stack, STACK, PROT_READ | PROT_WRITE) != 0) return 2;
    uintptr_t end = (uintptr_t)stack + STACK, low = (uintptr_t)stack;
    uintptr_t points[16] = {
        end - 8, end - 16, end, end + 8, end + PAGE - 8, end + PAGE, end - 1, end + 3,
        low, low - 8, low - PAGE, 0, 8, UINTPTR_MAX - 7, (uintptr_t)1 << 63, (uintptr_t)1 << 47,
    };
    for (int i = 0; i < 16; i++) call_with((void *)(end - 256), points[i], allocate);
    printf("kept=%d\n", keeping);
    return 0;
}
