"""Speed and memory of the library beside other simulators, as `python -m benchmarks` from the root of a checkout."""
