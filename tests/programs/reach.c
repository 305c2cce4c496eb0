/* Blocks that are held in every way there is, each way by a function of its own, so that each has a stack of its own:
 * the function's name says what a scan must find. Writes its number to standard output once all is set up, and an
 * "a" for each byte that it reads from standard input, until that ends. The first argument is a library to load.
 * A second, "sleeps": one of its threads cannot be stopped; "shares": it shares memory that it has not touched;
 * "leaves": its first thread ends. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 100
#define FEW 10

struct node {
    struct node *next;
    struct node *other;
    long content[4];
};

/* Each is to be seen on its own stack. */
#define KIND __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))

/* Writes over what calls have left on the stack below its caller. */
static void KIND wipe(void)
{
    volatile char below[32768];
    memset((char *)below, 0, sizeof below);
}

/* Each of another size, or the compiler makes them one. */
#define WAY(name, size) \
    static struct node *KIND name(void) { return calloc(1, (size) + 8 * __COUNTER__); }
WAY(lost_alone, sizeof(struct node))
WAY(lost_pair, sizeof(struct node))
WAY(lost_large, 300000)
WAY(lost_behind_lost, sizeof(struct node))
WAY(held_by_global, sizeof(struct node))
WAY(held_by_large, sizeof(struct node))
WAY(held_large, 300000)
WAY(held_inside, sizeof(struct node))
WAY(held_by_stack, sizeof(struct node))
WAY(held_by_thread, sizeof(struct node))
WAY(held_thread_local, sizeof(struct node))
WAY(held_by_register, sizeof(struct node))
WAY(held_by_mapping, sizeof(struct node))
WAY(held_by_child, sizeof(struct node))
WAY(lost_by_child, sizeof(struct node))
WAY(lost_in_arena, sizeof(struct node))
WAY(hidden, sizeof(struct node))

/* Not static: what nobody reads would not be written. */
struct node *list;
struct node **large;
long *inside[MANY];
uintptr_t disguised[MANY];
__thread struct node *locals[FEW];
struct node **mapped;
struct node *of_child;

static void KIND set_up(void)
{
    struct node *before = NULL;
    for (int i = 0; i < MANY; i++) {
        memset(lost_alone(), 0, sizeof(struct node));
        struct node *a = lost_pair(), *b = lost_pair();
        a->next = b;
        b->next = a;
        struct node *behind = lost_behind_lost();
        behind->next = before;
        before = behind;
        struct node *new = held_by_global();
        new->next = list;
        list = new;
        inside[i] = &held_inside()->content[1];
        disguised[i] = (uintptr_t)hidden() ^ 0x5a5a5a5a5a5a5a5a;
    }
    for (int i = 0; i < FEW; i++) {
        memset(lost_large(), 0, sizeof(struct node));
        locals[i] = held_thread_local();
    }
    large = (struct node **)held_large();
    for (int i = 0; i < MANY; i++)
        large[i * 300] = held_by_large();
    /* Beside what the allocator maps, perhaps in one piece with it. */
    mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < FEW; i++)
        mapped[i * 10000] = held_by_mapping();
}

/* Only where the compiler puts LeakSanitizer in. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static pthread_barrier_t ready;

static void *stands(void *unused)
{
    struct node *volatile here[FEW];
    (void)unused;
    for (int i = 0; i < FEW; i++) {
        here[i] = held_by_thread();
        locals[i] = held_thread_local();
        memset(lost_in_arena(), 0, sizeof(struct node));
    }
    wipe();
    pthread_barrier_wait(&ready);
    for (;;)
        pause();
    return (void *)here[0];
}

/* Once nothing but a register holds its block. */
volatile int spins;

static void *spinning(void *unused)
{
    (void)unused;
#if defined(__x86_64__)
    register struct node *only asm("r12") = held_by_register();
    wipe();
    pthread_barrier_wait(&ready);
    /* The calls before have saved the register close below the stack pointer. */
    asm volatile("lea -128(%%rsp), %%rdi\n mov $16, %%ecx\n xor %%eax, %%eax\n rep stosq\n"
                 "movl $1, %0\n 1: pause\n jmp 1b"
                 : "=m"(spins)
                 : "r"(only)
                 : "rdi", "rcx", "rax", "memory");
#else
#error "which register, and how to wait without a call?"
#endif
    return NULL;
}

/* Waits in the kernel for a child that does nothing: no debugger can stop it there. */
static void *sleeps(void *unused)
{
    (void)unused;
    pid_t child = vfork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    return NULL;
}

/* Until standard input ends; dies of the byte "!", with a core if it may. */
static void answer(void)
{
    char byte;
    dprintf(STDOUT_FILENO, "%d\n", getpid());
    while (read(STDIN_FILENO, &byte, 1) > 0) {
        if (byte == '!')
            abort();
        if (write(STDOUT_FILENO, "a", 1) != 1)
            break;
    }
}

/* Once the first thread is nothing but a number. */
static void *answers_for_the_first(void *unused)
{
    char path[64], stat[256];
    (void)unused;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
    for (;;) {
        int file = open(path, O_RDONLY);
        ssize_t got = read(file, stat, sizeof stat - 1);
        close(file);
        stat[got > 0 ? got : 0] = 0;
        char *name_ends = strrchr(stat, ')');
        if (name_ends && name_ends[2] == 'Z')
            break;
        sched_yield();
    }
    answer();
    exit(0);
}

int main(int count, char **arguments)
{
    struct node *volatile here[FEW];
    pthread_t thread;
    set_up();
    for (int i = 0; i < FEW; i++)
        here[i] = held_by_stack();
    if (count > 1) {
        void *plugin = dlopen(arguments[1], RTLD_NOW);
        if (!plugin) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        ((void (*)(void))dlsym(plugin, "keep"))();
    }
    of_child = held_by_global();
    int ends[2];
    if (pipe(ends) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* What it inherited holds what it allocates. */
        for (int i = 0; i < FEW; i++) {
            struct node *new = held_by_child();
            new->next = of_child->next;
            of_child->next = new;
            memset(lost_by_child(), 0, sizeof(struct node));
        }
        wipe();
        if (write(ends[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char byte;
    if (read(ends[0], &byte, 1) != 1)
        return 1;
    pthread_barrier_init(&ready, NULL, 4);
    pthread_create(&thread, NULL, stands, NULL);
    pthread_create(&thread, NULL, stands, NULL);
    pthread_create(&thread, NULL, spinning, NULL);
    pthread_barrier_wait(&ready);
    while (!spins)
        sched_yield();
    wipe();
    if (__lsan_do_recoverable_leak_check)
        __lsan_do_recoverable_leak_check();
    const char *way = count > 2 ? arguments[2] : "";
    if (strcmp(way, "sleeps") == 0)
        pthread_create(&thread, NULL, sleeps, NULL);
    if (strcmp(way, "shares") == 0) {
        void *shared = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        memset(shared, 1, 1);
    }
    if (strcmp(way, "leaves") == 0) {
        pthread_create(&thread, NULL, answers_for_the_first, NULL);
        pthread_exit(NULL);
    }
    answer();
    kill(child, 9);
    return here[0] == NULL;
}
