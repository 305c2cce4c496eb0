/* The independent unwinder: a preloadable library that records every allocation with the stack
 * libgcc sees (_Unwind_Backtrace), so that the agent's stacks of the same run can be compared.
 * LD_PRELOAD=liboracle.so:AGENT, in this order: each call goes on to the next definition, the
 * agent's. It shares no code and no layout with the agent, allocates nothing, and is no faster
 * than need be. It keeps no "busy" flag that a jump or an exception could leave set: a call is
 * somebody's inner one (operator new's malloc) when this library is on its stack a second time.
 * It has no landing pads either: its own copy of libgcc must not handle another copy's exceptions
 * (__gcc_personality_v0 aborts). Without UNFREED_ORACLE_FILE it only passes calls on.
 *
 * UNFREED_ORACLE_FILE   where to; %p becomes the process id. A file that exists is left alone.
 * UNFREED_ORACLE_LIMIT  at most so many allocations (200,000); later calls are counted as dropped
 * UNFREED_ORACLE_ONLY   record only in a process of this name (program_invocation_short_name)
 * UNFREED_ORACLE_COPIES if set, the stack and registers that each walk began with, for other unwinders
 *
 * The file is mapped shared, so that it is whole however the process ends; a forked child writes
 * to the same file under its own thread id. Little-endian throughout:
 *
 *   header, 64 bytes                          record, 32 bytes + 8 per frame, back to back
 *    0  "UNFORACL"                             0  u32 thread id
 *    8  u32 version: 1     12 u32 process id   4  u32 number within the thread, from 0
 *   16  u64 bytes after the header             8  u64 address       16  u64 size asked for
 *   24  u64 records                           24  u32 function (enum function below)
 *   32  u64 first address of this library     28  u16 frames
 *   40  u64 address after its last            30  u16 flags: 1 written whole, 2 walk complete, 4 copy
 *   48  u64 dropped       56 u64 0            32  u64 frames, innermost first
 *                                             then, of a copy: u64 rsp and rbp behind the call, u64 words,
 *                                             and as many u64 of the stack, from rsp upwards
 *
 * Frames are what _Unwind_GetIP gives (return addresses), from the caller of the allocating
 * function outwards. A complete walk ended where the unwind tables say that there is no caller;
 * others ended at the depth limit or at code without a table. The file is longer than its content. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

enum { DEPTH = 256 };
/* Words of a copy at most, and those above where the outermost frame begins. */
enum { COPY = 8192, ABOVE = 8 };
enum { WHOLE = 1, COMPLETE = 2, COPIED = 4 };

enum function {
    MALLOC = 1, CALLOC, REALLOC, REALLOCARRAY, POSIX_MEMALIGN, ALIGNED_ALLOC, MEMALIGN, VALLOC,
    PVALLOC, NEW, NEW_ARRAY
};

struct header {
    char magic[8];
    uint32_t version, pid;
    _Atomic uint64_t used, records;
    uint64_t own_start, own_end;
    _Atomic uint64_t dropped;
    uint64_t zero;
};

struct record {
    uint32_t tid, number;
    uint64_t address, size;
    uint32_t function;
    uint16_t depth;
    _Atomic uint16_t flags;
    uint64_t frames[];
};

_Static_assert(sizeof(struct header) == 64 && sizeof(struct record) == 32, "as drawn");

/* Set by the linker: where this library begins and ends. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

static struct header *file;
static uint64_t limit = 200000;
static int copies;
static _Atomic uint64_t taken;

static __thread uint32_t number;

struct walk {
    uint64_t caller;
    int found, complete, inner;
    unsigned depth;
    /* At the innermost frame, and where the outermost begins. */
    uint64_t sp, bp, top;
    uint64_t frames[DEPTH];
};

enum { RBP = 6 };

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument) {
    struct walk *walk = argument;
    uint64_t frame = _Unwind_GetIP(context);
    if (frame == 0) {
        /* libgcc shows the end of the tables as one more frame, at 0. */
        walk->complete = 1;
        return _URC_END_OF_STACK;
    }
    if (!walk->found && frame != walk->caller) return _URC_NO_REASON;
    /* In a callback this is the end of the callee's frame. */
    walk->top = _Unwind_GetCFA(context);
    if (!walk->found) {
        walk->sp = walk->top;
        walk->bp = _Unwind_GetGR(context, RBP);
    }
    walk->found = 1;
    if (frame >= file->own_start && frame < file->own_end) {
        walk->inner = 1;
        return _URC_END_OF_STACK;
    }
    if (walk->depth == DEPTH) return _URC_END_OF_STACK;
    walk->frames[walk->depth++] = frame;
    return _URC_NO_REASON;
}

static __attribute__((noinline)) void record(enum function function, void *address, size_t size,
                                             void *caller) {
    if (file == NULL || address == NULL) return;
    if (atomic_load(&taken) >= limit) {
        atomic_fetch_add(&file->dropped, 1);
        return;
    }
    int error = errno;
    struct walk walk;
    walk.caller = (uint64_t)(uintptr_t)caller;
    walk.found = walk.complete = walk.inner = 0;
    walk.depth = 0;
    walk.sp = walk.top = 0;
    _Unwind_Backtrace(visit, &walk);
    if (walk.inner || atomic_fetch_add(&taken, 1) >= limit) {
        errno = error;
        return;
    }
    uint64_t length = sizeof(struct record) + 8 * walk.depth;
    uint64_t words = walk.top < walk.sp ? COPY + 1 : (walk.top - walk.sp) / 8 + ABOVE;
    int copied = copies && words <= COPY;
    if (copied) length += 8 * (3 + words);
    uint64_t at = atomic_fetch_add(&file->used, length);
    struct record *to = (struct record *)((char *)(file + 1) + at);
    to->tid = (uint32_t)syscall(SYS_gettid);
    to->number = number++;
    to->address = (uint64_t)(uintptr_t)address;
    to->size = size;
    to->function = function;
    to->depth = (uint16_t)walk.depth;
    memcpy(to->frames, walk.frames, 8 * walk.depth);
    if (copied) {
        uint64_t *copy = &to->frames[walk.depth];
        copy[0] = walk.sp;
        copy[1] = walk.bp;
        copy[2] = words;
        memcpy(copy + 3, (void *)(uintptr_t)walk.sp, 8 * words);
    }
    atomic_store(&to->flags, WHOLE | (walk.complete ? COMPLETE : 0) | (copied ? COPIED : 0));
    atomic_fetch_add(&file->records, 1);
    errno = error;
}

#define CALLER __builtin_return_address(0)

/* The next definition of this name, found on first use; dlsym allocates only where it fails. */
#define NEXT(name)                                          \
    static __typeof__(&name) next;                          \
    if (next == NULL) next = (__typeof__(next))dlsym(RTLD_NEXT, #name)

void *malloc(size_t size) {
    NEXT(malloc);
    void *block = next(size);
    record(MALLOC, block, size, CALLER);
    return block;
}

void *calloc(size_t count, size_t size) {
    NEXT(calloc);
    void *block = next(count, size);
    record(CALLOC, block, count * size, CALLER);
    return block;
}

void *realloc(void *old, size_t size) {
    NEXT(realloc);
    void *block = next(old, size);
    record(REALLOC, block, size, CALLER);
    return block;
}

void *reallocarray(void *old, size_t count, size_t size) {
    NEXT(reallocarray);
    void *block = next(old, count, size);
    record(REALLOCARRAY, block, count * size, CALLER);
    return block;
}

int posix_memalign(void **to, size_t alignment, size_t size) {
    NEXT(posix_memalign);
    int error = next(to, alignment, size);
    record(POSIX_MEMALIGN, error == 0 ? *to : NULL, size, CALLER);
    return error;
}

#define ALIGNED(name, function)                                  \
    void *name(size_t alignment, size_t size) {                  \
        NEXT(name);                                              \
        void *block = next(alignment, size);                     \
        record(function, block, size, CALLER);                   \
        return block;                                            \
    }

void *memalign(size_t, size_t);
ALIGNED(aligned_alloc, ALIGNED_ALLOC)
ALIGNED(memalign, MEMALIGN)

#define PAGES(name, function)                                    \
    void *name(size_t size) {                                    \
        NEXT(name);                                              \
        void *block = next(size);                                \
        record(function, block, size, CALLER);                   \
        return block;                                            \
    }

void *pvalloc(size_t);
PAGES(valloc, VALLOC)
PAGES(pvalloc, PVALLOC)

/* C++. Where libstdc++ came later, with a library that keeps its symbols to itself, there is no
 * next definition: malloc serves, and a failure is the program's end, as without exceptions. */
static void *instead(size_t alignment, size_t size) {
    void *block = NULL;
    if (posix_memalign(&block, alignment < sizeof block ? sizeof block : alignment,
                       size ? size : 1) != 0) abort();
    return block;
}

#define OPERATOR(name, function, parameters, arguments, alignment)   \
    void *name parameters;                                           \
    void *name parameters {                                      \
        NEXT(name);                                              \
        void *block = next ? next arguments : instead(alignment, size); \
        record(function, block, size, CALLER);                   \
        return block;                                            \
    }

OPERATOR(_Znwm, NEW, (size_t size), (size), 16)
OPERATOR(_Znam, NEW_ARRAY, (size_t size), (size), 16)
OPERATOR(_ZnwmRKSt9nothrow_t, NEW, (size_t size, const void *n), (size, n), 16)
OPERATOR(_ZnamRKSt9nothrow_t, NEW_ARRAY, (size_t size, const void *n), (size, n), 16)
OPERATOR(_ZnwmSt11align_val_t, NEW, (size_t size, size_t to), (size, to), to)
OPERATOR(_ZnamSt11align_val_t, NEW_ARRAY, (size_t size, size_t to), (size, to), to)
OPERATOR(_ZnwmSt11align_val_tRKSt9nothrow_t, NEW, (size_t size, size_t to, const void *n),
         (size, to, n), to)
OPERATOR(_ZnamSt11align_val_tRKSt9nothrow_t, NEW_ARRAY, (size_t size, size_t to, const void *n),
         (size, to, n), to)

/* Writes the path with %p replaced; 0 where it is too long. */
static int expand(char *path, size_t room, const char *pattern) {
    for (; *pattern; pattern++) {
        char digits[24];
        size_t count = 1;
        digits[0] = *pattern;
        if (pattern[0] == '%' && pattern[1] == 'p') {
            count = 0;
            for (unsigned pid = (unsigned)getpid(); pid != 0; pid /= 10)
                digits[count++] = (char)('0' + pid % 10);
            pattern++;
        }
        if (count >= room) return 0;
        for (size_t i = 0; i < count; i++) *path++ = digits[count - 1 - i];
        room -= count;
    }
    *path = 0;
    return 1;
}

__attribute__((constructor)) static void start(void) {
    const char *pattern = getenv("UNFREED_ORACLE_FILE");
    const char *only = getenv("UNFREED_ORACLE_ONLY");
    const char *bound = getenv("UNFREED_ORACLE_LIMIT");
    char path[4096];
    if (pattern == NULL || !expand(path, sizeof path, pattern)) return;
    if (only != NULL && strcmp(only, program_invocation_short_name) != 0) return;
    if (bound != NULL) limit = strtoull(bound, NULL, 10);
    if (limit > 10000000) limit = 10000000;
    copies = getenv("UNFREED_ORACLE_COPIES") != NULL;
    size_t most = sizeof(struct record) + 8 * DEPTH + (copies ? 8 * (3 + COPY) : 0);
    size_t length = sizeof(struct header) + limit * most;
    int descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) return;
    if (ftruncate(descriptor, (off_t)length) == 0) {
        void *mapped = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
        if (mapped != MAP_FAILED) {
            struct header *header = mapped;
            memcpy(header->magic, "UNFORACL", 8);
            header->version = 1;
            header->pid = (uint32_t)getpid();
            header->own_start = (uint64_t)(uintptr_t)__ehdr_start;
            header->own_end = (uint64_t)(uintptr_t)_end;
            file = header;
        }
    }
    close(descriptor);
}
