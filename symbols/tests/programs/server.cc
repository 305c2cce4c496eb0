// A library with functions of every kind that naming must tell apart.
#include <cstdlib>
#include <string>

namespace mail {

void *kept;

static inline __attribute__((always_inline)) void *innermost(std::size_t size) {
    return std::malloc(size + 1);
}

static inline __attribute__((always_inline)) void *inlined(std::size_t size) {
    return innermost(size + 2);
}

struct Server {
    void receive(const std::string &text);
    template <typename T> T repeat(T value);
};

__attribute__((noipa)) void Server::receive(const std::string &text) {
    kept = inlined(text.size());
}

template <typename T> __attribute__((noipa)) T Server::repeat(T value) {
    kept = std::malloc(static_cast<std::size_t>(value));
    return value;
}

}  // namespace mail

static __attribute__((noipa)) void *hidden(std::size_t size) { return std::malloc(size + 3); }

extern "C" void *exported(std::size_t size) {
    mail::Server server;
    server.receive("x");
    server.repeat(7);
    mail::kept = hidden(size);
    return mail::kept;
}

// Hand-written code without sizes, as in old assembly.
asm(".text\n.globl unsized_first\n.type unsized_first,@function\nunsized_first:\n nop\n nop\n nop\n nop\n"
    ".globl unsized_second\n.type unsized_second,@function\nunsized_second:\n nop\n nop\n");

asm(".pushsection .note.package,\"a\",@note\n.balign 4\n.long 4, 2f-1f, 0xcafe1a7e\n.asciz \"FDO\"\n"
    "1: .asciz \"{\\\"type\\\":\\\"deb\\\",\\\"os\\\":\\\"debian\\\",\\\"osVersion\\\":\\\"12\\\","
    "\\\"name\\\":\\\"mail-server\\\",\\\"version\\\":\\\"1.2.0-3\\\",\\\"architecture\\\":\\\"amd64\\\"}\"\n"
    "2: .balign 4\n.popsection\n");
