// Proves that exceptions pass through the allocator and leave nothing set behind: 100 times, `new`
// of more than there is throws std::bad_alloc, nothrow gives null, and a new-handler throws; after
// each, one block is kept that is allocated 20 calls deeper than the throw.
#include <cstdio>
#include <cstdlib>
#include <new>

static void *kept[300];
static unsigned keeping, caught;

static std::size_t volatile huge = static_cast<std::size_t>(-1) / 4;

__attribute__((noinline)) static void keep_below(int depth) {
    if (depth > 0) {
        keep_below(depth - 1);
        asm volatile("");
        return;
    }
    kept[keeping++] = ::operator new(48);
}

struct HandlerGaveUp {};

static void give_up() { throw HandlerGaveUp(); }

__attribute__((noinline)) static void *ask(std::size_t size) { return ::operator new(size); }

int main() {
    unsigned refused = 0;
    for (int i = 0; i < 100; i++) {
        try {
            kept[0] = ask(huge);
        } catch (const std::bad_alloc &) {
            caught++;
        }
        keep_below(20);
        if (::operator new(huge, std::nothrow) == nullptr) refused++;
        keep_below(20);
        std::set_new_handler(give_up);
        try {
            kept[0] = ask(huge);
        } catch (const HandlerGaveUp &) {
            caught++;
        }
        std::set_new_handler(nullptr);
        keep_below(20);
    }
    std::printf("caught=%u refused=%u kept=%u\n", caught, refused, keeping);
    return 0;
}
