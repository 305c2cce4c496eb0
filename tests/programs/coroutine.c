/* Proves that the stack of a coroutine is not read past its end: it lies below a guard page, and its
 * outermost frame returns to a function that was never called, as hand-made ones do. 1 block of 50
 * bytes stays, allocated in the coroutine. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096, STACK = 64 * 1024, SAVED = 6 };

static void *main_stack, *coroutine_stack;
void *kept;

void switch_stack(void **save, void *to);
__asm__(".text\n"
        ".globl switch_stack\n"
        "switch_stack:\n"
        "  push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
        "  mov %rsp, (%rdi)\n"
        "  mov %rsi, %rsp\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
        "  ret\n");

__attribute__((noinline)) static void finished(void) { abort(); }

__attribute__((noinline)) static void coroutine(void) {
    free(malloc(40));
    kept = malloc(50);
    switch_stack(&coroutine_stack, main_stack);
}

int main(void) {
    char *guarded = mmap(NULL, STACK + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guarded == MAP_FAILED || mprotect(guarded + PAGE, STACK, PROT_READ | PROT_WRITE) != 0) return 2;
    void **top = (void **)(guarded + PAGE + STACK);
    *--top = (void *)finished;
    *--top = (void *)coroutine;
    for (int i = 0; i < SAVED; i++) *--top = NULL;
    switch_stack(&main_stack, top);
    printf("born=2 freed=1 kept=1\n");
    return 0;
}
