/* Proves that what is executed is traced however it is executed: `execute HOW ENVIRONMENT [ARGUMENT]`
 * executes itself as `execute image`, which keeps 7 blocks of 500 bytes and exits with 6, by one of the
 * functions (`execve`, `execle`, ...), in a vforked child unless HOW says otherwise. ENVIRONMENT is
 * `stripped` (A=1 alone), `own` (its own LD_PRELOAD, of a library that is not there: ARGUMENT),
 * `declined` (LD_PRELOAD is empty), `crowded` (5,000 entries), `kept`, or `cleared` (environ is emptied
 * before). The parent keeps 8 blocks of 100 bytes. With `missing`, `many` and `large` nothing is
 * executed: the errors are those of the system. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char program[4096];
static char preload[4096];
static void *kept[64];

static void keep(int count, size_t size) {
    for (int i = 0; i < count; i++) {
        kept[i] = malloc(size);
        free(malloc(size));
    }
}

static int image(void) {
    keep(7, 500);
    const char *value = getenv("LD_PRELOAD");
    const char *a = getenv("A");
    printf("image a=%s preload=%s\n", a ? a : "-", value && strstr(value, "missing") ? "theirs" : "other");
    return 6;
}

static char **environment(const char *which) {
    static char *stripped[] = {"A=1", NULL};
    static char *own[] = {"A=1", preload, NULL};
    static char *declined[] = {"A=1", "LD_PRELOAD=", NULL};
    static char *crowded[5002] = {0};
    if (strcmp(which, "stripped") == 0) return stripped;
    if (strcmp(which, "own") == 0) return own;
    if (strcmp(which, "declined") == 0) return declined;
    if (strcmp(which, "crowded") == 0) {
        crowded[0] = "A=1";
        for (int i = 1; i < 5001; i++) crowded[i] = "B=2";
        return crowded;
    }
    if (strcmp(which, "cleared") == 0) {
        clearenv();
        setenv("A", "1", 1);
    }
    return environ;
}

static void execute(const char *how, char **with) {
    char *words[] = {"execute", "image", NULL};
    if (strcmp(how, "execve") == 0 || strcmp(how, "fork") == 0) execve(program, words, with);
    else if (strcmp(how, "execv") == 0) execv(program, words);
    else if (strcmp(how, "execvp") == 0) execvp(program, words);
    else if (strcmp(how, "execvpe") == 0) execvpe(program, words, with);
    else if (strcmp(how, "execl") == 0) execl(program, "execute", "image", NULL);
    else if (strcmp(how, "execlp") == 0)
        execlp(program, "execute", "image", "3", "4", "5", "6", "7", "8", "9", "10", NULL);
    else if (strcmp(how, "execle") == 0)
        execle(program, "execute", "image", "3", "4", "5", "6", "7", NULL, with);
    else if (strcmp(how, "execle-short") == 0) execle(program, "image", NULL, with);
    else if (strcmp(how, "fexecve") == 0) fexecve(open(program, O_RDONLY), words, with);
    else if (strcmp(how, "execveat") == 0) execveat(AT_FDCWD, program, words, with, 0);
    _exit(127);
}

static int failures(void) {
    char *words[] = {"nobody", NULL}, *with[] = {"A=1", NULL};
    errno = 0;
    int result = execve("/nonexistent/nobody", words, with);
    printf("missing result=%d errno=%d\n", result, errno);
    errno = 0;
    result = execlp("nobody-has-this-name", "nobody", NULL);
    printf("path result=%d errno=%d\n", result, errno);
    errno = 0;
    result = execl("/dev/null", "nobody", "2", "3", "4", "5", "6", "7", NULL);
    printf("device result=%d errno=%d\n", result, errno);
    static char text[8 << 20];
    memset(text, 'x', sizeof text - 1);
    char *large[] = {"nobody", text, NULL};
    errno = 0;
    result = execve(program, large, with);
    printf("large result=%d errno=%d\n", result, errno);
    pid_t pid = 77;
    errno = 0;
    result = posix_spawn(&pid, "/nonexistent/nobody", NULL, NULL, words, with);
    printf("spawn result=%d errno=%d pid=%d\n", result, errno, (int)pid);
    result = posix_spawnp(NULL, program, NULL, NULL, (char *[]){"execute", "image", NULL}, with);
    int status = 0;
    printf("spawned result=%d ended=%d\n", result, wait(&status) > 0);
    printf("status=%d\n", WEXITSTATUS(status));
    return 0;
}

int main(int count, char **arguments) {
    if (strcmp(arguments[0], "image") == 0) return image();
    if (count > 1 && strcmp(arguments[1], "image") == 0) return count == 2 || count == 7 || count == 10 ? image() : 9;
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0) return 2;
    if (count > 1 && strcmp(arguments[1], "failures") == 0) return failures();
    if (count < 3) return 2;
    if (count > 3) snprintf(preload, sizeof preload, "LD_PRELOAD=%s", arguments[3]);
    keep(8, 100);
    char **with = environment(arguments[2]);
    const char *how = arguments[1];
    pid_t pid = 0;
    char *words[] = {"execute", "image", NULL};
    if (strcmp(how, "posix_spawn") == 0) {
        if (posix_spawn(&pid, program, NULL, NULL, words, with) != 0) return 2;
    } else if (strcmp(how, "posix_spawnp") == 0) {
        if (posix_spawnp(&pid, program, NULL, NULL, words, with) != 0) return 2;
    } else if (strcmp(how, "system") == 0 || strcmp(how, "popen") == 0) {
        /* In the environment of this process, which is the same afterwards. */
        char command[8192];
        snprintf(command, sizeof command, "exec %s image", program);
        char **before = environ;
        fflush(stdout);
        int status;
        if (how[0] == 's') status = system(command);
        else {
            char line[256];
            FILE *out = popen(command, "r");
            while (out && fgets(line, sizeof line, out)) fputs(line, stdout);
            status = out ? pclose(out) : -1;
        }
        printf("child=%d same=%d\n", WEXITSTATUS(status), environ == before);
        return 0;
    } else {
        pid = strcmp(how, "fork") == 0 ? fork() : vfork();
        if (pid == 0) execute(how, with);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return 2;
    printf("child=%d\n", WEXITSTATUS(status));
    return 0;
}
