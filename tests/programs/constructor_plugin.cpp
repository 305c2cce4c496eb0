// Proves that no allocator function waits for the loader: this plug-in's constructor runs with the
// loader's lock held, and waits for a thread that uses all those a program may not have used yet.
#include <cstdlib>
#include <new>
#include <pthread.h>

static void *use_all(void *) {
    void *block = nullptr;
    if (posix_memalign(&block, 64, 64) == 0) free(block);
    free(aligned_alloc(64, 64));
    free(valloc(64));
    delete new int(1);
    delete[] new (std::nothrow) int[2];
    operator delete(operator new(64, std::align_val_t(64)), std::align_val_t(64));
    return nullptr;
}

// And that such a program's plug-in gets its exception where there is no memory: 10 of each form, and
// 20 NULLs from those that do not throw.
extern "C" int run_out() {
    volatile size_t huge = size_t(1) << 62;
    int thrown = 0, null = 0;
    for (int i = 0; i < 10; i++) {
        try { operator delete(operator new(huge)); } catch (const std::bad_alloc &) { thrown++; }
        try {
            operator delete(operator new(huge, std::align_val_t(64)), std::align_val_t(64));
        } catch (const std::bad_alloc &) { thrown++; }
        null += operator new(huge, std::nothrow) == nullptr;
        null += operator new(huge, std::align_val_t(64), std::nothrow) == nullptr;
    }
    return thrown + null;
}

__attribute__((constructor)) static void construct() {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, use_all, nullptr) == 0) pthread_join(thread, nullptr);
}
