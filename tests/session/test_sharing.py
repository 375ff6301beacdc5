"""Threads share a session, sessions share a device, and what a session held is given back."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from harness import device
from opencl_spy import live_buffers, watch

from clnet.errors import InputError
from clnet.graph import Graph, GraphBuilder
from clnet.ops.elementwise import elementwise
from clnet.session.session import Session

SHAPE = (5, 700)
MEGABYTE = 1 << 20


def graph(factor: float, shape: tuple[int, ...] = SHAPE, weight_bytes: int = 4) -> Graph:
    """tanh(x) · factor + x, the factor in a weight of that size, in three kernels at most."""
    build = GraphBuilder("graph")
    x = build.input("x", shape, "float32")
    weight = build.constant(np.full((weight_bytes // 4, 1, 1), factor, np.float32), "weight")
    scaled = build.add(elementwise("Mul"), build.add(elementwise("Tanh"), x), weight)
    build.output(build.add(elementwise("Add"), scaled, x), "y")
    return build.graph


def open_session(factor: float, **rest: object) -> Session:
    return Session(lambda _: graph(factor, **rest), device())  # type: ignore[arg-type]


def inputs(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-2, 2, SHAPE).astype(np.float32)


def expected(x: np.ndarray, factor: float) -> np.ndarray:
    return (np.tanh(x) * np.float32(factor) + x)[None]


def test_threads_share_a_session() -> None:
    """Each gets the answer to its own question."""
    with open_session(2) as session, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda seed: session.run(inputs(seed))["y"], range(80))
        for seed, y in enumerate(answers):
            np.testing.assert_allclose(y, expected(inputs(seed), 2), rtol=1e-5, atol=1e-5)


def test_sessions_share_a_device() -> None:
    """They are made, run and closed at the same time, each with weights of its own."""

    def work(factor: int) -> None:
        with open_session(factor) as session:
            for seed in range(10):
                y = session.run(inputs(seed))["y"]
                np.testing.assert_allclose(y, expected(inputs(seed), factor), rtol=1e-5, atol=1e-5)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(1, 9)))


def test_a_mapped_input_is_the_threads_own_until_the_block_ends() -> None:
    entered, finished = threading.Event(), threading.Event()
    with open_session(1) as session:

        def run_beside() -> None:
            entered.wait()
            session.run(inputs(1))
            finished.set()

        other = threading.Thread(target=run_beside)
        other.start()
        with session.map_input("x") as view:
            entered.set()
            view[...] = inputs(0)
            assert not finished.wait(0.2)
        other.join()


def test_closing_gives_back_every_buffer() -> None:
    with watch(device()) as calls:
        for number in range(5):
            session = open_session(number)
            session.run(inputs(number))
            assert live_buffers(calls) > 0
            session.close()
            assert live_buffers(calls) == 0


def test_collection_gives_back_every_buffer() -> None:
    with watch(device()) as calls:
        session = open_session(3)
        session.run(inputs(0))
        assert live_buffers(calls) > 0
        del session
        gc.collect()
        assert live_buffers(calls) == 0


def test_other_shapes_release_what_the_old_ones_held() -> None:
    def source(shapes):  # type: ignore[no-untyped-def]
        return graph(1, shape=tuple(shapes["x"]) if shapes else SHAPE)

    with watch(device()) as calls:
        session = Session(source, device())
        session.run(np.zeros((5, 700), np.float32))
        held = live_buffers(calls)
        for rows in (3, 9, 4):
            session.run(np.zeros((rows, 700), np.float32))
            assert live_buffers(calls) == held
        session.close()
        assert live_buffers(calls) == 0


def test_fifty_sessions_need_no_more_memory_than_a_few() -> None:
    """Each holds 8 MB of weights and an output of its own; growth would show as 1.6 GB."""

    def cycle() -> None:
        with open_session(1, shape=(1, 1), weight_bytes=8 * MEGABYTE) as session:
            session.run(np.ones((1, 1), np.float32))

    for _ in range(5):
        cycle()
    before = resident()
    for _ in range(50):
        cycle()
    assert resident() - before < 40 * MEGABYTE


def resident() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_a_closed_session_says_so() -> None:
    session = open_session(1)
    session.close()
    session.close()
    for use in (lambda: session.run(inputs(0)), lambda: session.execute()):
        with pytest.raises(InputError, match="closed"):
            use()
