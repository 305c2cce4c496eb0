// Proves that every form of C++ new and delete is seen: 8 forms of operator new, each called 10
// times, 1 block of each stays, allocated in a function named after it; each delete form is used.
#include <cstdio>
#include <cstdlib>
#include <new>

static void *kept[8];
static int keeping;

constexpr std::align_val_t wide{64};

template <typename Release>
static void finish(void **blocks, Release release) {
    for (int i = 0; i < 9; i++) release(blocks[i]);
    kept[keeping++] = blocks[9];
}

#define TRY(name, allocate, release)                            \
    __attribute__((noinline)) static void by_##name() {         \
        void *blocks[10];                                       \
        for (void *&block : blocks) {                           \
            block = allocate;                                   \
            asm volatile("" : "+r"(block));                     \
            if (block == nullptr) std::abort();                 \
        }                                                       \
        finish(blocks, [](void *p) { release; });               \
    }

TRY(new, ::operator new(101), ::operator delete(p))
TRY(new_array, ::operator new[](102), ::operator delete[](p))
TRY(new_nothrow, ::operator new(103, std::nothrow), ::operator delete(p, std::nothrow))
TRY(new_array_nothrow, ::operator new[](104, std::nothrow), ::operator delete[](p, std::nothrow))
TRY(new_aligned, ::operator new(105, wide), ::operator delete(p, wide))
TRY(new_array_aligned, ::operator new[](106, wide), ::operator delete[](p, std::size_t{106}, wide))
TRY(new_aligned_nothrow, ::operator new(107, wide, std::nothrow),
    ::operator delete(p, wide, std::nothrow))
TRY(new_array_aligned_nothrow, ::operator new[](108, wide, std::nothrow),
    ::operator delete[](p, wide, std::nothrow))

int main() {
    by_new(), by_new_array(), by_new_nothrow(), by_new_array_nothrow();
    by_new_aligned(), by_new_array_aligned(), by_new_aligned_nothrow();
    by_new_array_aligned_nothrow();
    // The sized forms, which need a size known to be right.
    ::operator delete(::operator new(109), std::size_t{109});
    ::operator delete[](::operator new[](110), std::size_t{110});
    ::operator delete(::operator new(111, wide), std::size_t{111}, wide);
    std::printf("born=83 freed=75 kept=%d\n", keeping);
    return 0;
}
