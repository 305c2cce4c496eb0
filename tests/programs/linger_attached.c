/* Something to attach to: says that it is up, then allocates, frees and keeps nothing for two minutes. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void) {
    puts("up");
    fflush(stdout);
    for (int i = 0; i < 120000; i++) {
        void *volatile block = malloc(100 + i % 100);
        free(block);
        usleep(1000);
    }
    return 0;
}
