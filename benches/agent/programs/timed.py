"""Runs a Python program as if it had been started itself, and then prints the processor time that
the process has taken: `timed.py PROGRAM ARGUMENTS...`."""

import resource
import runpy
import sys

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
usage = resource.getrusage(resource.RUSAGE_SELF)
print(f"process_ns={round((usage.ru_utime + usage.ru_stime) * 1e9)}")
