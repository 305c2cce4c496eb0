/* Proves that 1,000 children are 1,000 processes: while two threads of the parent allocate, it forks
 * them, 16 at a time. Each frees 5 inherited blocks, allocates 10 (300 bytes), frees 8, leaves 2 behind, and
 * exits with its number modulo 7, by exit or _exit in turn. The parent keeps its 5 (of 90 bytes), and
 * each thread 1 of every 100 (40 bytes) that it frees; `kept` is how many. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 1000, AT_ONCE = 16, MOST = 200 };

static atomic_int over, keeping;
void *kept[2 * MOST], *inherited[5], *left[2];

static void *churn(void *unused) {
    (void)unused;
    for (int i = 0; i < 100 * MOST && !over; i++) {
        void *block = malloc(40);
        if (i % 100 == 99) kept[keeping++] = block;
        else free(block);
        usleep(i % 50 == 0);
    }
    return NULL;
}

static void child(int number) {
    void *blocks[10];
    for (int i = 0; i < 5; i++) free(inherited[i]);
    for (int i = 0; i < 10; i++) blocks[i] = malloc(300);
    for (int i = 0; i < 8; i++) free(blocks[i]);
    left[0] = blocks[8], left[1] = blocks[9];
    if (number % 2) exit(number % 7);
    _exit(number % 7);
}

int main(void) {
    pthread_t threads[2];
    for (int i = 0; i < 5; i++) inherited[i] = malloc(90);
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, churn, NULL);
    int right = 0;
    for (int begun = 0; begun < CHILDREN; begun += AT_ONCE) {
        pid_t pids[AT_ONCE];
        int these = CHILDREN - begun < AT_ONCE ? CHILDREN - begun : AT_ONCE;
        for (int i = 0; i < these; i++) {
            pids[i] = fork();
            if (pids[i] < 0) return 2;
            if (pids[i] == 0) child(begun + i);
        }
        for (int i = 0; i < these; i++) {
            int status;
            if (waitpid(pids[i], &status, 0) != pids[i]) return 2;
            right += WIFEXITED(status) && WEXITSTATUS(status) == (begun + i) % 7;
        }
    }
    over = 1;
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    printf("children=%d kept=%d\n", right, (int)keeping);
    return 0;
}
