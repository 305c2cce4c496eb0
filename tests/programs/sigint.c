/* Proves that Ctrl-C is the program's own affair. `sigint handle` exits with 7 on the first SIGINT;
 * `sigint ignore` ignores it, says so on SIGTERM and exits with 0. Allocates meanwhile. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **arguments) {
    int ignore = count > 1 && strcmp(arguments[1], "ignore") == 0;
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    if (ignore) signal(SIGINT, SIG_IGN);
    else sigaddset(&wanted, SIGINT);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    puts("ready");
    fflush(stdout);
    for (;;) {
        free(malloc(512));
        struct timespec slice = {0, 5000000};
        int signal_number = sigtimedwait(&wanted, NULL, &slice);
        if (signal_number < 0) continue;
        printf("signal=%d\n", signal_number);
        return signal_number == SIGINT ? 7 : 0;
    }
}
