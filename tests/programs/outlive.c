/* Proves that nobody is harmed by the death of a tracer: kills its grandparent, the tracer, while two threads
 * allocate, and goes on: starts more threads, forks a child that allocates, loads more memory than any
 * buffer holds, executes another program, and exits with 9. `outlive`, below a shell that hands its
 * status on. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 400000, THREADS = 2 };

static pthread_barrier_t half;

static void *churn(void *killer) {
    void *blocks[64] = {NULL};
    for (int i = 0; i < BLOCKS; i++) {
        free(blocks[i % 64]);
        blocks[i % 64] = malloc(16 + (size_t)i % 900);
        memset(blocks[i % 64], 1, 16);
        if (i == BLOCKS / 2 && killer != NULL) pthread_barrier_wait(&half);
    }
    for (int i = 0; i < 64; i++) free(blocks[i]);
    return NULL;
}

static pid_t parent_of(pid_t pid) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(text, sizeof text, file) == NULL) return 0;
    fclose(file);
    char *after = strrchr(text, ')');
    return after == NULL ? 0 : atoi(after + 4);
}

int main(void) {
    pthread_t threads[THREADS + 1];
    pthread_barrier_init(&half, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, churn, &half);
    pthread_barrier_wait(&half);
    pid_t tracer = parent_of(getppid());
    if (tracer <= 1 || kill(tracer, SIGKILL) != 0) return 2;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    pthread_create(&threads[THREADS], NULL, churn, NULL);
    pthread_join(threads[THREADS], NULL);
    pid_t child = fork();
    if (child == 0) {
        churn(NULL);
        _exit(4);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 4) return 3;
    int executed = system("exit 5");
    printf("child=4 executed=%d\n", WEXITSTATUS(executed));
    return 9;
}
