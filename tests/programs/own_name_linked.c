/* Proves that it is found who frees by an allocator's own name: blocks of 80 bytes, allocated by malloc, are
 * freed by RELEASE, which the compiler is told and the loader binds like any other function. Nothing stays.
 * `own_name_linked ROUNDS PAUSE`, PAUSE microseconds between rounds, of 100 blocks each. RELEASE may take
 * flags: it is given 0. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { AT_ONCE = 100 };

void RELEASE(void *block, int flags);

int main(int count, char **arguments) {
    if (count != 3) return 2;
    int rounds = atoi(arguments[1]), pause = atoi(arguments[2]);
    for (int i = 0; i < rounds; i++) {
        void *blocks[AT_ONCE];
        for (int n = 0; n < AT_ONCE; n++) blocks[n] = malloc(80);
        for (int n = 0; n < AT_ONCE; n++) RELEASE(blocks[n], 0);
        usleep((useconds_t)pause);
    }
    printf("rounds=%d\n", rounds);
    return 0;
}
