/* Proves that nothing of ours needs a system call once the program has begun: allows itself only those
 * that it makes, on pain of death, then forks a child that keeps 5 of 50 blocks of 200 bytes (and a child
 * of that child, the same), and keeps 10 of 100 blocks of 100 bytes itself. */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALLOW(name) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void *kept[32];
static int keeping;

static void allocate(int count, int every, size_t size) {
    for (int i = 0; i < count; i++) {
        void *block = malloc(size);
        if (i % every == 0) kept[keeping++] = block;
        else free(block);
    }
}

static void child(void) {
    allocate(50, 10, 200);
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        allocate(50, 10, 200);
        _exit(0);
    }
    if (pid < 0 || wait4(pid, &status, 0, NULL) != pid || status != 0) _exit(3);
    _exit(0);
}

int main(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(write), ALLOW(fstat), ALLOW(newfstatat), ALLOW(brk), ALLOW(mmap), ALLOW(munmap), ALLOW(clone),
        ALLOW(set_robust_list), ALLOW(rseq), ALLOW(wait4), ALLOW(getpid), ALLOW(exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    /* The C library asks for random numbers at the first allocation. */
    free(malloc(10));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return 77;
    pid_t pid = fork();
    if (pid == 0) child();
    int status;
    if (pid < 0 || wait4(pid, &status, 0, NULL) != pid) return 2;
    allocate(100, 10, 100);
    printf("kept=%d child=%d\n", keeping, status);
    return 0;
}
