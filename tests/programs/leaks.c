/* Proves what a screen shows of a program while it runs: it keeps 611 bytes of every message, one a millisecond,
 * and frees the rest. It ends after as many messages as the first argument says, or on SIGTERM. With a
 * second argument it writes TORN to standard output and error again and again, which must not tear the screen. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t stopped = 0;

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

__attribute__((noinline)) static void *keep_message(void) {
    void *block = malloc(611);
    if (block != NULL) memset(block, 1, 611);
    return block;
}

__attribute__((noinline)) static void deliver(void) {
    free(malloc(100));
    keep_message();
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    signal(SIGTERM, stop);
    long messages = atol(arguments[1]);
    long n = 0;
    for (; n < messages && !stopped; n++) {
        deliver();
        if (count > 2 && n % 100 == 0) {
            puts("TORN");
            fflush(stdout);
            fputs("TORN\n", stderr);
        }
        struct timespec millisecond = {0, 1000 * 1000};
        nanosleep(&millisecond, NULL);
    }
    printf("kept=%ld\n", n);
    return 0;
}
