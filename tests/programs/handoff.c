/* Proves that blocks may be freed on another thread than their own: 4 producers allocate 25,000
 * blocks each, 4 consumers free them all, but 1 in 1,000 stays: 100,000 allocated, 99,900 freed. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAIRS = 4, EACH = 25000, ROOM = 64 };

struct pipe {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *blocks[ROOM];
    int used, freed, kept;
};

static struct pipe pipes[PAIRS];
void *stay[PAIRS * EACH / 1000];

static void *produce(void *argument) {
    struct pipe *pipe = argument;
    for (int i = 0; i < EACH; i++) {
        void *block = malloc(16 + i % 500);
        pthread_mutex_lock(&pipe->lock);
        while (pipe->used == ROOM) pthread_cond_wait(&pipe->changed, &pipe->lock);
        pipe->blocks[pipe->used++] = block;
        pthread_cond_signal(&pipe->changed);
        pthread_mutex_unlock(&pipe->lock);
    }
    return NULL;
}

static void *consume(void *argument) {
    struct pipe *pipe = argument;
    for (int i = 0; i < EACH; i++) {
        pthread_mutex_lock(&pipe->lock);
        while (pipe->used == 0) pthread_cond_wait(&pipe->changed, &pipe->lock);
        void *block = pipe->blocks[--pipe->used];
        pthread_cond_signal(&pipe->changed);
        pthread_mutex_unlock(&pipe->lock);
        if (i % 1000 == 999) {
            stay[(pipe - pipes) * (EACH / 1000) + pipe->kept++] = block;
        } else {
            free(block);
            pipe->freed++;
        }
    }
    return NULL;
}

int main(void) {
    pthread_t producers[PAIRS], consumers[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        pthread_mutex_init(&pipes[i].lock, NULL);
        pthread_cond_init(&pipes[i].changed, NULL);
        pthread_create(&producers[i], NULL, produce, &pipes[i]);
        pthread_create(&consumers[i], NULL, consume, &pipes[i]);
    }
    int freed = 0, kept = 0;
    for (int i = 0; i < PAIRS; i++) {
        pthread_join(producers[i], NULL);
        pthread_join(consumers[i], NULL);
        freed += pipes[i].freed;
        kept += pipes[i].kept;
    }
    printf("allocated=%d freed=%d kept=%d\n", PAIRS * EACH, freed, kept);
    return 0;
}
