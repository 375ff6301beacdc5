"""Where host and device share memory, a run moves no byte between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import pytest
from harness import device
from opencl_spy import copies, watch

from clnet.errors import DeviceError
from clnet.graph import Graph, GraphBuilder
from clnet.ops.elementwise import elementwise
from clnet.runtime import memory
from clnet.runtime.memory import Buffer, MemoryPolicy, Transfers, probe_policy
from clnet.session.session import Session

X = np.arange(6000, dtype=np.float32).reshape(2, 3000) / 1000

shared_memory_only = pytest.mark.skipif(
    device().memory_policy is MemoryPolicy.COPY, reason="this device's memory is not shared"
)


def graph() -> Graph:
    """Two launches with a weight and an intermediate tensor between them."""
    build = GraphBuilder("graph")
    x = build.input("x", X.shape, "float32")
    weight = build.constant(np.full((2, 1), 0.5, np.float32), "weight")
    y = build.add(elementwise("Tanh"), build.add(elementwise("Mul"), x, weight))
    build.output(y, "y")
    return build.graph


def mapped_run(session: Session) -> np.ndarray:
    """One run whose input is written and whose output is read in place."""
    with session.map_input("x") as view:
        view[...] = X
    session.execute()
    with session.map_output("y") as view:
        return view.copy()


@shared_memory_only
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_mapped_run_copies_nothing(precision: str) -> None:
    with Session(lambda _: graph(), device(), precision) as session:
        mapped_run(session)  # from then on some mappings stand
        with watch(device()) as calls:
            y = mapped_run(session)
        assert session.stats.bytes_copied == 0
        assert calls["clEnqueueNDRangeKernel"] == session.stats.launches > 0
    np.testing.assert_allclose(y, np.tanh(X / 2), atol=2e-3)
    assert copies(calls) == {}
    mappings = 0 if device().memory_policy is MemoryPolicy.STANDING_MAP else 2
    assert calls["clEnqueueMapBuffer"] == calls["clEnqueueUnmapMemObject"] == mappings


def test_copies_are_counted_and_seen_where_memory_is_not_shared() -> None:
    plain = mock.patch.object(device(), "memory_policy", MemoryPolicy.COPY)
    with plain, Session(lambda _: graph(), device()) as session:
        with watch(device()) as calls:
            y = mapped_run(session)
        assert session.stats.bytes_copied == X.nbytes + y.nbytes
    np.testing.assert_allclose(y, np.tanh(X / 2), atol=1e-5)
    assert copies(calls) == {"clEnqueueReadBuffer": 1, "clEnqueueWriteBuffer": 1}


@pytest.mark.parametrize("policy", MemoryPolicy)
def test_every_policy_computes_the_same(policy: MemoryPolicy) -> None:
    if policy is MemoryPolicy.STANDING_MAP and not device().info.is_cpu:
        pytest.skip("a mapping stands on CPUs only")
    with (
        mock.patch.object(device(), "memory_policy", policy),
        Session(lambda _: graph(), device()) as session,
    ):
        np.testing.assert_allclose(mapped_run(session), np.tanh(X / 2), atol=1e-5)


@shared_memory_only
def test_mapping_shows_the_devices_own_memory() -> None:
    """What a kernel writes stands at the address that an earlier mapping had."""
    buffer = Buffer(device().context, 4096, device().memory_policy)
    queue = device().new_queue()
    addresses = set()
    for _ in range(3):
        with buffer.map(queue, Transfers(), (1024,), "float32", write=False) as view:
            addresses.add(view.ctypes.data)
    buffer.release()
    assert len(addresses) == 1


def test_a_mapping_of_nothing_is_empty() -> None:
    buffer = Buffer(device().context, 0, device().memory_policy)
    with buffer.map(device().new_queue(), Transfers(), (0, 3), "float32", write=True) as view:
        assert view.shape == (0, 3)
    buffer.release()


def test_a_view_of_an_output_cannot_be_written() -> None:
    with Session(lambda _: graph(), device()) as session:
        session.run(X)
        with session.map_output("y") as view, pytest.raises(ValueError, match="read-only"):
            view[0, 0] = 1


def test_the_probe_sees_through_a_driver_that_maps_copies() -> None:
    class Shadowed(Buffer):
        """As Mesa maps on some GPUs: through memory that is made for each mapping."""

        @contextmanager
        def map(self, *args: Any, **keywords: Any) -> Iterator[np.ndarray]:
            plain = Buffer.map.__get__(self)
            with (
                mock.patch.object(self, "policy", MemoryPolicy.COPY),
                plain(*args, **keywords) as v,
            ):
                yield v

    with mock.patch.object(memory, "Buffer", Shadowed):
        shadowed = probe_policy(device().context, device().new_queue(), True, True)
    assert shadowed is MemoryPolicy.COPY


def test_the_probe_believes_a_device_that_does_not_share() -> None:
    assert probe_policy(device().context, device().new_queue(), False, True) is MemoryPolicy.COPY


def test_too_much_memory_is_one_clear_error() -> None:
    with pytest.raises(DeviceError, match="cannot allocate"):
        Buffer(device().context, 1 << 46, MemoryPolicy.COPY)
