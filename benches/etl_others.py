"""How fast other readers walk the records of event trace logs, beside unfreed in the same run:

    python3 -m venv DIR && DIR/bin/pip install dissect.etl==3.14 etl-parser==1.0.1
    cargo bench --bench etl --no-run        # says where the program is
    BENCH=target/release/deps/etl-HASH DIR/bin/python benches/etl_others.py FILE...

Each in turn, three times; without `BENCH` only the others. For each file and reader: records, the fastest in milliseconds of processor
time (of unfreed the fastest of sixty in each turn, by the clock on the wall), MB/s of the file as it is stored, and how many times as
long as unfreed it takes, which also makes events of the records (`real_events`; `real` only walks them). None is a dependency
of unfreed: they only compare.
"""

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

# Here, as the second alone takes seconds.
from dissect.etl import ETL
from etl.etl import IEtlFileObserver, build_from_stream

TURNS = 3
UNITS = {"ns": 1e-9, "\u00b5s": 1e-6, "ms": 1e-3, "s": 1}


def by_dissect(data):
    return sum(1 for buffer in ETL(io.BytesIO(data)).buffers() for _ in buffer)


def by_etl_parser(data):
    class Counter(IEtlFileObserver):
        count = 0

        def seen(self, _):
            self.count += 1

        on_system_trace = on_perfinfo_trace = on_trace_record = seen
        on_event_record = on_win_trace = seen

    counter = Counter()
    build_from_stream(data).parse(counter)
    return counter.count


def timed(read, data):
    began = time.process_time()
    try:
        told = f"{read(data)} records"
    except Exception as error:  # What a reader cannot do is a result, too.
        told = f"fails: {type(error).__name__}: {error}"[:80]
    return told, time.process_time() - began


def by_unfreed(path):
    """Fastest of `real` and of `real_events`, in seconds."""
    command = [os.environ["BENCH"], "--bench", "real", "--sample-count", "60"]
    run = subprocess.run(command, env={**os.environ, "ETL": str(path)}, capture_output=True, text=True, check=True)
    found = re.findall(r"(real\w*) +([\d.]+) (\S+)", run.stdout)
    return {name: float(number) * UNITS[unit] for name, number, unit in found}


def main():
    for path in map(Path, sys.argv[1:]):
        data = path.read_bytes()
        told, fastest = {}, {}
        for _ in range(TURNS):
            turn = by_unfreed(path) if "BENCH" in os.environ else {}
            for who, read in ("dissect.etl", by_dissect), ("etl-parser", by_etl_parser):
                told[who], turn[who] = timed(read, data)
            for who, took in turn.items():
                fastest[who] = min(took, fastest.get(who, took))
        for who, took in fastest.items():
            ratio = f", {took / fastest['real_events']:.1f}" if "BENCH" in os.environ else ""
            rate = f"{took * 1e3:.2f} ms, {len(data) / took / 1e6:.2f} MB/s{ratio}"
            print(f"{path.name} {who}: {told.get(who, 'unfreed')}, {rate}", flush=True)


main()
