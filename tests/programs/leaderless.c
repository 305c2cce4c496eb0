/* Proves that a process is traced after its first thread has left: to the system it then looks like
 * a zombie. The second thread allocates 10,000 blocks before and 10,000 after, and keeps 1 in 100; in between
 * it waits for as many milliseconds as the first argument says. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 2, BLOCKS = 10000 };

void *kept[ROUNDS * BLOCKS / 100];
static pthread_t first;
static int pause_ms;

static void *run(void *unused) {
    (void)unused;
    int count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            void *block = malloc(48);
            if (i % 100 == 0) kept[count++] = block;
            else free(block);
        }
        if (round == 0) {
            pthread_join(first, NULL);
            usleep(pause_ms * 1000);
        }
    }
    printf("born=%d kept=%d\n", ROUNDS * BLOCKS, count);
    exit(0);
}

int main(int count, char **arguments) {
    if (count > 1) pause_ms = atoi(arguments[1]);
    pthread_t second;
    first = pthread_self();
    if (pthread_create(&second, NULL, run, NULL) != 0) return 2;
    pthread_exit(NULL);
}
