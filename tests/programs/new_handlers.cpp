// Proves that every way out of `operator new` leaves nothing set behind, 50 times each: a new-handler
// that finds memory, so that the second attempt succeeds; one that allocates (144 bytes stay) and
// then throws; one that throws where nothing may be thrown, which gives null; a constructor that throws, in one
// object and in the third of an array; bad_alloc of the aligned forms and a bad length. After each, one block is kept that is
// allocated 20 calls deeper (176 bytes), on the first thread and on another.
#include <cstdio>
#include <cstdlib>
#include <new>
#include <sys/resource.h>
#include <thread>

namespace {

void *kept[2000];
unsigned keeping;
std::size_t volatile huge = static_cast<std::size_t>(-1) / 4;
constexpr std::size_t LARGE = 64 << 20;
constexpr std::align_val_t ALIGNED{64};

__attribute__((noinline)) void keep_below(int depth) {
    if (depth > 0) {
        keep_below(depth - 1);
        asm volatile("");
        return;
    }
    kept[keeping++] = ::operator new(176);
}

struct GaveUp {};
struct Refused {};

unsigned constructed;
struct Fragile {
    char bytes[112];
    Fragile() {
        if (++constructed % 3 == 0) throw Refused();
    }
};

void give_up() { throw GaveUp(); }

void allocate_and_give_up() {
    kept[keeping++] = ::operator new(144);
    throw GaveUp();
}

void limit(rlim_t bytes) {
    rlimit now;
    getrlimit(RLIMIT_AS, &now);
    now.rlim_cur = bytes;
    setrlimit(RLIMIT_AS, &now);
}

unsigned found;
void find_memory() {
    found++;
    limit(RLIM_INFINITY);
}

rlim_t in_use() {
    std::FILE *file = std::fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (file == nullptr || std::fscanf(file, "%lu", &pages) != 1) std::abort();
    std::fclose(file);
    return pages * 4096;
}

template <typename Exception, typename Try> unsigned catches(Try attempt) {
    unsigned caught = 0;
    try {
        attempt();
    } catch (const Exception &) {
        caught = 1;
    }
    keep_below(20);
    return caught;
}

unsigned once() {
    unsigned right = 0;
    constructed = 0;
    std::set_new_handler(find_memory);
    limit(in_use() + LARGE / 2);
    void *block = ::operator new(LARGE);
    limit(RLIM_INFINITY);
    right += block != nullptr;
    ::operator delete(block);
    keep_below(20);
    std::set_new_handler(allocate_and_give_up);
    right += catches<GaveUp>([] { kept[0] = ::operator new(huge); });
    right += catches<GaveUp>([] { kept[0] = ::operator new[](huge, ALIGNED); });
    std::set_new_handler(give_up);
    right += ::operator new(huge, std::nothrow) == nullptr;
    keep_below(20);
    right += ::operator new[](huge, ALIGNED, std::nothrow) == nullptr;
    keep_below(20);
    std::set_new_handler(nullptr);
    right += catches<Refused>([] { for (;;) delete new Fragile; });
    right += catches<Refused>([] { delete[] new Fragile[5]; });
    right += catches<std::bad_alloc>([] { kept[0] = ::operator new(huge, ALIGNED); });
    right += catches<std::bad_alloc>([] { kept[0] = ::operator new[](huge); });
    std::size_t volatile many = huge;
    right += catches<std::bad_array_new_length>([&] { kept[0] = new Fragile[many]; });
    return right;
}

} // namespace

int main() {
    unsigned right = 0;
    for (int i = 0; i < 50; i++) right += once();
    std::thread([&] { for (int i = 0; i < 50; i++) right += once(); }).join();
    std::printf("right=%u found=%u kept=%u\n", right, found, keeping);
    return 0;
}
