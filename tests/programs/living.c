/* Proves that a living process stays traced whatever becomes of its surroundings. The first argument says
 * what becomes: `deleted` unlinks the program's own file and lives for four seconds; `numbered` forks
 * into a new pid namespace (needs root), where 8 threads keep allocating while the first works. Either
 * frees all but 100 blocks of 611 bytes. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 40, EACH = 100, THREADS = 8 };

static void *kept[EACH];
static atomic_int over;

static void work(int pause_ms) {
    for (int round = 0; round < ROUNDS; round++) {
        void *blocks[EACH];
        for (int i = 0; i < EACH; i++) blocks[i] = malloc(611);
        usleep(pause_ms * 1000);
        for (int i = 0; i < EACH; i++) {
            if (round == ROUNDS - 1) kept[i] = blocks[i];
            else free(blocks[i]);
        }
    }
}

static void *others(void *unused) {
    (void)unused;
    while (!over) {
        free(malloc(40));
        usleep(1000);
    }
    return NULL;
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "deleted") == 0) {
        char path[4096];
        ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
        if (length <= 0) return 2;
        path[length] = 0;
        if (unlink(path) != 0) return 2;
        work(100);
    } else if (count > 1 && strcmp(arguments[1], "numbered") == 0) {
        if (unshare(CLONE_NEWPID) != 0) return 77;
        pid_t child = fork();
        if (child < 0) return 2;
        if (child == 0) {
            pthread_t threads[THREADS];
            for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, others, NULL);
            work(20);
            over = 1;
            for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
            exit(0);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0) return 2;
    } else {
        return 2;
    }
    puts("kept=100");
    return 0;
}
