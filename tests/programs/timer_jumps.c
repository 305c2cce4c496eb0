/* Proves that thousands of jumps out of a timer's handler, many of them out of the middle of the
 * allocator, leave nothing set: two threads, 1,500 jumps each. After each jump a thread keeps one block
 * (72 bytes) from a frame further out than the calls that were left; when all is over main keeps 200 of 73
 * and each thread 200 of 74. To be linked with jump_safe_malloc.c: glibc's own cannot be left. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2, JUMPS = 1500, LAST = 200 };

static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t armed;
void *kept[THREADS + 1][JUMPS + LAST];

static void leave(int signal_number) {
    (void)signal_number;
    if (!armed) return;
    armed = 0;
    siglongjmp(back, 1);
}

__attribute__((noinline)) static void churn_at(int deeper) {
    if (deeper > 0) {
        churn_at(deeper - 1);
        __asm__ volatile("");
        return;
    }
    free(realloc(malloc(40), 300));
    /* So that a tracer's buffer holds all of it. */
    for (volatile int i = 0; i < 2000; i++) { }
}

static void *jump(void *mine) {
    void **keep = mine;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    timer_t timer;
    struct itimerspec often = {{0, 50000}, {0, 50000}}, never = {{0, 0}, {0, 0}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) abort();
    timer_settime(timer, 0, &often, NULL);
    for (volatile int i = 0; i < JUMPS; i++) {
        if (sigsetjmp(back, 1) == 0) {
            armed = 1;
            for (;;) churn_at(20);
        }
        keep[i] = malloc(72);
    }
    timer_settime(timer, 0, &never, NULL);
    for (int i = 0; i < LAST; i++) keep[JUMPS + i] = malloc(74);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    signal(SIGUSR1, leave);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, jump, kept[i]);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < LAST; i++) kept[THREADS][i] = malloc(73);
    printf("jumps=%d kept=%d\n", THREADS * JUMPS, THREADS * JUMPS + (THREADS + 1) * LAST);
    return 0;
}
