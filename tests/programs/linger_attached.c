/* Something to attach to: says that it is up, then allocates, frees and keeps nothing, 120,000 times, with a pause of
 * MICROSECONDS (1,000) each. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **arguments) {
    useconds_t pause = count > 1 ? atoi(arguments[1]) : 1000;
    puts("up");
    fflush(stdout);
    for (int i = 0; i < 120000; i++) {
        void *volatile block = malloc(100 + i % 100);
        free(block);
        usleep(pause);
    }
    return 0;
}
