"""Proves that an interpreter is traced correctly: JSON and regular expressions, always the same,
for a few seconds. Prints how many rounds and a checksum that must be the same with and without a
tracer. `workload.py [ROUNDS]`, 60 by default; needs only the standard library."""

import json
import re
import sys
import zlib

ADDRESS = re.compile(r"(?P<user>[a-z]+[0-9]*)@(?P<host>(?:[a-z]+\.)+[a-z]{2,})")


def message(number):
    return {
        "from": f"sender{number % 64}@mail.example.org",
        "to": [f"user{number * 31 % 2000}@host.example.net" for _ in range(number % 5 + 1)],
        "subject": f"Report number {number * 7919 % 3000}",
        "headers": {f"X-Header-{i}": "value " * (i % 7) for i in range(12)},
        "size": number * 1.5,
    }


def one_round(number, total):
    text = json.dumps([message(number * 200 + i) for i in range(200)], indent=1)
    for entry in json.loads(text):
        text += " ".join(entry["to"])
    hosts = {match["host"] for match in ADDRESS.finditer(text)}
    text = ADDRESS.sub(lambda match: match["user"].upper(), text)
    return zlib.crc32(text.encode() + ",".join(sorted(hosts)).encode(), total)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    total = 0
    for number in range(rounds):
        total = one_round(number, total)
    print(f"rounds={rounds} checksum={total}")


main()
