/* A message plug-in that gives each message a new topic, as the API allows (mosquitto_broker.h,
 * MOSQ_EVT_MESSAGE). The string is the broker's from then on; the broker drops the old topic
 * without freeing it (before 2.0.15): one block per publish, allocated in packet__read_string. */
#include <stddef.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <mosquitto.h>

static mosquitto_plugin_id_t *identity;

static int on_message(int event, void *data, void *user) {
    struct mosquitto_evt_message *message = data;
    (void)event, (void)user;
    message->topic = mosquitto_strdup("rewritten/by/plugin");
    return message->topic ? MOSQ_ERR_SUCCESS : MOSQ_ERR_NOMEM;
}

int mosquitto_plugin_version(int count, const int *versions) {
    for (int i = 0; i < count; i++)
        if (versions[i] == 5) return 5;
    return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **user, struct mosquitto_opt *options, int count) {
    (void)user, (void)options, (void)count;
    identity = id;
    return mosquitto_callback_register(id, MOSQ_EVT_MESSAGE, on_message, NULL, NULL);
}

int mosquitto_plugin_cleanup(void *user, struct mosquitto_opt *options, int count) {
    (void)user, (void)options, (void)count;
    return mosquitto_callback_unregister(identity, MOSQ_EVT_MESSAGE, on_message, NULL);
}
