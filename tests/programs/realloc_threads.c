/* Proves that a realloc may move a block across threads while others take the address it leaves:
 * one block goes round 4 threads 2,000 times and changes its size each time, while the threads
 * replace 4 blocks each of the same sizes in the same arena. 1 block stays; prints how often it
 * moved, which depends on the threads' race; exits with 4 if never. */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 2000 };
static pthread_barrier_t turn;
static void *volatile travelling;
static int moved;

/* Too large for the threads' own caches, so that addresses really go round. */
static size_t size_of(int round) { return 1200 + 700 * (size_t)(round % 7); }

static void *work(void *argument) {
    intptr_t me = (intptr_t)argument;
    void *churn[4] = {NULL};
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&turn);
        if (round % THREADS == me) {
            uintptr_t before = (uintptr_t)travelling;
            travelling = realloc(travelling, size_of(round + 1));
            moved += (uintptr_t)travelling != before;
        }
        for (int i = 0; i < 4; i++) {
            void *before = churn[i];
            churn[i] = malloc(size_of(round + i % 2));
            free(before);
        }
    }
    for (int i = 0; i < 4; i++) free(churn[i]);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&turn, NULL, THREADS);
    mallopt(M_ARENA_MAX, 1);
    travelling = malloc(size_of(0));
    for (intptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    printf("born=%d freed=%d reallocs=%d kept=1 moved=%d\n", 4 * THREADS * ROUNDS + 1,
           4 * THREADS * ROUNDS, ROUNDS, moved);
    return moved > 0 ? 0 : 4;
}
