/* Proves that modules loaded later are found while others fail to load: a thread tries again and
 * again to load a library that lacks a symbol, which musl maps and then takes back, while this one
 * loads `musl_loads GOOD BAD`'s first and lets it keep 50 of 500 blocks. dlclose does nothing here. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_int stop;
static int failed;

static void *fail(void *bad) {
    while (!stop || failed < 100) failed += dlopen(bad, RTLD_NOW) == NULL;
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    pthread_t thread;
    if (pthread_create(&thread, NULL, fail, arguments[2]) != 0) return 3;
    for (int i = 0; i < 50; i++) {
        void *library = dlopen(arguments[1], RTLD_NOW);
        void (*entry)(void) = library ? (void (*)(void))dlsym(library, "good_entry") : NULL;
        if (entry == NULL) return 4;
        entry();
        dlclose(library);
    }
    stop = 1;
    pthread_join(thread, NULL);
    printf("kept=50 failed=%d\n", failed >= 100);
    return 0;
}
