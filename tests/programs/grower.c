/* Proves that a triage tells who makes memory grow: prints `up`, then does one thing each two milliseconds for eight
 * seconds, and waits to be ended. `small`: keeps blocks of the heap; `large`: keeps blocks that the C library maps; `maps`: keeps memory that
 * it maps itself; `steady`: allocates and frees; `stack`: goes deeper; `file`: writes to a private mapping of itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGE = 256 << 10, MAPPED = 64 << 10, SMALL = 200, MANY = 200 };

static void *volatile last;

static void keep_small(void) {
    for (int i = 0; i < MANY; i++) {
        last = malloc(SMALL);
        memset(last, 1, SMALL);
    }
}

static void keep_large(void) {
    last = malloc(LARGE);
    memset(last, 1, LARGE);
}

static void map_own(void) {
    last = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (last == MAP_FAILED) exit(2);
    memset(last, 1, MAPPED);
}

static void allocate_and_free(void) {
    for (int i = 0; i < MANY; i++) {
        last = malloc(SMALL);
        free(last);
    }
}

static void go_deeper(int left) {
    volatile char room[16 << 10];
    memset((char *)room, 1, sizeof room);
    usleep(20000);
    if (left > 0) go_deeper(left - 1);
    pause();
    room[0] = 2;
}

static void write_to_file(void) {
    static char *at;
    static size_t done;
    if (!at) {
        char name[] = "/tmp/unfreed-grower-XXXXXX";
        int file = mkstemp(name);
        if (file < 0 || unlink(name) || ftruncate(file, 256 << 20)) exit(3);
        at = mmap(NULL, 256 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
        if (at == MAP_FAILED) exit(4);
    }
    memset(at + done, 1, MAPPED);
    done = (done + MAPPED) % (256 << 20);
}

int main(int count, char **arguments) {
    if (count != 2) return 1;
    puts("up");
    fflush(stdout);
    if (!strcmp(arguments[1], "stack")) go_deeper(450);
    for (int i = 0; i < 4000; i++) {
        if (!strcmp(arguments[1], "small")) keep_small();
        if (!strcmp(arguments[1], "large")) keep_large();
        if (!strcmp(arguments[1], "maps")) map_own();
        if (!strcmp(arguments[1], "steady")) allocate_and_free();
        if (!strcmp(arguments[1], "file")) write_to_file();
        usleep(2000);
    }
    pause();
    return 0;
}
