// A message server with the allocation habits of one, and none of its own leaks: sessions that come
// and go, an LRU cache that fills and is flat, a queue that swells under load, a log buffer that
// grows by realloc, routes loaded while it warms up. It talks to its own client over a socket pair
// per worker, so that it needs no port. Each message goes through a plug-in (see plugin.cpp).
//
//   server --plugin PATH [--messages N] [--threads T] [--rate R/s, 0 = as fast as possible]
//          [--wait]  after the last message, wait for SIGTERM or SIGINT
//
// It prints `warm-up done` once what stays is loaded and no message has been handled, `load done`
// after the last message, and at the end `handled=N stored=N`. SIGTERM and SIGINT end it cleanly
// after the messages already sent.

#include <dlfcn.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "archiver.h"

namespace {

volatile sig_atomic_t stopped = 0;

void stop(int) { stopped = 1; }

struct Options {
    unsigned long messages = 10000;
    unsigned threads = 4;
    unsigned long rate = 0;
    const char *plugin = nullptr;
    bool wait = false;
};

struct Message {
    std::string sender, recipient, subject, body;
};

struct Plugin {
    void *library;
    void *archive;
    archiver_store_function *store;
    archiver_stored_function *stored;
    archiver_close_function *close;
};

// The latest rendered bodies by subject; at most `capacity`, then the oldest goes.
class Cache {
public:
    void touch(const std::string &key, const std::string &body) {
        std::lock_guard<std::mutex> guard(lock_);
        auto found = index_.find(key);
        if (found != index_.end()) {
            order_.splice(order_.begin(), order_, found->second);
            return;
        }
        order_.emplace_front(key, render(body));
        index_[key] = order_.begin();
        if (order_.size() > capacity) {
            index_.erase(order_.back().first);
            order_.pop_back();
        }
    }

private:
    static constexpr std::size_t capacity = 512;

    __attribute__((noinline)) static std::string render(const std::string &body) {
        return "<html><body>" + body + "</body></html>";
    }

    std::mutex lock_;
    std::list<std::pair<std::string, std::string>> order_;
    std::unordered_map<std::string, std::list<std::pair<std::string, std::string>>::iterator> index_;
};

// One per sender, replaced by a fresh one after 50 messages.
class Sessions {
public:
    void note(const Message &message) {
        std::lock_guard<std::mutex> guard(lock_);
        auto &session = sessions_[message.sender];
        if (!session || session->size() == 50) session = std::make_unique<std::vector<std::string>>();
        session->push_back(message.recipient + " <- " + message.subject);
    }

private:
    std::mutex lock_;
    std::map<std::string, std::unique_ptr<std::vector<std::string>>> sessions_;
};

// Grows by realloc up to 256 KiB, then starts over in the same block.
class Log {
public:
    ~Log() { std::free(text_); }

    __attribute__((noinline)) void append(const std::string &line) {
        std::lock_guard<std::mutex> guard(lock_);
        if (used_ + line.size() > limit) used_ = 0;
        if (used_ + line.size() > size_) {
            size_ = size_ == 0 ? 1024 : size_ * 2;
            text_ = static_cast<char *>(std::realloc(text_, size_));
            if (text_ == nullptr) std::abort();
        }
        std::memcpy(text_ + used_, line.data(), line.size());
        used_ += line.size();
    }

private:
    static constexpr std::size_t limit = 256 * 1024;
    std::mutex lock_;
    char *text_ = nullptr;
    std::size_t used_ = 0, size_ = 0;
};

class Queue {
public:
    // Waits while 1,000 messages are queued.
    void push(std::unique_ptr<Message> message) {
        std::unique_lock<std::mutex> guard(lock_);
        room_.wait(guard, [this] { return waiting_.size() < 1000; });
        waiting_.push_back(std::move(message));
        ready_.notify_one();
    }

    // Nothing once it is closed and empty.
    std::unique_ptr<Message> pop() {
        std::unique_lock<std::mutex> guard(lock_);
        ready_.wait(guard, [this] { return closed_ || !waiting_.empty(); });
        if (waiting_.empty()) return nullptr;
        auto message = std::move(waiting_.front());
        waiting_.pop_front();
        room_.notify_one();
        return message;
    }

    void close() {
        std::lock_guard<std::mutex> guard(lock_);
        closed_ = true;
        ready_.notify_all();
    }

private:
    std::mutex lock_;
    std::condition_variable ready_, room_;
    std::deque<std::unique_ptr<Message>> waiting_;
    bool closed_ = false;
};

class Server {
public:
    explicit Server(const Plugin &plugin) : plugin_(plugin) {}

    // Loads what stays for the server's life.
    __attribute__((noinline)) void warm_up() {
        for (int i = 0; i < 2000; i++)
            routes_["user" + std::to_string(i) + "@recipients.example.org"] =
                "/var/mail/spool/" + std::to_string(i % 17) + "/inbox";
    }

    void receive(int socket) {
        std::string frame;
        while (read_frame(socket, frame)) queue_.push(parse(frame));
    }

    void work() {
        while (auto message = queue_.pop()) handle(*message);
    }

    void no_more() { queue_.close(); }

    unsigned long handled() const { return handled_.load(); }

private:
    static bool read_exactly(int socket, void *to, std::size_t length) {
        auto *bytes = static_cast<char *>(to);
        while (length != 0) {
            ssize_t count = read(socket, bytes, length);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return false;
            bytes += count;
            length -= static_cast<std::size_t>(count);
        }
        return true;
    }

    static bool read_frame(int socket, std::string &frame) {
        unsigned length;
        if (!read_exactly(socket, &length, sizeof length) || length > 65536) return false;
        frame.resize(length);
        return read_exactly(socket, &frame[0], length);
    }

    // Four fields, separated by newlines; the body is the last and may hold more.
    __attribute__((noinline)) static std::unique_ptr<Message> parse(const std::string &frame) {
        auto message = std::make_unique<Message>();
        std::size_t from = 0;
        for (std::string *field : {&message->sender, &message->recipient, &message->subject}) {
            std::size_t end = frame.find('\n', from);
            *field = frame.substr(from, end - from);
            from = end + 1;
        }
        message->body = frame.substr(from);
        return message;
    }

    __attribute__((noinline)) void handle(const Message &message) {
        auto route = routes_.find(message.recipient);
        std::string target = route == routes_.end() ? "dead-letter" : route->second;
        sessions_.note(message);
        cache_.touch(message.subject, message.body);
        archiver_message archived{message.sender.c_str(), message.recipient.c_str(),
                                  message.subject.c_str(), message.body.data(),
                                  message.body.size()};
        plugin_.store(plugin_.archive, &archived);
        log_.append(message.sender + " -> " + target + ": " + message.subject + "\n");
        handled_++;
    }

    const Plugin &plugin_;
    std::map<std::string, std::string> routes_;
    Sessions sessions_;
    Cache cache_;
    Log log_;
    Queue queue_;
    std::atomic<unsigned long> handled_{0};
};

// Sends message `number`; the numbers decide its content, so that two runs are alike.
bool send_message(int socket, unsigned long number) {
    std::string frame = "sender" + std::to_string(number % 64) + "@senders.of.domain" +
                        std::to_string(number % 64 % 7) + ".example.org\n" + "user" +
                        std::to_string(number * 31 % 2000) + "@recipients.example.org\n" +
                        "Report number " + std::to_string(number * 7919 % 3000) + "\n" +
                        std::string(40 + number % 400, 'x');
    auto length = static_cast<unsigned>(frame.size());
    frame.insert(0, reinterpret_cast<const char *>(&length), sizeof length);
    const char *bytes = frame.data();
    std::size_t left = frame.size();
    while (left != 0) {
        ssize_t count = write(socket, bytes, left);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        bytes += count;
        left -= static_cast<std::size_t>(count);
    }
    return true;
}

// Sleeps until message `number` is due; returns early when the server is told to stop.
void wait_until_due(const timespec &start, unsigned long number, unsigned long rate) {
    const long long due = static_cast<long long>(number) * 1000000000LL / static_cast<long long>(rate);
    while (!stopped) {
        timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        long long left = due - ((now.tv_sec - start.tv_sec) * 1000000000LL + now.tv_nsec - start.tv_nsec);
        if (left <= 0) return;
        timespec slice{0, static_cast<long>(left < 20000000 ? left : 20000000)};
        nanosleep(&slice, nullptr);
    }
}

void run_client(const std::vector<int> &sockets, const Options &options) {
    timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (unsigned long number = 0; number < options.messages && !stopped; number++) {
        if (options.rate != 0) wait_until_due(start, number, options.rate);
        if (!send_message(sockets[number % sockets.size()], number)) break;
    }
    for (int socket : sockets) close(socket);
}

template <typename Function>
Function *find(void *library, const char *name) {
    void *symbol = dlsym(library, name);
    if (symbol == nullptr) {
        std::fprintf(stderr, "server: no %s in the plug-in\n", name);
        std::exit(2);
    }
    return reinterpret_cast<Function *>(symbol);
}

Plugin load(const char *path) {
    Plugin plugin;
    plugin.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (plugin.library == nullptr) {
        std::fprintf(stderr, "server: %s\n", dlerror());
        std::exit(2);
    }
    plugin.store = find<archiver_store_function>(plugin.library, "archiver_store");
    plugin.stored = find<archiver_stored_function>(plugin.library, "archiver_stored");
    plugin.close = find<archiver_close_function>(plugin.library, "archiver_close");
    plugin.archive = find<archiver_open_function>(plugin.library, "archiver_open")();
    return plugin;
}

Options parse_options(int count, char **arguments) {
    Options options;
    for (int i = 1; i < count; i++) {
        std::string name = arguments[i];
        const char *value = i + 1 < count ? arguments[i + 1] : "";
        if (name == "--wait") {
            options.wait = true;
            continue;
        }
        if (name == "--messages") options.messages = std::strtoul(value, nullptr, 10);
        else if (name == "--threads") options.threads = static_cast<unsigned>(std::atoi(value));
        else if (name == "--rate") options.rate = std::strtoul(value, nullptr, 10);
        else if (name == "--plugin") options.plugin = value;
        else std::exit((std::fprintf(stderr, "server: unknown option %s\n", name.c_str()), 2));
        i++;
    }
    if (options.plugin == nullptr || options.threads == 0 || options.threads > 64) {
        std::fprintf(stderr, "server: --plugin PATH and 1 to 64 --threads are needed\n");
        std::exit(2);
    }
    return options;
}

void announce(const char *line) {
    std::puts(line);
    std::fflush(stdout);
}

}  // namespace

int main(int count, char **arguments) {
    const Options options = parse_options(count, arguments);
    struct sigaction action {};
    action.sa_handler = stop;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    signal(SIGPIPE, SIG_IGN);

    Plugin plugin = load(options.plugin);
    unsigned long handled;
    {
        Server server(plugin);
        server.warm_up();
        announce("warm-up done");

        std::vector<int> ours, theirs;
        std::vector<std::thread> receivers, workers;
        for (unsigned i = 0; i < options.threads; i++) {
            int pair[2];
            if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) std::abort();
            ours.push_back(pair[0]);
            theirs.push_back(pair[1]);
            receivers.emplace_back([&server, socket = pair[0]] { server.receive(socket); });
            workers.emplace_back([&server] { server.work(); });
        }
        run_client(theirs, options);
        for (auto &receiver : receivers) receiver.join();
        server.no_more();
        for (auto &worker : workers) worker.join();
        for (int socket : ours) close(socket);
        handled = server.handled();
        announce("load done");
        while (options.wait && !stopped) {
            timespec slice{0, 20000000};
            nanosleep(&slice, nullptr);
        }
    }
    const unsigned long stored = plugin.stored(plugin.archive);
    plugin.close(plugin.archive);
    dlclose(plugin.library);
    std::printf("handled=%lu stored=%lu\n", handled, stored);
    return 0;
}
