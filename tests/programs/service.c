/* A service: loses 1000 blocks of 1000 bytes, each from `lose`, then starts one more of itself, which
 * does the same, as nobody if this one is root, and waits for it. With `stay` it then goes on until it is told to end.
 *
 *     service [stay]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void *volatile kept;

__attribute__((noinline)) static void lose(void)
{
    kept = malloc(1000);
    memset(kept, 1, 1000);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    for (int n = 0; n < 1000; n++) {
        lose();
        usleep(200);
    }
    if (!strcmp(how, "child"))
        return 0;
    if (fork() == 0) {
        if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(2);
        execl("/proc/self/exe", argv[0], "child", (char *)0);
        _exit(3);
    }
    int status = 0;
    wait(&status);
    printf("lost=2000 child=%d\n", status);
    fflush(stdout);
    if (!strcmp(how, "stay"))
        pause();
    return status ? 4 : 0;
}
