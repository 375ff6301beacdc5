"""SGEMM by CLBlast as it is and as tuned here, in two processes that take turns.

    python -m benchmarks.clblast_products [--device DEVICE] [--size N]... [--rounds N]

What is recorded for the device (`clnet tune --blas`) is in force in one of them.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

import numpy as np

from clnet.cli.output import print_table
from clnet.runtime import blas
from clnet.runtime.devices import find_device
from clnet.runtime.memory import Buffer
from clnet.session.tuned import tuned_choice
from clnet.tuning.clblast_problems import Problem

#: Runs are repeated until a sample takes so many seconds.
SAMPLE_SECONDS = 0.2


def serve(selector: str | None, tuned: bool, sizes: list[int]) -> None:
    """Answer every line, the number of a size, with seconds of a product of that size."""
    device = find_device(selector)
    if tuned:
        tuned_choice(device)
    queue, rng = device.new_queue(), np.random.default_rng(0)
    products = []
    for n in sizes:
        problem = Problem("gemm", (n, n, n))
        operands = problem.operands(rng, "float32")
        buffers = [Buffer(device.context, 4 * n * n, device.memory_policy) for _ in operands]
        for buffer, operand in zip(buffers, operands, strict=True):
            with buffer.map(queue, device.uploads, (n * n,), "float32", write=True) as view:
                view[...] = operand
        product = blas.bind(problem.call("float32"), queue, [b.cl_buffer for b in buffers])
        product()
        with buffers[-1].map(queue, device.uploads, (n * n,), "float32", write=False) as view:
            np.testing.assert_allclose(view, problem.solve(operands), atol=1e-5 * n)
        products.append(product)
    print("ready", flush=True)
    for line in sys.stdin:
        product, count, started = products[int(line)], 0, time.perf_counter()
        while count == 0 or time.perf_counter() - started < SAMPLE_SECONDS:
            product()
            queue.finish()
            count += 1
        print((time.perf_counter() - started) / count, flush=True)


def main() -> None:
    """Measure in turn and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device")
    parser.add_argument("--size", type=int, action="append", help="(default: 256, 512, 1024)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--serve", choices=("untuned", "tuned"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = arguments.size or [256, 512, 1024]
    if arguments.serve:
        serve(arguments.device, arguments.serve == "tuned", sizes)
        return
    servers = []
    for name in ("untuned", "tuned"):
        command = [sys.executable, "-m", "benchmarks.clblast_products", *sys.argv[1:]]
        servers.append(
            subprocess.Popen(
                [*command, "--serve", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, bufsize=1,
            )
        )  # fmt: skip
    for server in servers:
        assert server.stdout is not None
        if server.stdout.readline() != "ready\n":
            raise SystemExit("a process ended early")
    rows = []
    for number, n in enumerate(sizes):
        rates = [[_ask(server, number, n) for server in servers] for _ in range(arguments.rounds)]
        untuned, tuned = (statistics.median(r) for r in zip(*rates, strict=True))
        gains = [b / a for a, b in rates]
        shown = f"{statistics.median(gains):.1f}", f"{min(gains):.1f} - {max(gains):.1f}"
        rows.append((n, f"{untuned:.1f}", f"{tuned:.1f}", *shown))
    for server in servers:
        server.kill()
        server.wait()
    print_table(("size", "untuned GFLOP/s", "tuned GFLOP/s", "gain", "range"), rows, "rrrr")


def _ask(server: subprocess.Popen[str], number: int, n: int) -> float:
    """GFLOP/s of a sample."""
    assert server.stdin is not None and server.stdout is not None
    server.stdin.write(f"{number}\n")
    return 2e-9 * n**3 / float(server.stdout.readline())


if __name__ == "__main__":
    main()
