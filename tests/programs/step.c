/* Proves that a signal may come at any instruction of the allocator and of whoever stands in for it. The
 * processor steps through `free(realloc(malloc(40), 300))` with a SIGTRAP after each instruction; in
 * each round the handler acts STRIDE instructions later, until that is beyond the last. `step ACTION STACK STRIDE`:
 *
 * above    the handler jumps out; then one block is kept from a frame further out
 * below    the same, kept from 60 calls further in than the call that was left
 * allocate the handler keeps one block, frees another and returns; then one is kept by main
 *
 * own, low, high: the handler runs on the thread's own stack, or on one that lies below or above it:
 * `low` and `high` run in a thread whose stack lies between the two.
 *
 * To be linked with jump_safe_malloc.c: glibc's own malloc cannot be left in the middle. 72 bytes: main's,
 * one per round; 555: the handler's, one per round; 556: freed by the handler. Of the block of 40 or 300
 * bytes that a jump leaves behind nobody knows. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { MOST = 40000, STACK = 1 << 20, TRAP_FLAG = 0x100 };

static sigjmp_buf back;
static volatile int left, jumping, acted;
static void *volatile given;
void *kept[MOST], *kept_by_handler[MOST];
static char *region;
static int where, depth, stride;

static void on_step(int signal_number, siginfo_t *about, void *context) {
    (void)signal_number, (void)about;
    if (--left > 0) return;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    if (left < 0) return;
    if (jumping) siglongjmp(back, 1);
    kept_by_handler[acted++] = malloc(555);
    free(given);
    given = NULL;
}

__attribute__((noinline)) static void *keep_at(int deeper) {
    void *block = deeper > 0 ? keep_at(deeper - 1) : malloc(72);
    __asm__ volatile("");
    return block;
}

/* Whether the k-th instruction came before the end. */
__attribute__((noinline)) static int step_at(int deeper, int k) {
    if (deeper > 0) {
        int reached = step_at(deeper - 1, k);
        __asm__ volatile("");
        return reached;
    }
    left = k;
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
    free(realloc(malloc(40), 300));
    __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
    return left <= 0;
}

static void *rounds(void *unused) {
    (void)unused;
    stack_t other = {.ss_sp = where < 0 ? region : region + 2 * STACK, .ss_size = STACK};
    if (where != 0 && sigaltstack(&other, NULL) != 0) abort();
    /* Whoever learns at the first call has learnt. */
    for (int i = 0; i < 3; i++) free(realloc(malloc(40), 300));
    volatile int round = 0, reached = 1;
    while (reached && round < MOST) {
        if (!jumping) given = malloc(556);
        if (sigsetjmp(back, 1) == 0) reached = step_at(1, 1 + stride * round);
        if (reached) kept[round++] = keep_at(depth);
    }
    free(given);
    void *last = malloc(73);
    free(malloc(40));
    printf("rounds=%d acted=%d\n", round, acted);
    return last;
}

int main(int count, char **arguments) {
    if (count != 4) return 2;
    stride = atoi(arguments[3]);
    jumping = strcmp(arguments[1], "allocate") != 0;
    depth = strcmp(arguments[1], "below") == 0 ? 80 : 0;
    where = strcmp(arguments[2], "low") == 0 ? -1 : strcmp(arguments[2], "high") == 0;
    region = mmap(NULL, 3 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) return 2;
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO | (where ? SA_ONSTACK : 0)};
    if (sigaction(SIGTRAP, &action, NULL) != 0) return 2;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, region + STACK, STACK);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, rounds, NULL) != 0) return 2;
    pthread_join(thread, NULL);
    return 0;
}
