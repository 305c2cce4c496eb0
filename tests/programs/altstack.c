/* Proves that allocations on an alternate signal stack are seen and end nothing early: 50 times a
 * handler that runs there keeps 1 of 10 blocks, and so does main after it. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static char other_stack[256 * 1024];
void *kept[100];
static volatile int keeping, elsewhere;

__attribute__((noinline)) static void allocate(size_t size) {
    void *blocks[10];
    for (int i = 0; i < 10; i++) blocks[i] = malloc(size);
    for (int i = 0; i < 9; i++) free(blocks[i]);
    kept[keeping++] = blocks[9];
}

__attribute__((noinline)) static void on_signal(int signal_number) {
    char here;
    elsewhere += &here > other_stack && &here < other_stack + sizeof other_stack;
    allocate(90 + (size_t)signal_number);
}

int main(void) {
    stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0) return 2;
    for (int i = 0; i < 50; i++) {
        raise(SIGUSR1);
        allocate(60);
    }
    printf("born=1000 freed=900 kept=%d elsewhere=%d\n", keeping, elsewhere);
    return 0;
}
