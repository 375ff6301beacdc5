"""Small launches joined into one compute what they compute one by one."""

from __future__ import annotations

import subprocess
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from evaluate import evaluate
from harness import assert_close, device

from clnet.calls import Chain, HostCall, In, KernelCall, Out
from clnet.graph import Graph, GraphBuilder
from clnet.ops.conv import Conv
from clnet.ops.elementwise import elementwise
from clnet.ops.gemm import Gemm
from clnet.ops.pooling import AveragePool, MaxPool
from clnet.ops.reduce import Reduce
from clnet.ops.reshape import Reshape
from clnet.ops.softmax import Softmax
from clnet.ops.top_k import TopK
from clnet.runtime import chaining, programs
from clnet.runtime.build_worker import start_worker
from clnet.runtime.chain_source import chain_source
from clnet.runtime.chaining import MAX_PARTS, MAX_SHARED, SMALL, chained
from clnet.runtime.devices import Device
from clnet.runtime.executable import BoundCall
from clnet.runtime.source import assemble
from clnet.session.compile import compile_graph

cpu_only = pytest.mark.skipif(not device().info.is_cpu, reason="launches are joined on CPUs alone")


def network() -> Graph:
    """Most kinds of kernels, several of a kind with other macros, and a step on the host."""
    rng = np.random.default_rng(0)
    build = GraphBuilder()

    def weight(*shape: int) -> object:
        return build.constant(rng.standard_normal(shape).astype(np.float32))

    x = build.input("x", (2, 3, 9, 11))
    conv = Conv((1, 1), (1, 1, 1, 1), (1, 1))
    y = build.add(elementwise("Tanh"), build.add(conv, x, weight(8, 3, 3, 3), weight(8)))
    y = build.add(MaxPool((2, 2), (2, 2), (0, 0, 0, 0), (1, 1)), y)
    y = build.add(conv, y, weight(5, 8, 3, 3), None)
    pool = AveragePool((2, 2), (1, 1), (0, 0, 0, 0), (1, 1))
    y = build.add(Reshape((2, 60)), build.add(pool, y))
    y = build.add(elementwise("Sigmoid"), build.add(Gemm(), y, weight(60, 33), weight(33)))
    best, _ = build.add(TopK(21), y)
    y = build.add(Softmax(), build.add(Gemm(trans_b=True), best, weight(7, 21), None))
    build.output(y, "y")
    build.output(build.add(Reduce("Sum", (0,), keepdims=False), y), "sums")
    return build.graph


@cpu_only
def test_a_joined_network_equals_the_reference() -> None:
    x = np.random.default_rng(1).standard_normal((2, 3, 9, 11)).astype(np.float32)
    expected = evaluate(network(), {"x": x})
    found, launches = {}, {}
    for join in (False, True):
        compiled = compile_graph(network(), device(), join=join)
        executable = compiled.executable
        with executable.map(compiled.inputs["x"], write=True) as view:
            view[...] = x
        executable.run()
        launches[join] = executable.launches
        for name, region in compiled.outputs.items():
            with executable.map(region, write=False) as view:
                found[name, join] = np.array(view)
        executable.release()
    assert launches[True] == 3 < launches[False]  # before, on, and behind the host
    for (name, _), array in found.items():
        assert_close(array, expected[name], 1e-5)


@cpu_only
def test_nothing_moves_from_one_part_to_the_next() -> None:
    """Parts see memory as other types. Only Intel's compiler has been seen to make use of that."""
    executable = compile_graph(network(), device()).executable
    chains = [bound.call for bound in executable.calls if isinstance(bound.call, Chain)]
    assert chains
    for chain in chains:
        _, _, kernel = chain_source(chain, assemble).rpartition("__kernel void")
        assert kernel.count("NEXT_PART") >= len(chain.parts) - 1
    executable.release()


@contextmanager
def joined_by(team: int, small: int) -> Iterator[None]:
    """Not to be entered by two threads at once."""
    one = mock.patch.object(Device, "team", team)
    limits = {"SMALL": small, "TINY": small // 16}
    with one, mock.patch.multiple(chaining, **limits):
        yield


def outcome(join: bool, runs: int = 1) -> np.ndarray:
    """What the deep network gives after some runs."""
    x = np.random.default_rng(1).standard_normal((2, 16, 19, 21)).astype(np.float32)
    compiled = compile_graph(deep(), device(), join=join)
    executable = compiled.executable
    assert any(isinstance(b.call, Chain) for b in executable.calls) == join
    with executable.map(compiled.inputs["x"], write=True) as view:
        view[...] = x
    for _ in range(runs):
        executable.run()
    with executable.map(compiled.outputs["y"], write=False) as view:
        found = np.array(view)
    executable.release()
    return found


def deep() -> Graph:
    """Convolutions, each of which reads all that the one before wrote, and small layers between."""
    rng = np.random.default_rng(0)
    build = GraphBuilder()
    y = build.input("x", (2, 16, 19, 21))
    for _ in range(12):
        w = build.constant(rng.standard_normal((16, 16, 3, 3)).astype(np.float32) / 12)
        y = build.add(Conv((1, 1), (1, 1, 1, 1), (1, 1)), y, w, None)
        y = build.add(Softmax(), y)
    build.output(y, "y")
    return build.graph


@cpu_only
@pytest.mark.parametrize("team", [2, 3, 64])
@pytest.mark.parametrize("small", [0, 20_000, 1 << 40])
def test_a_team_computes_the_same_over_and_over(team: int, small: int) -> None:
    """Also one with more items than there are threads: who is alone does everything."""
    with joined_by(team, small):
        assert np.array_equal(outcome(True, 50), outcome(False))


@cpu_only
def test_teams_of_several_sessions_do_not_wait_for_each_other() -> None:
    expected = outcome(False)
    with joined_by(4, 0), ThreadPoolExecutor(4) as pool:
        found = [pool.submit(outcome, True, 100) for _ in range(4)]
    assert all(np.array_equal(f.result(), expected) for f in found)


def call(*args: object, **rest: object) -> BoundCall:
    kernel = KernelCall("cast", "cast", (In(), Out()), (8,), **rest)
    return BoundCall(kernel, tuple(args))


def test_only_small_neighbours_on_their_own_are_joined() -> None:
    host = BoundCall(HostCall(lambda x: [x], (In(),), (Out(),)), ("a", "b"))
    group = call("b", "c", local_size=(4,))
    calls = [call("a", "b"), call("b", "c"), host, call("a", "c"), group, call("c", "d")]
    result = chained(calls, [SMALL] * 6)
    assert [type(b.call) for b in result] == [Chain, HostCall, KernelCall, KernelCall, KernelCall]
    joint = result[0]
    assert joint.operands == ("a", "b", "c")
    assert joint.call.operands == ((0, 1), (1, 2))
    assert chained(calls, [SMALL + 1] * 6) == calls
    many = chained([call("a", "b")] * (MAX_PARTS + 1), [SMALL] * (MAX_PARTS + 1))
    assert [isinstance(b.call, Chain) for b in many] == [True, False]


def test_a_teams_chain_has_turns_of_its_own_and_few_shared_parts() -> None:
    sizes: list[int] = []
    calls = [call("a", "b"), call("b", "c")]
    (joint,) = chained(calls, [1, SMALL + 1], 2, lambda n: sizes.append(n) or "turns")
    assert joint.operands == ("a", "b", "c", "turns") and len(joint.call.args) == 4
    assert joint.call.shares == (1, 8) and joint.call.global_size == (2,)
    assert sizes == [3 * Chain.TURNS]
    (alone,) = chained(calls, [1, SMALL], 2, lambda n: pytest.fail("nobody shares"))
    assert alone.call.global_size == (1,)
    many = [call("a", "b")] * (MAX_SHARED + 1)
    result = chained(many, [SMALL + 1] * len(many), 2, lambda n: "turns")
    assert [isinstance(b.call, Chain) for b in result] == [True, False]


@pytest.mark.skipif(not device().is_pocl, reason="programs are built in processes on PoCL alone")
def test_a_chain_that_crashes_the_compiler_is_launched_one_by_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def build(index: int, calls: Sequence[KernelCall]) -> subprocess.Popen[bytes]:
        if any(isinstance(call, Chain) for call in calls):
            return subprocess.Popen(["sh", "-c", "kill -SEGV $$"])
        return start_worker(index, calls)

    monkeypatch.setenv("CLNET_CACHE", str(tmp_path))  # where nothing is built yet
    monkeypatch.setattr(programs, "_caches", weakref.WeakKeyDictionary())
    monkeypatch.setattr(programs, "start_worker", build)
    monkeypatch.setattr(programs, "PROGRAMS_PER_PROCESS", 2)
    with pytest.warns(UserWarning, match="crashed on a chain.*launched one by one"):
        compiled = compile_graph(network(), device())
    alone = compile_graph(network(), device(), join=False)
    assert compiled.executable.launches == alone.executable.launches
    for each in (compiled, alone):
        each.executable.release()


def test_a_file_stands_once_in_a_chain_for_each_set_of_macros() -> None:
    parts = [
        KernelCall("lrn", "lrn", (In(), Out(), np.float32(0.5)), (2, 3), None, (("SIZE", size),))
        for size in (3, 5, 3)
    ]
    text = assemble(Chain.of(parts, [(0, 1), (1, 2), (2, 0)], 3))
    assert text.count("static void lrn(") == 2
    assert text.count("lrn_0(") == 2
    assert "lrn_1(" in text
    assert "(__global void*)a2, (__global void*)a0, 0x1.0000000000000p-1f);" in text
