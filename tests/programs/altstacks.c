/* Proves that handlers may allocate on an alternate stack, wherever it lies: in a thread whose own
 * stack lies between two others, 200 signals each are handled on the one below and on the one above. Each
 * handler keeps 1 of 10 blocks (100 bytes below, 110 above), raises another signal that is handled on
 * the same stack and keeps 1 of 10 (120), and the thread keeps 1 of 10 (60) after it. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { STACK = 1 << 18, TIMES = 200 };

static char *region;
void *kept[6 * TIMES];
static volatile int keeping, elsewhere;
static volatile size_t size_there;

__attribute__((noinline)) static void allocate(size_t size) {
    void *blocks[10];
    for (int i = 0; i < 10; i++) blocks[i] = malloc(size);
    for (int i = 0; i < 9; i++) free(blocks[i]);
    kept[keeping++] = blocks[9];
}

static void on_second(int signal_number) {
    (void)signal_number;
    allocate(120);
}

static void on_first(int signal_number) {
    (void)signal_number;
    char here;
    elsewhere += &here < region + STACK || &here >= region + 2 * STACK;
    allocate(size_there);
    raise(SIGUSR2);
}

static void on(char *stack_here, size_t size) {
    stack_t stack = {.ss_sp = stack_here, .ss_size = STACK};
    if (sigaltstack(&stack, NULL) != 0) abort();
    size_there = size;
    for (int i = 0; i < TIMES; i++) {
        raise(SIGUSR1);
        allocate(60);
    }
}

static void *both(void *unused) {
    (void)unused;
    on(region, 100);
    on(region + 2 * STACK, 110);
    return NULL;
}

int main(void) {
    region = mmap(NULL, 3 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) return 2;
    struct sigaction first = {.sa_handler = on_first, .sa_flags = SA_ONSTACK};
    struct sigaction second = {.sa_handler = on_second, .sa_flags = SA_ONSTACK};
    if (sigaction(SIGUSR1, &first, NULL) != 0 || sigaction(SIGUSR2, &second, NULL) != 0) return 2;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, region + STACK, STACK);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, both, NULL) != 0) return 2;
    pthread_join(thread, NULL);
    printf("kept=%d elsewhere=%d\n", keeping, elsewhere);
    return 0;
}
