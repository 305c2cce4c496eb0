/* Proves that a forked child disturbs nothing: the parent keeps 10 of 100 blocks, forks a child that
 * keeps 5 of 50 and exits with 5, forks a second that does the same and leaves by _exit, then keeps
 * 10 more of 100. Both children also free 10 blocks of the parent's, which the parent still owns. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void *kept[64];
static int keeping;

__attribute__((noinline)) static void allocate(int count, size_t size) {
    for (int i = 0; i < count; i++) {
        void *block = malloc(size);
        if (i % 10 == 9) kept[keeping++] = block;
        else free(block);
    }
}

__attribute__((noinline)) static int child(int by_exit) {
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 10; i++) free(kept[i]);
        allocate(50, 300);
        if (by_exit) exit(5);
        _exit(5);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 5;
}

int main(void) {
    allocate(100, 100);
    int children = child(1) + child(0);
    allocate(100, 200);
    printf("born=200 freed=180 kept=%d children=%d\n", keeping, children);
    return children == 2 ? 0 : 4;
}
