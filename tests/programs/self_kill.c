/* Proves that all that was done until a SIGKILL is seen: four threads keep 5,000 blocks (61 bytes) of 10,000 each and
 * wait; then main keeps one more (62 bytes), and the next thing it does is to kill itself. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 4, BLOCKS = 10000 };

void *kept[THREADS][BLOCKS], *last;
static pthread_barrier_t done;

static void *work(void *mine) {
    void **keep = mine;
    for (int i = 0; i < BLOCKS; i++) keep[i] = malloc(61);
    for (int i = 0; i < BLOCKS; i += 2) free(keep[i]);
    pthread_barrier_wait(&done);
    pause();
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&done, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, kept[i]);
    pthread_barrier_wait(&done);
    last = malloc(62);
    kill(getpid(), SIGKILL);
    return 2;
}
