/* Proves that threads without number are no trouble. Each allocates 3 blocks, frees 2 and keeps one
 * (120 bytes). `many_threads batches`: 10,000, of which 50 live at once. `many_threads at-once`: up to
 * 10,000 that all live before the first allocates, as many as the system gives. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOTAL = 10000, BATCH = 50, STACK = 32 * 1024 };

static pthread_t threads[TOTAL];
void *kept[TOTAL];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static int open_now;

static void *work(void *place) {
    pthread_mutex_lock(&lock);
    while (!open_now) pthread_cond_wait(&opened, &lock);
    pthread_mutex_unlock(&lock);
    void *first = malloc(30);
    *(void **)place = malloc(120);
    free(malloc(50));
    free(first);
    return NULL;
}

int main(int count, char **arguments) {
    int at_once = count == 2 && strcmp(arguments[1], "at-once") == 0 ? TOTAL : BATCH;
    open_now = at_once == BATCH;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    int made = 0;
    while (made < TOTAL) {
        int begun = made;
        while (made < TOTAL && made - begun < at_once) {
            if (pthread_create(&threads[made], &attributes, work, &kept[made]) != 0) break;
            made++;
        }
        pthread_mutex_lock(&lock);
        open_now = 1;
        pthread_cond_broadcast(&opened);
        pthread_mutex_unlock(&lock);
        for (int i = begun; i < made; i++) pthread_join(threads[i], NULL);
        if (at_once == TOTAL || made == begun) break;
    }
    printf("threads=%d\n", made);
    return 0;
}
