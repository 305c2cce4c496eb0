/* Proves that allocating goes on while libraries come and go: two threads each load and unload a plug-in of
 * their own 250 times (storm_plugin.c: its constructor allocates 10 blocks, one of 333 bytes stays, its
 * entry 10, one of 337 stays), while two others allocate 20,000 blocks each and keep 1 of 100 (251 bytes).
 * `storm PLUGIN PLUGIN`. Prints how many of the loads ran the constructor anew. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOADS = 250, BLOCKS = 20000 };

void *kept[2][BLOCKS / 100];
static int fresh[2];
static char **paths;

__attribute__((noinline)) static void *churn(void *mine) {
    void **keep = mine;
    for (int i = 0; i < BLOCKS; i++) {
        void *block = malloc(251);
        if (i % 100 == 99) keep[i / 100] = block;
        else free(block);
        /* As long as the storm lasts, and no more than a tracer's buffer holds. */
        for (volatile int wait = 0; wait < 3000; wait++) { }
    }
    return NULL;
}

static void *reload(void *which) {
    int n = which != NULL;
    for (int i = 0; i < LOADS; i++) {
        void *library = dlopen(paths[n], RTLD_NOW | RTLD_LOCAL);
        int (*entry)(void) = library == NULL ? NULL : (int (*)(void))dlsym(library, "entry");
        if (entry == NULL) abort();
        fresh[n] += entry() == 1;
        if (dlclose(library) != 0) abort();
    }
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    paths = arguments + 1;
    pthread_t threads[4];
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, reload, i == 0 ? NULL : paths);
        pthread_create(&threads[2 + i], NULL, churn, kept[i]);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    printf("fresh=%d kept=%d\n", fresh[0] + fresh[1], 2 * BLOCKS / 100);
    return 0;
}
