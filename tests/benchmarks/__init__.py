"""Side by side in one run: this job and what else people use. `python -m tests.benchmarks`, or `make bench`.

`stand_in` is the API without its slowness, `rivals` the other clients, `processes` starts and measures; the
four parts are `drain`, `processor`, `memory` and `start`; `tables` prints and writes what came of it.
"""
