/* Proves that a stack of 100,000 frames costs no more than one that is cut, and faults nobody: every 1,000
 * calls down one block stays (33 bytes), and on the way back one pair each; in main, and in a thread. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH = 100000, EVERY = 1000, STACK = 64 << 20 };

void *kept[2 * DEPTH / EVERY];
static int keeping;

__attribute__((noinline)) static void descend(int level) {
    if (level % EVERY == 0) kept[keeping++] = malloc(33);
    if (level < DEPTH) descend(level + 1);
    if (level % EVERY == 0) free(malloc(20));
    __asm__ volatile("");
}

static void *begin(void *unused) {
    descend(1);
    return unused;
}

int main(void) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, begin, NULL) != 0) return 2;
    pthread_join(thread, NULL);
    descend(1);
    printf("kept=%d\n", keeping);
    return 0;
}
