/* What the courier and its archive plug-in agree on: four functions, found by dlsym. */
#ifndef ARCHIVE_H
#define ARCHIVE_H

/* Each step is a function of its own, under its own name, in the stacks: neither inlined nor
 * cloned (`drain_queue.constprop.0`). */
#if defined(__GNUC__) && !defined(__clang__)
#define STEP static __attribute__((noinline, noclone))
#else
#define STEP static __attribute__((noinline))
#endif

struct mail {
    const char *sender, *recipient, *subject, *body;
};

/* archive_open returns the archive that the others take first, or NULL. */
typedef void *archive_open_function(void);
typedef int archive_store_function(void *, const struct mail *);
typedef unsigned long archive_stored_function(void *);
typedef void archive_close_function(void *);

archive_open_function archive_open;
archive_store_function archive_store;
archive_stored_function archive_stored;
archive_close_function archive_close;

#endif
