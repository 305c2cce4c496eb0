/* Proves that coroutines of both kinds are followed: 100 made by makecontext, 100 by a hand-written switch
 * whose outermost frame has no caller at all; all on mapped stacks between guard pages. They take
 * turns for 20 rounds: each allocates 5 blocks before it yields; after it, the next coroutine has
 * freed 2 of these, and it frees 2 itself. The first 10 rounds run on one
 * thread, the rest on another. 1 stays per round: 2,000 of 130 bytes (makecontext), 2,000 of 140 bytes. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { EACH = 100, ROUNDS = 20, PAGE = 4096, STACK = 64 * 1024, SAVED = 6 };

struct coroutine {
    ucontext_t context, *caller;
    void *sp, **caller_sp;
    void *blocks[5];
};

static struct coroutine all[2 * EACH];
void *kept[2 * EACH * ROUNDS];
static int keeping;

void switch_stacks(void **save, void *to);
__asm__(".text\n"
        ".globl switch_stacks\n"
        "switch_stacks:\n"
        "  push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
        "  mov %rsp, (%rdi)\n"
        "  mov %rsi, %rsp\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
        "  ret\n");

__attribute__((noinline)) static void yield_from(int n) {
    if (n < EACH) swapcontext(&all[n].context, all[n].caller);
    else switch_stacks(&all[n].sp, *all[n].caller_sp);
    __asm__ volatile("");
}

__attribute__((noinline)) static void work(int n) {
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 5; i++) all[n].blocks[i] = malloc(n < EACH ? 130 : 140);
        int next = (n + 1) % (2 * EACH);
        for (int i = 0; i < 2; i++) {
            free(all[next].blocks[i]);
            all[next].blocks[i] = NULL;
        }
        yield_from(n);
        for (int i = 0; i < 4; i++) free(all[n].blocks[i]);
        kept[keeping++] = all[n].blocks[4];
        for (int i = 0; i < 5; i++) all[n].blocks[i] = NULL;
    }
}

static void by_context(int n) {
    work(n);
    yield_from(n);
}

static int starting;

static void by_hand(void) {
    int n = starting;
    work(n);
    yield_from(n);
    abort();
}

static void make(int n) {
    char *guarded = mmap(NULL, STACK + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *stack = guarded + PAGE;
    if (guarded == MAP_FAILED || mprotect(stack, STACK, PROT_READ | PROT_WRITE) != 0) abort();
    if (n < EACH) {
        getcontext(&all[n].context);
        all[n].context.uc_stack.ss_sp = stack;
        all[n].context.uc_stack.ss_size = STACK;
        makecontext(&all[n].context, (void (*)(void))by_context, 1, n);
        return;
    }
    void **top = (void **)(stack + STACK);
    *--top = NULL;
    *--top = (void *)by_hand;
    for (int i = 0; i < SAVED; i++) *--top = NULL;
    all[n].sp = top;
}

static void resume(int n) {
    if (n < EACH) {
        ucontext_t here;
        all[n].caller = &here;
        swapcontext(&here, &all[n].context);
        return;
    }
    void *here;
    all[n].caller_sp = &here;
    starting = n;
    switch_stacks(&here, all[n].sp);
}

static void *run(void *rounds) {
    for (intptr_t round = 0; round < (intptr_t)rounds; round++)
        for (int n = 0; n < 2 * EACH; n++) resume(n);
    return NULL;
}

int main(void) {
    for (int n = 0; n < 2 * EACH; n++) make(n);
    pthread_t thread;
    pthread_create(&thread, NULL, run, (void *)10);
    pthread_join(thread, NULL);
    run((void *)(ROUNDS - 10 + 1));
    printf("kept=%d\n", keeping);
    return 0;
}
