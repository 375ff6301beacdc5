"""clnet beside other runtimes: `python -m benchmarks.peers --help`."""
