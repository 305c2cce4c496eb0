"""Counts buffers and records by kind of header in event trace logs, twice and independently of unfreed:

* by PyPI's dissect.etl (AGPL: an oracle for this test, never a dependency), where it is importable;
* by a walk of its own, which unpacks compressed buffers with the few lines of `byhand.py`.

For each file one line: name, who counted, buffers, then KIND:COUNT for each kind. Zip files: their first .etl.
"""

import io
import struct
import sys
import zipfile
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True  # Nothing is left in the sources' directory.
from byhand import xpress  # noqa: E402

try:
    from dissect.etl import ETL
except ImportError:
    ETL = None


def load(path):
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".etl"))
        return archive.read(name)


def by_dissect(data):
    log = ETL(io.BytesIO(data))
    buffers, kinds = 0, Counter()
    for buffer in log.buffers():
        buffers += 1
        kinds.update(record.header.marker >> 16 & 0xFF for record in buffer)
    return buffers, kinds


def by_hand(data):
    place, buffers, kinds = 0, 0, Counter()
    while place < len(data):
        (size,) = struct.unpack_from("<I", data, place)
        end, flags = struct.unpack_from("<IH", data, place + 0x30)
        buffers += 1
        at, end = 0, end - 0x48
        buffer = data[place + 0x48 : place + size]
        if flags & 0x40:
            buffer = xpress(buffer, end)
            assert len(buffer) == end, f"the buffer at {place:#x} unpacks to {len(buffer)}, not {end}"
        while at < end:
            kind, marker = buffer[at + 2], buffer[at + 3]
            assert marker & 0x80, f"no record at {at:#x} of the buffer at {place:#x}"
            where = 4 if kind in (1, 2, 3, 4, 16, 17) else 0
            (length,) = struct.unpack_from("<H", buffer, at + where)
            assert length >= 8, f"no record at {at:#x} of the buffer at {place:#x}"
            kinds[kind] += 1
            at += length + 7 & ~7
        assert at in (end, end + 7 & ~7), f"records of the buffer at {place:#x} end at {at:#x}"
        place += size
    return buffers, kinds


def main():
    for path in map(Path, sys.argv[1:]):
        data = load(path)
        for who, count in ("dissect", by_dissect if ETL else None), ("hand", by_hand):
            if count:
                buffers, kinds = count(data)
                told = " ".join(f"{int(kind)}:{n}" for kind, n in sorted(kinds.items()))
                print(path.name, who, buffers, told)


main()
