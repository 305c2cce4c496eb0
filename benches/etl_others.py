"""How fast other readers walk the records of event trace logs, to set beside `ETL=FILE cargo bench --bench etl real`
(run both at once after the other on the same machine):

    python3 -m venv DIR && DIR/bin/pip install dissect.etl==3.14 etl-parser==1.0.1
    DIR/bin/python benches/etl_others.py FILE...

For each file and reader: records, seconds of processor time, MB/s of the file. Neither is a dependency of unfreed: both only compare.
"""

import io
import sys
import time
from pathlib import Path


def by_dissect(data):
    from dissect.etl import ETL

    return sum(1 for buffer in ETL(io.BytesIO(data)).buffers() for _ in buffer)


def by_etl_parser(data):
    from etl.etl import IEtlFileObserver, build_from_stream

    class Counter(IEtlFileObserver):
        count = 0

        def seen(self, _):
            self.count += 1

        on_system_trace = on_perfinfo_trace = on_trace_record = seen
        on_event_record = on_win_trace = seen

    counter = Counter()
    build_from_stream(data).parse(counter)
    return counter.count


def main():
    for path in map(Path, sys.argv[1:]):
        data = path.read_bytes()
        for who, read in ("dissect.etl", by_dissect), ("etl-parser", by_etl_parser):
            began = time.process_time()
            try:
                told = f"{read(data)} records"
            except Exception as error:  # What a reader cannot do is a result, too.
                told = f"failed: {type(error).__name__}: {error}"[:80]
            took = time.process_time() - began
            print(f"{path.name} {who}: {told}, {took:.2f} s, {len(data) / took / 1e6:.2f} MB/s", flush=True)


main()
