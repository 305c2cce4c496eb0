/* The demo's server: hands messages to an archive plug-in at a steady rate, and beside that does
 * what mail servers do and what is no leak: a queue that swells and drains, sessions, a cache of
 * routes that fills and is flat. No network, no threads, nothing to install.
 *
 *   courier PLUGIN [SECONDS [RATE]]    3 seconds at 2,000 messages per second by default
 *
 * Prints one line, `delivered N messages`. SIGINT and SIGTERM end it early and cleanly. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "archive.h"

enum { ROUTES = 512, SESSIONS = 32, BURST = 20, LONGEST = 600, FASTEST = 100000 };

struct message {
    struct mail mail;
    struct message *next;
};

struct courier {
    struct message *head, **tail;
    char *routes[ROUTES];
    struct session {
        char *greeting;
        unsigned messages;
    } *sessions[SESSIONS];
    unsigned long delivered;
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

STEP void *take(size_t size) {
    void *block = calloc(1, size);
    if (block == NULL) abort();
    return block;
}

/* As asprintf, which newer compilers want checked. */
#define TEXT(...) text_of(snprintf(NULL, 0, __VA_ARGS__), __VA_ARGS__)
__attribute__((noinline, format(printf, 2, 3))) static char *text_of(int length, const char *format, ...) {
    __builtin_va_list arguments;
    char *text = take((size_t)length + 1);
    __builtin_va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    __builtin_va_end(arguments);
    return text;
}

/* The number decides the content, so that two runs are alike. */
STEP void receive_message(struct courier *courier, unsigned long number) {
    struct message *message = take(sizeof *message);
    char body[401];
    size_t length = 80 + number % 300;
    memset(body, 'a' + (int)(number % 26), length);
    body[length] = 0;
    message->mail.sender = TEXT("user%lu@domain%lu.example.org", number % 97, number % 7);
    message->mail.recipient = TEXT("reader%lu@example.net", number * 31 % 700);
    message->mail.subject = TEXT("report %lu of the day", number);
    message->mail.body = TEXT("%s", body);
    *courier->tail = message;
    courier->tail = &message->next;
}

/* A cache: full once every reader has written. */
STEP const char *find_route(struct courier *courier, const struct mail *mail) {
    unsigned hash = 5381;
    for (const char *c = mail->recipient; *c; c++) hash = hash * 33 + (unsigned char)*c;
    char **route = &courier->routes[hash % ROUTES];
    if (*route == NULL) *route = TEXT("/var/mail/%s/%u", mail->recipient, hash % 10);
    return *route;
}

/* Sessions end after 50 messages and begin anew. */
STEP void note_session(struct courier *courier, const struct mail *mail) {
    struct session **session = &courier->sessions[courier->delivered % SESSIONS];
    if (*session != NULL && (*session)->messages == 50) {
        free((*session)->greeting);
        free(*session);
        *session = NULL;
    }
    if (*session == NULL) {
        *session = take(sizeof **session);
        (*session)->greeting = TEXT("220 courier ready for %s", mail->sender);
    }
    (*session)->messages++;
}

STEP void release_message(struct message *message) {
    free((char *)message->mail.sender);
    free((char *)message->mail.recipient);
    free((char *)message->mail.subject);
    free((char *)message->mail.body);
    free(message);
}

STEP void drain_queue(struct courier *courier, archive_store_function *store, void *archive) {
    while (courier->head != NULL) {
        struct message *message = courier->head;
        courier->head = message->next;
        if (find_route(courier, &message->mail)[0] != '/') abort();
        note_session(courier, &message->mail);
        store(archive, &message->mail);
        release_message(message);
        courier->delivered++;
    }
    courier->tail = &courier->head;
}

STEP void close_courier(struct courier *courier) {
    for (int i = 0; i < ROUTES; i++) free(courier->routes[i]);
    for (int i = 0; i < SESSIONS; i++) {
        if (courier->sessions[i] != NULL) free(courier->sessions[i]->greeting);
        free(courier->sessions[i]);
    }
}

/* Sleeps until the burst that ends with this message is due. */
static void wait_until_due(const struct timespec *start, unsigned long number, unsigned long rate) {
    struct timespec due = *start;
    due.tv_sec += (time_t)(number / rate);
    due.tv_nsec += (long)(number % rate * 1000000000ull / rate);
    if (due.tv_nsec >= 1000000000l) due.tv_sec++, due.tv_nsec -= 1000000000l;
    while (!stopped && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) != 0) { }
}

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (found == NULL) {
        fprintf(stderr, "courier: no %s in the plug-in\n", name);
        exit(2);
    }
    return found;
}

int main(int count, char **arguments) {
    unsigned long seconds = count > 2 ? strtoul(arguments[2], NULL, 10) : 3;
    unsigned long rate = count > 3 ? strtoul(arguments[3], NULL, 10) : 2000;
    if (count < 2 || count > 4 || seconds > LONGEST || rate == 0 || rate > FASTEST) {
        fprintf(stderr, "usage: courier PLUGIN [SECONDS [RATE]]\n");
        return 2;
    }
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "courier: %s\n", dlerror());
        return 2;
    }
    archive_open_function *open = symbol(library, "archive_open");
    archive_store_function *store = symbol(library, "archive_store");
    archive_stored_function *stored = symbol(library, "archive_stored");
    archive_close_function *close = symbol(library, "archive_close");

    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    static struct courier courier;
    courier.tail = &courier.head;
    void *archive = open();
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned long number = 0; number < seconds * rate && !stopped; number++) {
        receive_message(&courier, number);
        if (number % BURST == BURST - 1) {
            drain_queue(&courier, store, archive);
            wait_until_due(&start, number + 1, rate);
        }
    }
    drain_queue(&courier, store, archive);
    unsigned long archived = stored(archive);
    close(archive);
    close_courier(&courier);
    dlclose(library);
    printf("delivered %lu messages\n", courier.delivered);
    return archived == courier.delivered ? 0 : 3;
}
