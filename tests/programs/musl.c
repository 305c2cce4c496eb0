/* Proves that a program of musl is traced whole: blocks that musl's own functions allocate are seen
 * once, and so is a block that a callback of theirs allocates; every stack reaches main's caller, or
 * the thread's. Prints how many blocks of its own it kept.
 *   musl functions   every allocating function of musl, 10 times each, from `by_malloc`, ...; 9 of 10 are freed
 *   musl through     strdup, getline, asprintf, a callback of qsort, a signal handler, recursion: 10 each
 *   musl threads     the same leaf in 8 threads */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 4096
void *kept[KEPT];
static int keeping;

static void keep(void *block) {
    kept[__atomic_fetch_add(&keeping, 1, __ATOMIC_RELAXED)] = block;
}

#define TRY(name, call)                                      \
    __attribute__((noinline)) static void by_##name(void) {  \
        for (int i = 0; i < 10; i++) {                       \
            void *block = NULL;                              \
            call;                                            \
            if (i == 9) keep(block);                         \
            else free(block);                                \
        }                                                    \
    }

TRY(malloc, block = malloc(101))
TRY(calloc, block = calloc(2, 51))
TRY(realloc_null, block = realloc(NULL, 103))
TRY(reallocarray, block = reallocarray(NULL, 2, 52))
TRY(posix_memalign, if (posix_memalign(&block, 64, 105) != 0) abort())
TRY(aligned_alloc, block = aligned_alloc(64, 128))
TRY(memalign, block = memalign(32, 107))
TRY(valloc, block = valloc(108))
TRY(realloc, block = realloc(malloc(50), 50000))

/* 10 blocks each, from inside musl or through it. */
__attribute__((noinline)) static void by_strdup(void) {
    char text[40];
    memset(text, 'x', sizeof text);
    text[39] = 0;
    for (int i = 0; i < 10; i++) keep(strdup(text));
}

__attribute__((noinline)) static void by_asprintf(void) {
    for (int i = 0; i < 10; i++) {
        char *text;
        if (asprintf(&text, "%0300d", i) != 300) abort();
        keep(text);
    }
}

__attribute__((noinline)) static void by_stream(void) {
    for (int i = 0; i < 10; i++) {
        FILE *file = fopen("/dev/null", "r");
        if (file == NULL) abort();
        fclose(file);
    }
}

__attribute__((noinline)) static int compare(const void *a, const void *b) {
    static int calls;
    if (calls++ < 10) keep(malloc(42));
    return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) static void by_qsort(void) {
    int numbers[64];
    for (int i = 0; i < 64; i++) numbers[i] = i * 37 % 64;
    qsort(numbers, 64, sizeof *numbers, compare);
}

__attribute__((noinline)) static void on_signal(int number) {
    keep(malloc(33 + (size_t)number));
}

__attribute__((noinline)) static void by_signal(void) {
    struct sigaction action = {.sa_handler = on_signal};
    if (sigaction(SIGUSR1, &action, NULL) != 0) abort();
    for (int i = 0; i < 10; i++) raise(SIGUSR1);
}

/* As many frames of its own as its argument says, and one more. */
__attribute__((noinline)) static void *descend(int calls) {
    void *block = calls == 0 ? malloc(44) : descend(calls - 1);
    __asm__ volatile("" : : : "memory");
    return block;
}

static void *in_thread(void *argument) {
    keep(malloc(45));
    return argument;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    if (strcmp(arguments[1], "functions") == 0) {
        by_malloc(), by_calloc(), by_realloc_null(), by_reallocarray(), by_posix_memalign();
        by_aligned_alloc(), by_memalign(), by_valloc(), by_realloc();
    } else if (strcmp(arguments[1], "through") == 0) {
        by_strdup(), by_asprintf(), by_stream(), by_qsort(), by_signal();
        for (int i = 0; i < 10; i++) keep(descend(20));
    } else {
        pthread_t threads[8];
        for (int i = 0; i < 8; i++)
            if (pthread_create(&threads[i], NULL, in_thread, NULL) != 0) abort();
        for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    }
    printf("kept=%d\n", keeping);
    return 0;
}
