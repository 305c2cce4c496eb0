/* Allocates and frees more than any buffer holds, so that a tracer that cannot read meanwhile loses
 * some of it: every block is freed once, whatever the tracer sees. With an argument it stops its
 * parent, the tracer, for half of the time. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PLACES = 1024, BLOCKS = 1000000 };

int main(int count, char **arguments) {
    (void)arguments;
    static void *held[PLACES];
    unsigned random = 1;
    for (int i = 0; i < BLOCKS; i++) {
        if (count > 1 && i == BLOCKS / 4) kill(getppid(), SIGSTOP);
        if (count > 1 && i == BLOCKS / 4 * 3) kill(getppid(), SIGCONT);
        random = random * 1103515245u + 12345u;
        void **place = &held[random >> 16 & (PLACES - 1)];
        free(*place);
        *place = malloc(16 + (random >> 8 & 255));
    }
    for (int i = 0; i < PLACES; i++) free(held[i]);
    printf("born=%d freed=%d\n", BLOCKS, BLOCKS);
    return 0;
}
