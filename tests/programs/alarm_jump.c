/* Proves that a timer's handler may jump over frames that allocated: 50 times, qsort is left from
 * its comparison function, which has allocated a block it keeps, by siglongjmp out of a SIGALRM
 * handler; qsort's own array is lost with it (2,000 x 8 bytes: glibc 2.36 sorts in allocated
 * memory). 50 blocks are kept, 50 are lost in libc, 50 are kept after the jumps. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

static sigjmp_buf back;
static volatile sig_atomic_t armed;
static long numbers[2000];
void *kept[100];
static int keeping;

static void leave(int signal_number) {
    (void)signal_number;
    if (!armed) return;
    armed = 0;
    siglongjmp(back, 1);
}

static int compare(const void *a, const void *b) {
    kept[keeping++] = malloc(40);
    struct itimerval soon = {{0, 1000}, {0, 1000}};
    armed = 1;
    setitimer(ITIMER_REAL, &soon, NULL);
    while (armed) { }
    return *(const long *)a < *(const long *)b;
}

int main(void) {
    volatile int jumps = 0;
    signal(SIGALRM, leave);
    for (volatile int i = 0; i < 50; i++) {
        if (sigsetjmp(back, 1) == 0) {
            qsort(numbers, 2000, sizeof numbers[0], compare);
            return 4;
        }
        jumps++;
        kept[keeping++] = malloc(41);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    printf("jumps=%d kept=%d\n", jumps, keeping);
    return 0;
}
