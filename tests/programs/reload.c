/* Proves that a frame is named after the module that was mapped when it ran: `reload ALPHA BETA`
 * loads two plug-ins 50 times in turn, each where the other was before, and lets each allocate 10
 * blocks and free 9. So 50 blocks stay of alpha_allocate and 50 of beta_allocate, with the same
 * return addresses. Prints how often the mapping really was the same; exits with 4 if never. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *run(const char *path, const char *name) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "reload: %s\n", dlerror());
        exit(2);
    }
    void (*entry)(void) = (void (*)(void))dlsym(library, name);
    Dl_info where;
    if (entry == NULL || dladdr((void *)entry, &where) == 0) exit(2);
    entry();
    void *base = where.dli_fbase;
    if (dlclose(library) != 0 || dlopen(path, RTLD_NOW | RTLD_NOLOAD) != NULL) exit(3);
    return base;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    int same = 0;
    for (int i = 0; i < 50; i++) {
        void *alpha = run(arguments[1], "alpha_entry");
        void *beta = run(arguments[2], "beta_entry");
        same += alpha == beta;
    }
    printf("loads=100 kept_alpha=50 kept_beta=50 same=%d\n", same);
    return same == 0 ? 4 : 0;
}
