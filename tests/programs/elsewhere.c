/* Proves that a program is traced wherever it is executed from: `elsewhere STEP... -- PROGRAM...` keeps 8
 * blocks of 100 bytes, takes the steps in turn, and executes the program. Steps: `stripped` (an empty
 * environment but for A=1), `closefrom`, `uid=N`, `chroot=DIR`, `bind=FROM:TO`, `cover=DIR` (an empty file
 * system over it), `fork` (goes on in a child, and exits as it did), `user`, `pid`, `mount`, `net` (a new
 * namespace; a `fork` after `pid` is its first process). Where the system forbids a step: exit status 77. */
#define _GNU_SOURCE
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
void *kept[8];

static void forbidden(const char *step) {
    perror(step);
    exit(77);
}

static const char *value(const char *step, const char *name) {
    size_t length = strlen(name);
    return strncmp(step, name, length) == 0 && step[length] == '=' ? step + length + 1 : NULL;
}

static void enter(const char *step, int what) {
    if (unshare(what) != 0) forbidden(step);
    if (what == CLONE_NEWNS && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) forbidden(step);
}

static void take(const char *step) {
    static char *stripped[] = {"A=1", NULL};
    const char *argument;
    if (strcmp(step, "stripped") == 0) environ = stripped;
    else if (strcmp(step, "closefrom") == 0) closefrom(3);
    else if (strcmp(step, "user") == 0) enter(step, CLONE_NEWUSER);
    else if (strcmp(step, "pid") == 0) enter(step, CLONE_NEWPID);
    else if (strcmp(step, "mount") == 0) enter(step, CLONE_NEWNS);
    else if (strcmp(step, "net") == 0) enter(step, CLONE_NEWNET);
    else if (strcmp(step, "fork") == 0) {
        pid_t pid = fork();
        int status;
        if (pid == 0) return;
        if (pid < 0 || waitpid(pid, &status, 0) != pid) exit(2);
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
    } else if ((argument = value(step, "uid"))) {
        int id = atoi(argument);
        if (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) forbidden(step);
    } else if ((argument = value(step, "chroot"))) {
        if (chroot(argument) != 0 || chdir("/") != 0) forbidden(step);
    } else if ((argument = value(step, "cover"))) {
        if (mount("none", argument, "tmpfs", 0, NULL) != 0) forbidden(step);
    } else if ((argument = value(step, "bind"))) {
        char from[4096];
        const char *to = strchr(argument, ':');
        if (!to || to - argument >= (long)sizeof from) exit(2);
        memcpy(from, argument, to - argument);
        from[to - argument] = 0;
        if (mount(from, to + 1, NULL, MS_BIND, NULL) != 0) forbidden(step);
    } else exit(2);
}

int main(int count, char **arguments) {
    for (int i = 0; i < 8; i++) kept[i] = malloc(100);
    int next = 1;
    for (; next < count && strcmp(arguments[next], "--") != 0; next++) take(arguments[next]);
    if (next + 1 >= count) return 2;
    execv(arguments[next + 1], arguments + next + 1);
    perror(arguments[next + 1]);
    return 127;
}
