"""A web server as people write them: JSON, a cache of the most recent, one with a time to live, searching,
compression, a database in memory of bounded size. Nothing in it grows for longer than it takes to fill.

    server.py threads|loop PORT
"""

import asyncio
import functools
import json
import re
import signal
import sqlite3
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RECENT = 200
FRESH_FOR = 20.0
STORED = 500

fresh = {}
guard = threading.Lock()
database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("create table stored (key integer primary key, text text)")


def document(key):
    return {"key": key, "items": [{"n": n, "text": "x" * (n % 17)} for n in range(key % 60)]}


@functools.lru_cache(maxsize=RECENT)
def recent(key):
    return json.dumps(document(key))


def answer(path):
    what, key = path.strip("/").split("/")
    key = int(key)
    if what == "json":
        return json.dumps(json.loads(json.dumps(document(key)))).encode()
    if what == "recent":
        return recent(key).encode()
    if what == "fresh":
        now = time.monotonic()
        with guard:
            for old in [k for k, (born, _) in fresh.items() if now - born > FRESH_FOR]:
                del fresh[old]
            if key not in fresh:
                fresh[key] = (now, json.dumps(document(key)))
            return fresh[key][1].encode()
    if what == "search":
        pattern = re.compile(r"(x{%d,})" % (key % 40))
        return str(len(pattern.findall(json.dumps(document(59))))).encode()
    if what == "packed":
        return zlib.compress(json.dumps(document(key)).encode())
    with guard:
        database.execute("insert or replace into stored values (?, ?)", (key, "y" * (key % 300)))
        database.execute("delete from stored where key = ?", ((key + STORED) % 2000,))
        return str(database.execute("select count(*) from stored").fetchone()[0]).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = answer(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


async def talk(reader, writer):
    try:
        while True:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            body = answer(request.split(" ")[1])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            if "Connection: close" in request:
                return
    except asyncio.IncompleteReadError:
        pass
    finally:
        writer.close()


async def loop(port):
    server = await asyncio.start_server(talk, "127.0.0.1", port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
    try:
        await server.serve_forever()
    except asyncio.CancelledError:
        pass


def threads(port):
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


if sys.argv[1] == "threads":
    threads(int(sys.argv[2]))
else:
    asyncio.run(loop(int(sys.argv[2])))
