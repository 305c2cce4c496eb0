/* Proves that vfork and exec make a process of its own: the parent keeps 8 of 20 blocks, runs itself
 * with the argument `child` by vfork and execv (that image keeps 7 blocks and exits with 6), then
 * keeps 8 of 20 more. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void *kept[32];
static int keeping;

static void allocate(int count, int keep, size_t size) {
    for (int i = 0; i < count; i++) {
        void *block = malloc(size);
        if (i < keep) kept[keeping++] = block;
        else free(block);
    }
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "child") == 0) {
        allocate(7, 7, 500);
        return 6;
    }
    allocate(20, 8, 100);
    char *words[] = {"vfork_exec", "child", NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        execv("/proc/self/exe", words);
        _exit(127);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return 2;
    allocate(20, 8, 200);
    printf("born=40 freed=24 kept=%d child=%d\n", keeping, WEXITSTATUS(status));
    return 0;
}
