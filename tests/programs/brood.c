/* Proves that nobody who is born while his parent is attached to is passed over in silence: the parent
 * has COUNT children in turn, of which each allocates BLOCKS blocks and keeps them, at once or spread over some
 * time, and says `pid=N`. By turns a child is only forked, is forked and executes this program, is
 * vforked and does, or is forked by a process that has already ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 300 };
/* How long a child takes, in milliseconds. */
static const int SPANS[] = {0, 5, 20, 60, 150, 400};

static void live(int number) {
    char line[32];
    int length = snprintf(line, sizeof line, "pid=%d\n", (int)getpid());
    if (write(1, line, (size_t)length) != length) _exit(3);
    int span = SPANS[number / 4 % (int)(sizeof SPANS / sizeof *SPANS)];
    for (int i = 0; i < BLOCKS; i++) {
        void *volatile block = malloc(100);
        (void)block;
        if (span && i % 30 == 29) usleep((useconds_t)span * 100);
    }
    _exit(0);
}

static void born(int number, char *program) {
    char digits[12];
    snprintf(digits, sizeof digits, "%d", number);
    char *words[] = {program, "child", digits, NULL};
    int way = number % 4;
    pid_t pid = way == 2 ? vfork() : fork();
    if (pid < 0) exit(2);
    if (pid > 0) return;
    if (way == 0) live(number);
    if (way == 3 && fork() != 0) _exit(0);
    if (way == 3) live(number);
    execv("/proc/self/exe", words);
    _exit(4);
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "child") == 0) live(atoi(arguments[2]));
    if (count != 2) return 1;
    int children = atoi(arguments[1]);
    /* Those whose parent has ended come to us. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int number = 0; number < children; number++) {
        born(number, arguments[0]);
        usleep(10000);
    }
    while (wait(NULL) > 0) {}
    printf("children=%d\n", children);
    return 0;
}
