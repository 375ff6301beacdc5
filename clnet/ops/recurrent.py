"""Recurrent: RNN, GRU and LSTM layers, behind the product of their input and its weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clnet.calls import (
    Candidate,
    Define,
    In,
    KernelCall,
    Out,
    Packed,
    PackedRef,
    Ref,
    Values,
    Work,
    Workload,
    tunable,
)
from clnet.device_info import DeviceInfo
from clnet.errors import ShapeError
from clnet.graph import GraphBuilder, Value
from clnet.ops.base import Arg, Case, Op, register
from clnet.ops.checks import one_float_dtype, present
from clnet.ops.expression import Expression
from clnet.ops.lowering import float_defines, options
from clnet.ops.recurrent_expansion import expanded
from clnet.ops.rows import width_options
from clnet.tensor_spec import TensorSpec

#: Gates of each kind of cell, in ONNX's order: z r h, and i o f c.
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
#: Multiply-adds of one step above which a launch for each step, on all units, pays.
MANY = 1 << 17


@register
@dataclass(frozen=True)
class Recurrent(Op):
    """T steps of a ``cell`` (a key of GATES) of H units in each direction, over B sequences.

    Inputs: gates [T, B, D, G, H], what each step's input and the biases give; weights [D, H, G, H]
    from old units to gates; the state before, [D, B, H], or None; that of an LSTM's memory, or
    None; an LSTM's peepholes [D, 3, H] or None; the bias [D, H] inside the reset of a GRU, or None;
    lengths [B], int32, of shorter sequences, or None. Outputs: y [T, D, B, H], the last state
    [D, B, H], and an LSTM's last memory.

    ``reverse`` says which directions go from the end. ``activations`` are those of the formulas in
    ONNX's order: f; f g; f g h. A GRU may multiply by its reset gate behind the product
    (``reset_after``). ``clip`` limits what goes into f and g; ``coupled``: an LSTM forgets as
    much as it does not take in.
    """

    cell: str
    reverse: tuple[bool, ...]
    activations: tuple[Expression, ...]
    clip: float | None = None
    reset_after: bool = False
    coupled: bool = False

    @property
    def label(self) -> str:
        return self.cell

    def infer(self, *inputs: TensorSpec | None) -> tuple[TensorSpec, ...]:
        gates, weights = present(inputs[0], "gates", 5), present(inputs[1], "weights", 4)
        one_float_dtype(*inputs[:6])
        if self.cell not in GATES:
            raise ShapeError(f"unknown cell {self.cell}")
        steps, batch, _, _, units = gates.shape
        directions, count = len(self.reverse), GATES[self.cell]
        state = gates.with_shape((directions, batch, units))
        wanted = [
            gates.with_shape((steps, batch, directions, count, units)),
            gates.with_shape((directions, units, count, units)),
            state,
            state,
            gates.with_shape((directions, 3, units)),
            gates.with_shape((directions, units)),
            TensorSpec((batch,), "int32"),
        ]
        for given, spec in zip((gates, weights, *inputs[2:]), wanted, strict=True):
            if given not in (None, spec):
                raise ShapeError(f"{given} where {spec} is needed")
        if min(gates.shape) < 1:
            raise ShapeError(f"no steps, sequences or units in {gates}")
        outputs = 3 if self.cell == "LSTM" else 2
        return (gates.with_shape((steps, *state.shape)), state, state)[:outputs]

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        gates, weights = inputs[:2]
        assert gates is not None and weights is not None
        steps, batch, directions, _, units = gates.shape
        zero = np.zeros((directions, batch, units))
        given = [zero if a is None else a.astype(np.float64) for a in inputs[2:4]]
        h, c = given[0].copy(), given[1].copy()
        peepholes = np.zeros((directions, 3, units)) if inputs[4] is None else inputs[4]
        bias = np.zeros((directions, units)) if inputs[5] is None else inputs[5]
        lengths = np.full(batch, steps) if inputs[6] is None else np.clip(inputs[6], 0, steps)
        y = np.zeros((steps, directions, batch, units))
        for d, reverse in enumerate(self.reverse):
            for b, length in enumerate(lengths):
                times = range(length)
                for t in reversed(times) if reverse else times:
                    own = gates[t, b, d].astype(np.float64), weights[d].astype(np.float64)
                    if self.cell == "LSTM":
                        h[d, b], c[d, b] = self._lstm(*own, h[d, b], c[d, b], peepholes[d])
                    elif self.cell == "GRU":
                        h[d, b] = self._gru(*own, h[d, b], bias[d])
                    else:
                        h[d, b] = self._apply(0, own[0][0] + h[d, b] @ own[1][:, 0])
                    y[t, d, b] = h[d, b]
        return tuple(a.astype(gates.dtype) for a in ((y, h, c) if self.cell == "LSTM" else (y, h)))

    def _apply(self, which: int, value: np.ndarray) -> np.ndarray:
        if self.clip is not None and which < 2:
            value = np.clip(value, -self.clip, self.clip)
        return self.activations[which].evaluate(value)

    def _gru(self, x: np.ndarray, w: np.ndarray, h: np.ndarray, bias: np.ndarray) -> np.ndarray:
        z, r = (self._apply(0, x[i] + h @ w[:, i]) for i in range(2))
        inner = r * (h @ w[:, 2] + bias) if self.reset_after else (r * h) @ w[:, 2]
        return (1 - z) * self._apply(1, x[2] + inner) + z * h

    def _lstm(
        self, x: np.ndarray, w: np.ndarray, h: np.ndarray, c: np.ndarray, peepholes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        i, o, f, g = (x[n] + h @ w[:, n] for n in range(4))
        i = self._apply(0, i + peepholes[0] * c)
        f = 1 - i if self.coupled else self._apply(0, f + peepholes[2] * c)
        new = f * c + i * self._apply(1, g)
        return self._apply(0, o + peepholes[1] * new) * self._apply(2, new), new

    def multiply_adds(self, workload: Workload) -> int:
        return workload.input(0).size * workload.output.shape[-1]

    def lower(self, workload: Workload, device: DeviceInfo) -> list[Candidate]:
        steps, batch, directions, count, units = workload.input(0).shape
        rows = directions * batch
        macros = (
            *float_defines(workload.output.dtype, device),
            (self.cell, 1),
            ("STEPS", steps), ("BATCH", batch), ("DIRECTIONS", directions), ("HIDDEN", units),
            ("REVERSE(d)", f"(({sum(r << d for d, r in enumerate(self.reverse))} >> (d)) & 1)"),
            ("RESET_AFTER", int(self.reset_after)), ("COUPLED", int(self.coupled)),
            *(
                (f"HAS_{name}", int(workload.has(2 + i)))
                for i, name in enumerate(("STATE", "MEMORY", "PEEPHOLES", "BIAS", "LENGTHS"))
            ),
            *self._activation_defines(),
        )  # fmt: skip
        between = self.cell == "GRU" and not self.reset_after  # all reset gates, then the product
        given = [In(i) for i, spec in enumerate(workload.inputs) if spec is not None]
        results = [Out(i) for i in range(len(workload.outputs))]
        packs = device.is_cpu and workload.constant[1]
        weights: Ref = PackedRef() if packs else In(1)
        args = (In(0), weights, *given[2:], *results, *((Work(),) if between else ()))
        space = (2 * workload.outputs[1].nbytes,) if between else ()

        def packed(values: Values) -> tuple[Packed, ...]:
            pack = PackBlocks(values["VW"] * values["VECTORS"])
            return (Packed(1, pack, workload.input(1)),) if packs else ()

        def call(values: Values, first: int, launched: int, lanes: int) -> KernelCall:
            block = values["VW"] * values["VECTORS"]
            blocks = units // block
            defines: tuple[Define, ...] = (
                *macros, ("VW", values["VW"]), ("VECTORS", values["VECTORS"]), ("BLOCKS", blocks),
                ("PANEL", block if packs else units),
                ("SEQUENCES", values["SEQUENCES"]), ("LANES", lanes), ("LAUNCHED", launched),
            )  # fmt: skip
            groups = rows // values["SEQUENCES"]
            size, local = (lanes or blocks, groups), (lanes, 1) if lanes else None
            arguments = (*args, np.int32(first))
            return KernelCall("recurrent", "recurrent", arguments, size, local, defines)

        def fits(values: Values) -> bool:
            return values["VECTORS"] == 1 or units % (values["VW"] * values["VECTORS"]) == 0

        def at_once(values: Values) -> Candidate | None:
            if not fits(values):
                return None
            return Candidate("sequence", (call(values, 0, steps, values["LANES"]),), space,
                             packed(values))  # fmt: skip

        def step_by_step(values: Values) -> Candidate | None:
            if not fits(values):
                return None
            calls = tuple(call(values, s, 1, 0) for s in range(steps))
            return Candidate("steps", calls, packed=packed(values))

        widths = width_options(units, device, dividing=True)
        together = [n for n in (4, 2, 1) if batch % n == 0 and (n == 1 or not workload.has(6))]
        spread = next((n for n in together if rows // n >= device.compute_units), 1)

        def space_of(sequences: int) -> dict[str, tuple[int, ...]]:
            """Values of the parameters, with so many sequences by default."""
            double = sequences < 4 and units % (2 * widths[0]) == 0
            on_cpu = {"VW": widths, "VECTORS": options(2 if double else 1, (1, 2))}
            on_gpu = {"VW": (1, *widths[-2::-1]), "VECTORS": (1,)}
            chosen = on_cpu if device.is_cpu else on_gpu
            return {**chosen, "SEQUENCES": options(sequences, together)}

        found = [tunable(at_once, {**space_of(spread), "LANES": _lanes(units, device)})]
        if not between and steps > 1:
            found.append(tunable(step_by_step, space_of(together[0])))
            idle = rows // spread < device.compute_units or not device.is_cpu
            if idle and count * units * units > MANY:
                found.reverse()
        return [c for c in found if c is not None]

    def _activation_defines(self) -> Iterable[Define]:
        """ACTIVATE_0(T, value)…: each activation, in place, and what limits it."""
        limit = Expression()
        if self.clip is not None:
            limit = Expression.of("Clip", min=-self.clip, max=self.clip)
        for i, activation in enumerate(self.activations):
            whole = limit.then(activation, 0) if limit.steps and i < 2 else activation
            lines = whole.statements(["T"] * (1 + len(whole.steps)), "e")
            body = " ".join(["const T e0 = value;", *lines, f"value = e{whole.result};"])
            yield (f"ACTIVATE_{i}(T, value)", f"{{ {body} }}")

    def expand(self, build: GraphBuilder, *inputs: Value | None) -> tuple[Value | None, ...]:
        return expanded(build, self, *inputs)

    @classmethod
    def cases(cls) -> Iterable[Case]:
        sigmoid, tanh, relu = (Expression.of(f) for f in ("Sigmoid", "Tanh", "Relu"))
        both = {"RNN": (tanh,), "GRU": (sigmoid, tanh), "LSTM": (sigmoid, tanh, tanh)}
        for cell, gates in GATES.items():
            state = Arg((1, 4, 5))
            given = Arg((2, 4, 1, gates, 5)), Arg((1, 5, gates, 5), low=-0.3, high=0.3)
            op = cls(cell, (True,), both[cell])
            yield Case(op, (*given, state, *(None,) * 4), differentiable=True)
            state = Arg((2, 2, 32))
            weights = Arg((2, 32, gates, 32), low=-0.3, high=0.3, constant=True)
            memory = state if cell == "LSTM" else None
            peepholes = Arg((2, 3, 32)) if cell == "LSTM" else None
            bias = Arg((2, 32)) if cell == "GRU" else None
            lengths = Arg(dtype="int32", values=[3, 0])
            op = cls(cell, (False, True), both[cell], 0.7, cell == "GRU", cell == "LSTM")
            inputs = Arg((3, 2, 2, gates, 32)), weights, state, memory, peepholes, bias, lengths
            yield Case(op, inputs, differentiable=True)
        given = Arg((2, 2, 1, 3, 32)), Arg((1, 32, 3, 32), low=-0.3, high=0.3, constant=True)
        op = cls("GRU", (False,), both["GRU"])
        yield Case(op, (*given, *(None,) * 5), differentiable=True)
        weights = Arg((1, 200, 4, 200), low=-0.3, high=0.3, constant=True)
        wide = Arg((3, 1, 1, 4, 200)), weights
        yield Case(cls("LSTM", (False,), both["LSTM"]), (*wide, *(None,) * 5))
        odd = (Expression.of("HardSigmoid", alpha=0.3), relu, Expression.of("Affine", alpha=0.5))
        given = Arg((2, 1, 1, 4, 6)), Arg((1, 6, 4, 6))
        yield Case(cls("LSTM", (True,), odd), (*given, *(None,) * 5), differentiable=True)


@dataclass(frozen=True)
class PackBlocks:
    """Weights [D, H, G, H] as [D, blocks, H, G, block], so that each block of units reads its own
    one after the other."""

    block: int

    def __call__(self, array: np.ndarray) -> np.ndarray:
        directions, old, gates, units = array.shape
        apart = array.reshape(directions, old, gates, units // self.block, self.block)
        return apart.transpose(0, 3, 1, 2, 4).reshape(array.shape)


def _lanes(units: int, device: DeviceInfo) -> tuple[int, ...]:
    """Work-items that share all the units of a sequence, the default first."""
    if device.is_cpu:
        return (1,)
    most = min(256, device.max_work_group_size, device.max_work_item_sizes[0], units)
    return options(most, [n for n in (32, 64, 128) if n < most])
