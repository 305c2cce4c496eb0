// An archiver: remembers who sent the latest messages and counts them by domain. Release 1.2.0
// leaks exactly one block per message: remember_sender() constructs a std::string in a slot of its
// own storage, and forget_sender() takes the slot back without ending the string's life. What it
// leaks is the string's characters, which libstdc++ allocates (basic_string::_M_mutate), so the
// runtime is innermost on the stack and the plug-in comes after it; the fault is in forget_sender(), which
// is never on an allocation stack. Release 1.2.1 (ARCHIVER_FIXED=1) ends the string's life.
// archiver_close() forgets what is left, so that 1.2.0 leaks N blocks for N messages, not N-256.

#include "archiver.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <string>

#include "package_note.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION 1.2.0
#endif
PACKAGE_NOTE("archiver-plugin", PACKAGE_VERSION);

namespace archiver {

class Archive {
public:
    __attribute__((noinline)) void store(const archiver_message &message) {
        std::lock_guard<std::mutex> guard(lock_);
        count_domain(message.sender);
        index_subject(message.subject);
        if (used_ == capacity) forget_sender();
        remember_sender(message.sender);
        stored_++;
    }

    unsigned long stored() {
        std::lock_guard<std::mutex> guard(lock_);
        return stored_;
    }

    ~Archive() {
        while (used_ != 0) forget_sender();
    }

private:
    static constexpr std::size_t capacity = 256;

    // Allocates the one block that 1.2.0 leaks. Every sender is longer than the 15 characters
    // that a std::string keeps in itself. The constructor from characters would be compiled into
    // this plug-in; assign() lives in libstdc++.
    __attribute__((noinline)) void remember_sender(const char *sender) {
        auto *name = new (slot((first_ + used_) % capacity)) std::string;
        name->assign(sender);
        used_++;
    }

    // Where the fault is.
    __attribute__((noinline)) void forget_sender() {
#if ARCHIVER_FIXED
        using std::string;
        std::launder(static_cast<string *>(slot(first_)))->~string();
#endif
        first_ = (first_ + 1) % capacity;
        used_--;
    }

    // Not a leak: at most as many entries as there are domains.
    __attribute__((noinline)) void count_domain(const char *sender) {
        std::string address(sender);
        domains_[address.substr(address.find('@') + 1)]++;
    }

    // Not a leak: a cache that is full after a while.
    __attribute__((noinline)) void index_subject(const char *subject) {
        subjects_[std::string("subject index: ") + subject] = stored_;
        if (subjects_.size() > 400) subjects_.erase(subjects_.begin());
    }

    void *slot(std::size_t index) { return slots_ + index * sizeof(std::string); }

    std::mutex lock_;
    alignas(std::string) unsigned char slots_[capacity * sizeof(std::string)];
    std::size_t first_ = 0;
    std::size_t used_ = 0;
    unsigned long stored_ = 0;
    std::map<std::string, std::uint64_t> domains_;
    std::map<std::string, std::uint64_t> subjects_;
};

}  // namespace archiver

extern "C" {

void *archiver_open() { return new archiver::Archive; }

int archiver_store(void *archive, const archiver_message *message) {
    static_cast<archiver::Archive *>(archive)->store(*message);
    return 0;
}

unsigned long archiver_stored(void *archive) {
    return static_cast<archiver::Archive *>(archive)->stored();
}

void archiver_close(void *archive) { delete static_cast<archiver::Archive *>(archive); }
}
