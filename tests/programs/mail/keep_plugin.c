/* A mail plug-in of Dovecot that keeps a block of 200 bytes for every user it meets and never frees it:
 * lmtp makes a user per recipient of a message. Declares the little of Dovecot's interface that it
 * needs (mail-storage-hooks.h has more hooks than one; the rest stay NULL), so that Dovecot's development
 * files are not needed. It gives no version, and Dovecot then compares none.
 */
#include <stdlib.h>
#include <string.h>

struct module;
struct mail_user;
struct mail_storage_hooks {
    void (*mail_user_created)(struct mail_user *user);
    void (*others[31])(void);
};

void mail_storage_hooks_add(struct module *module, const struct mail_storage_hooks *hooks);
void mail_storage_hooks_remove(const struct mail_storage_hooks *hooks);

void keep_plugin_init(struct module *module);
void keep_plugin_deinit(void);

static void *volatile latest;

static void keep_user(struct mail_user *user) {
    (void)user;
    void *kept = malloc(200);
    if (kept != NULL)
        memset(kept, 1, 200);
    latest = kept;
}

static const struct mail_storage_hooks hooks = {.mail_user_created = keep_user};

void keep_plugin_init(struct module *module) {
    mail_storage_hooks_add(module, &hooks);
}

void keep_plugin_deinit(void) {
    mail_storage_hooks_remove(&hooks);
}
