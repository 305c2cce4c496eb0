"""Counts, from the format's description and independently of unfreed and of any library, what logs hold of images,
processes, stacks and symbols. It looks at headers only, and of stacks at the record that they name:

    python3 tests/etl/byhand.py FILE...

For each file a line `NAME said KEY:COUNT ...`, the keys as in tests/etl_real.rs, then `NAME walks FRAMES KERNEL-KEYS USER-KEYS STRAYS`.
Buffers are unpacked (plain XPRESS, MS-XCA 2.4) by a few lines of its own, too. Zip files: their first .etl.
"""

import struct
import sys
import zipfile
from collections import Counter, defaultdict
from pathlib import Path
from uuid import UUID

GROUPS = {
    UUID("3d6fa8d0-fe05-11d0-9dda-00c04fd7ba7c"): 3,
    UUID("2cb15d1d-5fc1-11d2-abe1-00a0c911f518"): 0x14,
    UUID("def2fe46-7bd6-4b80-bd94-f57fe20d0ce3"): 0x18,
    UUID("222962ab-6180-4b88-a825-346b75f2a24a"): 0x10,
    UUID("b3e675d7-2554-4f18-830b-2762732560de"): "symbols",
}
HEADER = {1: 32, 2: 32, 3: 24, 4: 24, 10: 48, 20: 48, 11: 72, 21: 72, 16: 16, 17: 16, 18: 80, 19: 80}
NARROW = {1, 3, 10, 11, 16, 18}


def load(path):
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".etl")))


def xpress(packed, room):
    out, at, half, left, flags = bytearray(), 0, None, 0, 0
    while len(out) < room:
        if left == 0:
            flags, left, at = struct.unpack_from("<I", packed, at)[0], 32, at + 4
        left -= 1
        if not flags >> left & 1:
            out.append(packed[at])
            at += 1
            continue
        (token,) = struct.unpack_from("<H", packed, at)
        at += 2
        length = token & 7
        if length == 7:
            if half is None:
                half, length, at = at, packed[at] & 15, at + 1
            else:
                length, half = packed[half] >> 4, None
            if length == 15:
                length, at = packed[at], at + 1
                if length == 255:
                    length, at = struct.unpack_from("<H", packed, at)[0], at + 2
                    if length == 0:
                        length, at = struct.unpack_from("<I", packed, at)[0], at + 4
                    length -= 22
                length += 15
            length += 7
        back = (token >> 3) + 1
        for _ in range(length + 3):
            out.append(out[-back])
    return bytes(out)


def records(data):
    """Every record as (kind, group, opcode, version, thread, time, payload)."""
    place = 0
    while place < len(data):
        (size,) = struct.unpack_from("<I", data, place)
        end, flags = struct.unpack_from("<IH", data, place + 0x30)
        buffer = data[place + 0x48 : place + size]
        if flags & 0x40:
            buffer = xpress(buffer, end - 0x48)
        at, end = 0, end - 0x48
        while at < end:
            kind = buffer[at + 2]
            (length,) = struct.unpack_from("<H", buffer, at + (4 if kind in (1, 2, 3, 4, 16, 17) else 0))
            record = buffer[at : at + length]
            at += length + 7 & ~7
            if kind not in HEADER:
                continue
            header, thread = HEADER[kind], None
            (time,) = struct.unpack_from("<Q", record, 8 if kind in (16, 17) else 16)
            if kind in (1, 2, 3, 4, 16, 17):
                version, opcode, group = struct.unpack_from("<H", record)[0], record[6], record[7]
                if kind in (16, 17):
                    header += 8 * (version >> 15) + 8 * (version >> 8 & 7)
                    version &= 255
            else:
                group = GROUPS.get(UUID(bytes_le=record[24:40]))
                opcode, (version,) = record[4], struct.unpack_from("<H", record, 6)
                if kind in (18, 19):
                    version, opcode = record[42], record[45]
                    (item,) = struct.unpack_from("<H", record, 4)
                    more = item & 1
                    while more:
                        (step,) = struct.unpack_from("<H", record, header)
                        more = record[header + 4] & 1
                        header += step
            if kind not in (16, 17):
                (thread,) = struct.unpack_from("<I", record, 8)
            yield kind, group, opcode, version, thread, time, record[header:]
        place += size


def name_of(group, opcode):
    if group == 0x14 and opcode in (2, 3, 4, 10) or (group, opcode) == (3, 10):
        return "image"
    if group == 3 and opcode in (1, 2, 3, 4):
        return "process"
    return {"symbols": "symbols", 0x10: "heap"}.get(group)


def main():
    for path in map(Path, sys.argv[1:]):
        said, walks, logged, stacks = Counter(), Counter(), defaultdict(set), []
        for kind, group, opcode, version, thread, time, payload in records(load(path)):
            if group == 0x18 and opcode in (0x20, 0x23, 0x24, 0x25, 0x26):
                if opcode in (0x20, 0x25, 0x26):
                    of, _, tid = struct.unpack_from("<QII", payload)
                    stacks.append((of, tid))
                    walks[opcode] += 1
                continue
            logged[time].add(thread)
            name = name_of(group, opcode)
            if name:
                said[f"{name}_{opcode}_v{version}"] += 1
        strays = sum(not ({None, tid} & logged.get(of, set())) for of, tid in stacks)
        print(path.name, "said", *(f"{key}:{said[key]}" for key in sorted(said)))
        print(path.name, "walks", walks[0x20], walks[0x25], walks[0x26], strays)


if __name__ == "__main__":
    main()
