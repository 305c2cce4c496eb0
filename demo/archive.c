/* The demo's plug-in: an archive of the mail that passes. All of it is allocated through
 * archive_alloc, the plug-in's own wrapper, which is therefore on every stack and to blame for
 * none of them. Release 1.2.0 leaks one block per message: archive_remember_sender keeps the
 * names of the latest senders, and archive_forget_sender, which makes room for the next, does not
 * free them. Release 1.2.1 (-DARCHIVE_FIXED=1) does. Everything else here is freed or bounded: a
 * folder of the latest subjects, an index by domain, the fields of the message in hand. */
#include "archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "package_note.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION 1.2.0
#endif
PACKAGE_NOTE("courier-archive", PACKAGE_VERSION);

enum { SENDERS = 128, SUBJECTS = 400, DOMAINS = 16 };

struct domain {
    char *name;
    unsigned long messages;
};

struct archive {
    char *senders[SENDERS];
    unsigned first_sender, senders_used;
    char *subjects[SUBJECTS];
    struct domain *domains[DOMAINS];
    char *line;
    size_t line_size;
    unsigned long stored;
};

/* Terminates rather than return NULL, as small programs do. */
STEP void *archive_alloc(size_t size) {
    void *block = malloc(size);
    if (block == NULL) {
        fputs("archive: out of memory\n", stderr);
        abort();
    }
    return block;
}

STEP char *archive_copy_text(const char *text, size_t length) {
    char *copy = archive_alloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

/* Where 1.2.0's fault is. */
STEP void archive_forget_sender(struct archive *archive) {
#if ARCHIVE_FIXED
    free(archive->senders[archive->first_sender]);
#endif
    archive->senders[archive->first_sender] = NULL;
    archive->first_sender = (archive->first_sender + 1) % SENDERS;
    archive->senders_used--;
}

/* Where the blocks that 1.2.0 leaks are allocated: `Name <address>`. */
STEP void archive_remember_sender(struct archive *archive, const struct mail *mail) {
    if (archive->senders_used == SENDERS) archive_forget_sender(archive);
    size_t size = strlen(mail->sender) + 16;
    char *name = archive_alloc(size);
    snprintf(name, size, "Sender <%s>", mail->sender);
    archive->senders[(archive->first_sender + archive->senders_used++) % SENDERS] = name;
}

/* A cache: full after the first 400 messages. */
STEP void archive_keep_subject(struct archive *archive, const struct mail *mail) {
    char **place = &archive->subjects[archive->stored % SUBJECTS];
    size_t size = strlen(mail->subject) + 9;
    free(*place);
    *place = archive_alloc(size);
    snprintf(*place, size, "Subject %s", mail->subject);
}

/* An index: one entry per domain, of which there are few. */
STEP void archive_count_domain(struct archive *archive, const struct mail *mail) {
    const char *at = strchr(mail->sender, '@');
    const char *name = at ? at + 1 : "";
    for (int i = 0; i < DOMAINS; i++) {
        if (archive->domains[i] == NULL) {
            archive->domains[i] = archive_alloc(sizeof *archive->domains[i]);
            archive->domains[i]->name = archive_copy_text(name, strlen(name));
            archive->domains[i]->messages = 0;
        }
        if (strcmp(archive->domains[i]->name, name) == 0) {
            archive->domains[i]->messages++;
            return;
        }
    }
}

/* Work on the message in hand: freed before the next. */
STEP unsigned archive_fold_body(const struct mail *mail) {
    size_t length = strlen(mail->body);
    char *folded = archive_alloc(2 * length + 1);
    unsigned sum = 0;
    for (size_t i = 0; i < length; i++) {
        folded[2 * i] = mail->body[i];
        folded[2 * i + 1] = i % 72 == 71 ? '\n' : ' ';
        sum = sum * 31 + (unsigned char)folded[2 * i];
    }
    free(folded);
    return sum;
}

/* A buffer: as long as the longest line so far. */
STEP void archive_write_line(struct archive *archive, const struct mail *mail, unsigned sum) {
    size_t size = strlen(mail->sender) + strlen(mail->recipient) + 32;
    if (size > archive->line_size) {
        free(archive->line);
        archive->line = archive_alloc(size);
        archive->line_size = size;
    }
    snprintf(archive->line, size, "%08x %s > %s", sum, mail->sender, mail->recipient);
}

STEP struct archive *archive_create(void) {
    struct archive *archive = archive_alloc(sizeof *archive);
    memset(archive, 0, sizeof *archive);
    return archive;
}

void *archive_open(void) { return archive_create(); }

int archive_store(void *opened, const struct mail *mail) {
    struct archive *archive = opened;
    archive_count_domain(archive, mail);
    archive_remember_sender(archive, mail);
    archive_keep_subject(archive, mail);
    archive_write_line(archive, mail, archive_fold_body(mail));
    archive->stored++;
    return 0;
}

unsigned long archive_stored(void *opened) { return ((struct archive *)opened)->stored; }

void archive_close(void *opened) {
    struct archive *archive = opened;
    while (archive->senders_used != 0) archive_forget_sender(archive);
    for (int i = 0; i < SUBJECTS; i++) free(archive->subjects[i]);
    for (int i = 0; i < DOMAINS; i++) {
        if (archive->domains[i] != NULL) free(archive->domains[i]->name);
        free(archive->domains[i]);
    }
    free(archive->line);
    free(archive);
}
