/* Proves that a use count gone wrong is seen, and that nobody is accused where it cannot be told.
 * glibc aborts on a block that is still in its thread cache, or on top of a fastbin, when it is
 * freed again, so all modes go round that (tried on 2.36), as accidents do:
 *
 * `twice`: the thread cache of the size is full, so the blocks go to a fastbin, where glibc looks
 *   at the top only. Two blocks are freed alternately 25 times each: 2 frees are right, 48 are of
 *   a block that nobody owns.
 * `alias`: an object of 2 users is released by the first once too often. Its address goes to a new
 *   owner, the second user releases what it takes for its own, the new owner writes to its block
 *   (which wipes glibc's mark of a freed block) and frees it: 50 times, in 50 sizes, a free of an
 *   address that was freed while somebody owned it.
 * `pair`: two functions each free the same 30 young blocks; fastbin as in `twice`.
 * `old`: the same, but the blocks have lived for half a second.
 * `moved`: 30 blocks are moved by realloc; the old pointer is freed by another function.
 * `old-moved`: the same, but the blocks have lived for half a second.
 * `reused`: a block is freed, its address goes to another function's block, and the first owner
 *   frees it again: that free is the new owner's, as far as anybody can tell, and is no over-release.
 *   (The new owner never frees.)
 * `child`: a forked child frees 30 blocks that it inherited and its parent keeps, which is right, and
 *   then two of its own twice.
 * `plugin PATH`: a library loaded with RTLD_DEEPBIND takes its blocks from the C library directly;
 *   they come at addresses that the program has just freed, and the program frees them: 50 frees
 *   that look like second ones, and all are right.
 * `handle`: the same without a library: the program asks the C library for its malloc by name.
 * `window N`: 1,000 blocks are freed, then N others whose addresses nobody had before, then the
 *   1,000 again.
 *
 * No size that was over-released is allocated again, so nothing is handed out twice. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[256];

/* The compiler must not see that these are the same block. */
__attribute__((noinline)) static void release(void *volatile block) { free(block); }

static int twice(void) {
    void *cached[7], *volatile a, *volatile b;
    for (int i = 0; i < 7; i++) cached[i] = malloc(56);
    a = malloc(56);
    b = malloc(56);
    for (int i = 0; i < 7; i++) free(cached[i]);
    for (int i = 0; i < 25; i++) {
        release(a);
        release(b);
    }
    printf("born=9 frees=57 over_released=48\n");
    return 0;
}

__attribute__((noinline)) static int alias(size_t size) {
    void *volatile object = malloc(size);
    uintptr_t address = (uintptr_t)object;
    release(object); /* the first user, once too often */
    void *volatile owned = malloc(size);
    int taken = (uintptr_t)owned == address;
    release((void *)address); /* the second user */
    memset(owned, 'x', size);
    release(owned); /* the new owner */
    return taken;
}

/* Fills the thread cache of a size, so that what is freed next goes to a fastbin. */
static void fill_cache(size_t size) {
    void *cached[7];
    for (int i = 0; i < 7; i++) cached[i] = malloc(size);
    for (int i = 0; i < 7; i++) free(cached[i]);
}

#define SOME 30
static void *volatile some[SOME];

__attribute__((noinline)) static void allocate_some(size_t size) {
    void *cached[7];
    /* Beside the cache, which must be empty to be filled. */
    for (int i = 0; i < 7; i++) cached[i] = malloc(size);
    for (int i = 0; i < SOME; i++) some[i] = malloc(size);
    for (int i = 0; i < 7; i++) free(cached[i]);
}

__attribute__((noipa)) static void first_owner(void) {
    for (int i = 0; i < SOME; i++) free(some[i]);
}

__attribute__((noipa)) static void second_owner(void) {
    for (int i = 0; i < SOME; i++) free(some[i]);
}

static void wait_for(long milliseconds) {
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static int pair(long milliseconds) {
    allocate_some(40);
    wait_for(milliseconds);
    first_owner();
    second_owner();
    printf("born=37 frees=67 over_released=30\n");
    return 0;
}

__attribute__((noinline)) static void *resize(void *volatile block) { return realloc(block, 120); }

static int moved(long milliseconds) {
    allocate_some(40);
    wait_for(milliseconds);
    for (int i = 0; i < SOME; i++)
        if (resize(some[i]) == some[i]) return 4;
    second_owner();
    printf("born=67 frees=67 over_released=30\n");
    return 0;
}

__attribute__((noinline)) static void *new_owner(void) { return malloc(88); }

static int reused(void) {
    void *volatile object = malloc(88);
    uintptr_t address = (uintptr_t)object;
    release(object);
    void *volatile owned = new_owner();
    if ((uintptr_t)owned != address) return 4;
    release((void *)address); /* the first owner, again */
    printf("born=2 frees=2 over_released=1 seen=0\n");
    return 0;
}

static int child(void) {
    allocate_some(40);
    /* The tracer's clock ticks: what happens within a tick in two processes has no order. */
    wait_for(200);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        first_owner();
        void *volatile a = malloc(72), *volatile b = malloc(72);
        fill_cache(72);
        for (int i = 0; i < 2; i++) {
            release(a);
            release(b);
        }
        _exit(0);
    }
    int status = 1;
    if (waitpid(pid, &status, 0) != pid || status != 0) return 4;
    printf("over_released=2\n");
    return 0;
}

/* The program's own block, then another's at its address: freed by us both times. */
static int borrowed(void *(*get)(size_t)) {
    int taken = 0;
    for (size_t size = 72; size < 72 + 50 * 16; size += 16) {
        void *volatile own = malloc(size);
        uintptr_t address = (uintptr_t)own;
        free(own);
        void *volatile lent = get(size);
        taken += (uintptr_t)lent == address;
        free(lent);
    }
    printf("over_released=0 taken=%d\n", taken);
    return taken == 50 ? 0 : 4;
}

static int plugin(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);
    void *(*get)(size_t) = NULL;
    if (library != NULL) *(void **)&get = dlsym(library, "lend");
    return get == NULL ? 3 : borrowed(get);
}

static int handle(void) {
    void *library = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    void *(*get)(size_t) = NULL;
    if (library != NULL) *(void **)&get = dlsym(library, "malloc");
    if (get == NULL) return 3;
    /* One of these has an address that nobody is known to have had. */
    free(get(5000));
    return borrowed(get);
}

static int window(long others) {
    static void *volatile blocks[1000];
    /* A heap that has to grow takes its fastbins apart first. */
    mallopt(M_TOP_PAD, 256 << 20);
    if (malloc(100000) == NULL || malloc(100000) == NULL) return 4;
    void *cached[7];
    for (int i = 0; i < 7; i++) cached[i] = malloc(56);
    for (int i = 0; i < 1000; i++) blocks[i] = malloc(56);
    for (int i = 0; i < 7; i++) free(cached[i]);
    void *volatile *other = malloc((size_t)others * sizeof *other);
    for (int i = 0; i < 1000; i++) release(blocks[i]);
    /* Kept from the allocator's hands until all are born: every one has its own address. */
    for (long i = 0; i < others; i++) other[i] = malloc(100);
    for (long i = 0; i < others; i++) free(other[i]);
    for (int i = 0; i < 1000; i++) release(blocks[i]);
    printf("over_released=1000\n");
    return 0;
}

int main(int count, char **arguments) {
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    const char *mode = count > 1 ? arguments[1] : "alias";
    if (strcmp(mode, "twice") == 0) return twice();
    if (strcmp(mode, "pair") == 0) return pair(0);
    if (strcmp(mode, "old") == 0) return pair(500);
    if (strcmp(mode, "moved") == 0) return moved(0);
    if (strcmp(mode, "old-moved") == 0) return moved(500);
    if (strcmp(mode, "reused") == 0) return reused();
    if (strcmp(mode, "child") == 0) return child();
    if (strcmp(mode, "handle") == 0) return handle();
    if (count > 2 && strcmp(mode, "plugin") == 0) return plugin(arguments[2]);
    if (count > 2 && strcmp(mode, "window") == 0) return window(atol(arguments[2]));
    int taken = 0;
    for (size_t size = 72; size < 72 + 50 * 16; size += 16) taken += alias(size);
    printf("born=100 frees=150 over_released=50 taken=%d\n", taken);
    return taken == 50 ? 0 : 4;
}
