"""All stages in order: passes, candidates, placements, arena, buffers, bound launches."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise

import numpy as np

from clnet.calls import Call, Candidate, Workload
from clnet.errors import BuildError, ClnetError, ShapeError
from clnet.graph import Graph, Node, Value
from clnet.memory.arena import ArenaPlan, Block, plan_arena, plan_slots
from clnet.memory.placement import Kind, Placements, Tensor
from clnet.ops.base import workload_of
from clnet.passes.pipeline import optimize
from clnet.runtime.chaining import chained
from clnet.runtime.devices import Device
from clnet.runtime.executable import BoundCall, Executable, Region
from clnet.runtime.memory import Buffer, MemoryPolicy
from clnet.runtime.states import States
from clnet.session.compiled import Compiled
from clnet.session.lowered import Layer, LoweredNode, Scratch, on_host, refs_of
from clnet.session.tuned import tuned_choice
from clnet.tensor_spec import TensorSpec
from clnet.tuning.choice import RecordedChoice

#: Picks one of a workload's candidates; the default takes the first.
Chooser = Callable[[Workload, list[Candidate]], Candidate]


def first_candidate(workload: Workload, candidates: list[Candidate]) -> Candidate:
    """The untuned default."""
    return candidates[0]


def compile_graph(
    graph: Graph,
    device: Device,
    precision: str = "fp32",
    choose: Chooser | None = None,
    states: States | None = None,
    *,
    join: bool = True,
) -> Compiled:
    """Make ``graph`` executable on ``device``. The graph is rewritten and its constants are moved
    to the device, so it cannot be used again. ``choose`` picks candidates, by tuning records unless
    given. With ``states``, the graph's states live there, by name, and are shared with whatever
    else is compiled so. ``join`` makes one launch of neighbouring ones where that pays, on CPUs."""
    _rewrite(graph, device, precision)
    compiler = _Compiler(graph, device, choose or tuned_choice(device), states)
    return compiler.compile(join=join and device.info.is_cpu)


def lowered_workloads(
    graph: Graph, device: Device, precision: str = "fp32"
) -> list[tuple[Workload, list[Candidate]]]:
    """What ``compile_graph`` would have to choose for, node by node. The graph is rewritten."""
    found = []

    def note(workload: Workload, candidates: list[Candidate]) -> Candidate:
        found.append((workload, candidates))
        return candidates[0]

    _rewrite(graph, device, precision)
    _Compiler(graph, device, note, None).lower()
    return found


def plan_graph(graph: Graph, device: Device, precision: str = "fp32") -> tuple[int, ArenaPlan]:
    """The kernels per run and the arena that ``compile_graph`` would give, without building or
    allocating anything. The graph is rewritten."""
    _rewrite(graph, device, precision)
    compiler = _Compiler(graph, device, first_candidate, None)
    compiler.lower()
    compiler.place()
    return len(compiler.calls), compiler.plan()


def _rewrite(graph: Graph, device: Device, precision: str) -> None:
    """All passes. Intel's compiler takes 7 to 22 s for an inverted bottleneck, PoCL's two."""
    optimize(graph, precision, device.info.channel_block, expansions=device.is_pocl)


class _Compiler:
    """The stages after the passes; each method is one."""

    def __init__(
        self, graph: Graph, device: Device, choose: Chooser, states: States | None
    ) -> None:
        self.graph, self.device, self.choose, self.states = graph, device, choose, states
        self.lowered: list[LoweredNode] = []
        self.calls: list[tuple[LoweredNode, Call]] = []
        self.buffers: list[Buffer] = []
        self.regions: dict[Hashable, Region] = {}
        self.weight_bytes = 0

    def compile(self, *, join: bool) -> Compiled:
        """Run all stages."""
        self.lower()
        self.place()
        arena = self.plan()
        try:
            self.allocate(arena)
            started = time.perf_counter()
            bound = [BoundCall(c, tuple(self.region(n.key(r)) for r in refs_of(c)))
                     for n, c in self.calls]  # fmt: skip
            executable = self.joined(bound) if join else self.executable(bound)
        except ClnetError:
            for buffer in self.buffers:
                buffer.release()
            raise
        return Compiled(
            executable,
            {v.name: self.region(v) for v in self.graph.inputs},
            {name: self.region(v) for name, v in self.graph.outputs.items()},
            {v.name: self.region(v) for v in self.graph.states()},
            {v.name: v.data for v in self.graph.states() if v.data is not None and not self.states},
            arena,
            self.weight_bytes,
            time.perf_counter() - started,
            self.choose.exact if isinstance(self.choose, RecordedChoice) else 0,
            self.layers(),
        )

    def executable(self, bound: Sequence[BoundCall]) -> Executable:
        """The calls, built."""
        queue = self.states.queue if self.states else None
        return Executable(self.device, bound, self.buffers, queue)

    def joined(self, bound: Sequence[BoundCall]) -> Executable:
        """The calls in few launches; one by one where the compiler cannot take what is joined."""
        efforts = [_effort(n.node) for n, _ in self.calls]
        try:
            return self.executable(chained(bound, efforts, self.device.team, self.new_turns))
        except BuildError as error:
            warnings.warn(f"{error}: kernels are launched one by one", stacklevel=2)
            return self.executable(bound)

    def lower(self) -> None:
        """Choose a candidate for every node whose outputs have elements."""
        for node in self.graph.nodes:
            if all(v.spec.size == 0 for v in node.outputs):
                continue
            workload = workload_of(node)
            try:
                candidates = (
                    [on_host(node)]
                    if any(v is not None and v.varies for v in node.inputs)
                    else workload.candidates(self.device.info)
                )
            except ShapeError as error:
                raise error.located(node=node.name) from error
            self.lowered.append(LoweredNode(node, self.choose(workload, candidates)))

    def place(self) -> None:
        """Grant placements, and list the calls that remain."""
        self.tensors = Placements(dict(self.known_tensors()), self.device.info.address_align)
        for lowered in self.lowered:
            dropped = set()
            for p in lowered.candidate.placements:
                inner, outer = lowered.key(p.inner), lowered.key(p.outer)
                if p.replaces is None:
                    self.tensors.force(inner, outer, p.offset)
                elif self.tensors.place(inner, outer, p.offset):
                    dropped.add(p.replaces)
            self.calls += [(lowered, c) for i, c in enumerate(lowered.candidate.calls)
                           if i not in dropped]  # fmt: skip

    def known_tensors(self) -> Iterable[tuple[Hashable, Tensor]]:
        """Every value and workspace with the owner of its memory."""
        inputs, outputs = set(self.graph.inputs), set(self.graph.outputs.values())
        for value in self.graph.values():
            kind: Kind = "scratch"
            if value in inputs:
                kind = "input"
            elif value.data is not None:
                kind = "state" if value.state else "constant"
            elif value in outputs:
                kind = "output"
            yield value, Tensor(value.spec.nbytes, kind)
        for lowered in self.lowered:
            for i, nbytes in enumerate(lowered.candidate.workspace):
                yield Scratch(lowered.node, i), Tensor(nbytes)

    def layers(self) -> list[Layer]:
        """One per call; the calls of a node share theirs."""
        found = {id(n): Layer.of(n) for n, _ in self.calls}
        return [found[id(n)] for n, _ in self.calls]

    @property
    def one_arena(self) -> bool:
        """Not in dedicated memory, which is plenty: NVIDIA's driver takes up to 100 us for a launch
        that uses a sub-buffer overlapping one used before, which doubled MobileNetV2's time."""
        return self.device.memory_policy is not MemoryPolicy.COPY

    def plan(self) -> ArenaPlan:
        """Lifetimes of the tensors that own scratch memory, and their offsets in the arena."""
        spans: dict[Hashable, list[int]] = {}
        for time_, (lowered, call) in enumerate(self.calls):
            for ref in refs_of(call):
                if ref.role != "packed":
                    root, _ = self.tensors.locate(lowered.key(ref))
                    spans.setdefault(root, [time_, time_])[1] = time_
        self.arena_roots = [k for k in spans if self.tensors.tensors[k].kind == "scratch"]
        blocks = [Block(self.tensors.tensors[k].nbytes, *spans[k]) for k in self.arena_roots]
        plan = plan_arena if self.one_arena else plan_slots
        return plan(blocks, self.device.info.address_align)

    def allocate(self, arena: ArenaPlan) -> None:
        """Buffers for the arena, inputs, outputs and states; constants are filled as they come."""
        if self.one_arena:
            memory = self.new_buffer(arena.nbytes)
            places = [(memory, offset) for offset in arena.offsets]
        else:
            starts = sorted(set(arena.offsets))
            slots = {a: self.new_buffer(b - a) for a, b in pairwise([*starts, arena.nbytes])}
            places = [(slots[offset], 0) for offset in arena.offsets]
        self.roots: dict[Hashable, tuple[Buffer, int]] = dict(
            zip(self.arena_roots, places, strict=True)
        )
        queue = self.device.new_queue()
        for value in self.graph.values():
            if self.tensors.tensors[value].kind in ("input", "output"):
                self.roots[value] = (self.new_buffer(value.spec.nbytes), 0)
        for lowered, call in self.calls:
            for ref in refs_of(call):
                key = lowered.key(ref)
                if ref.role == "packed" and key not in self.regions:
                    packed = lowered.candidate.packed[ref.index]
                    arrays = []
                    if packed.input is not None:
                        source = lowered.node.inputs[packed.input]
                        assert source is not None and source.data is not None
                        arrays.append(source.data)
                    self.upload(queue, key, packed.pack(*arrays), packed.spec)
        used = {self.tensors.locate(n.key(r))[0] for n, c in self.calls for r in refs_of(c)
                if r.role != "packed"}  # fmt: skip
        used |= {self.tensors.locate(v)[0] for v in self.graph.outputs.values()}
        for value in self.graph.values():
            if value.state and self.states:
                region = self.regions[value] = self.states.regions[value.name]
                self.roots[value] = (region.buffer, region.offset)
            elif value.data is not None:
                if value in used or value.state:
                    self.upload(queue, value, value.data, value.spec)
                    self.roots[value] = (self.regions[value].buffer, 0)
                if not value.state:
                    value.data = None  # it lives on the device now
        queue.finish()

    def upload(self, queue: object, key: Hashable, array: np.ndarray, spec: TensorSpec) -> None:
        """Put a constant into memory of its own."""
        buffer = self.new_buffer(spec.nbytes)
        self.weight_bytes += spec.nbytes
        with buffer.map(queue, self.device.uploads, spec.shape, spec.dtype, write=True) as view:
            view[...] = array
        self.regions[key] = Region(buffer, 0, spec)

    def new_turns(self, count: int) -> Region:
        """Zeros for a team (see :class:`Chain`)."""
        turns = Region(self.new_buffer(4 * count), 0, TensorSpec((count,), "int32"))
        queue = self.device.new_queue()
        with turns.buffer.map(queue, self.device.uploads, (count,), "int32", write=True) as view:
            view[...] = 0
        queue.finish()
        return turns

    def region(self, key: Hashable) -> Region:
        """Where a tensor lies."""
        if key not in self.regions:
            root, offset = self.tensors.locate(key)
            buffer, base = self.roots[root]
            spec = key.spec if isinstance(key, Value) else self.scratch_spec(key)
            self.regions[key] = Region(buffer, base + offset, spec)
        return self.regions[key]

    def scratch_spec(self, key: Hashable) -> TensorSpec:
        """A workspace is plain bytes."""
        return TensorSpec((self.tensors.tensors[key].nbytes,), "uint8")

    def new_buffer(self, nbytes: int) -> Buffer:
        """Memory that is released with the executable."""
        buffer = Buffer(self.device.context, nbytes, self.device.memory_policy)
        self.buffers.append(buffer)
        return buffer


def _effort(node: Node) -> int:
    workload = workload_of(node)
    effort: int = node.op.multiply_adds(workload) or node.op.elements(workload)
    return effort
