/* Proves what becomes of blocks that die young and of those that do not. The first argument says what
 * to do:
 *   pairs N     N blocks of 72 bytes, each freed at once
 *   mixed N     N blocks of 73 to 200 bytes, each freed four allocations later, every tenth by the other
 *               thread, and 7 of 601 bytes kept
 *   unseen N    one block of 333 bytes is freed past every tracer after half a second, then its address is
 *               given out N times more and freed each time
 *   hidden N    N blocks of 334 bytes are freed past every tracer at once, and each address is given out
 *               again and freed
 *   idle        a thread keeps 5 blocks of 444 bytes and sleeps until the end; another, long dead, left 3
 *               of 445
 *   resize N    N blocks grow from 90 to 91 bytes in place, to 5,000 and 70,000, and are freed; one is kept
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void __libc_free(void *);

static void *kept[16];
static _Atomic(void *) handed;
static atomic_int over;

static __attribute__((noinline)) void *take(size_t size) {
    void *block = malloc(size);
    if (block == NULL) abort();
    return block;
}

static void *free_what_is_handed(void *unused) {
    (void)unused;
    while (!atomic_load(&over) || atomic_load(&handed) != NULL) {
        void *block = atomic_exchange(&handed, NULL);
        free(block);
    }
    return NULL;
}

static void mixed(long count) {
    void *ring[4] = {0};
    pthread_t other;
    pthread_create(&other, NULL, free_what_is_handed, NULL);
    for (long i = 0; i < count; i++) {
        void **place = &ring[i % 4];
        if (i % 10 == 9) {
            while (atomic_load(&handed) != NULL) {}
            atomic_store(&handed, *place);
        } else {
            free(*place);
        }
        *place = take(73 + i % 128);
    }
    for (int i = 0; i < 4; i++) free(ring[i]);
    for (int i = 0; i < 7; i++) kept[i] = take(601);
    atomic_store(&over, 1);
    pthread_join(other, NULL);
}

static void unseen(long count) {
    void *block = take(333);
    usleep(500 * 1000);
    __libc_free(block);
    long again = 0;
    for (long i = 0; i < count; i++) {
        void *other = take(333);
        again += other == block;
        free(other);
    }
    printf("again=%ld\n", again);
}

static void hidden(long count) {
    long again = 0;
    for (long i = 0; i < count; i++) {
        void *block = take(334);
        __libc_free(block);
        void *other = take(334);
        again += other == block;
        free(other);
    }
    printf("again=%ld\n", again);
}

static void *keep_and_sleep(void *unused) {
    (void)unused;
    for (int i = 0; i < 5; i++) kept[i] = take(444);
    atomic_store(&over, 1);
    for (;;) pause();
    return NULL;
}

static void *keep_and_end(void *unused) {
    (void)unused;
    for (int i = 5; i < 8; i++) kept[i] = take(445);
    return NULL;
}

static void idle(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, keep_and_end, NULL);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, keep_and_sleep, NULL);
    while (!atomic_load(&over)) usleep(1000);
    usleep(400 * 1000);
}

static void resize(long count) {
    for (long i = 0; i <= count; i++) {
        char *block = take(90);
        block = realloc(block, 91);
        block = realloc(block, 5000);
        block = realloc(block, 70000);
        if (block == NULL) abort();
        if (i < count) free(block);
        else kept[0] = block;
    }
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    long n = count > 2 ? atol(arguments[2]) : 0;
    if (strcmp(what, "pairs") == 0)
        for (long i = 0; i < n; i++) free(take(72));
    else if (strcmp(what, "mixed") == 0) mixed(n);
    else if (strcmp(what, "unseen") == 0) unseen(n);
    else if (strcmp(what, "hidden") == 0) hidden(n);
    else if (strcmp(what, "idle") == 0) idle();
    else if (strcmp(what, "resize") == 0) resize(n);
    else return 2;
    puts("done");
    return 0;
}
