// What the message server and its archiver plug-in agree on: four C functions, found by dlsym.
#ifndef ARCHIVER_H
#define ARCHIVER_H

#include <cstddef>

extern "C" {

struct archiver_message {
    const char *sender;
    const char *recipient;
    const char *subject;
    const char *body;
    std::size_t body_length;
};

using archiver_open_function = void *();
using archiver_store_function = int(void *, const archiver_message *);
using archiver_stored_function = unsigned long(void *);
using archiver_close_function = void(void *);
}

#endif
