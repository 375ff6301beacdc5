"""One convolution to lower: its geometry and what every algorithm's calls have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clnet.calls import Define, In, Ref, Workload
from clnet.device_info import DeviceInfo
from clnet.ops.conv.geometry import Geometry, Phases, Triple
from clnet.ops.epilogue import epilogue_defines
from clnet.ops.lowering import float_defines, options


@dataclass(frozen=True)
class ConvProblem:
    """A workload of Conv on a device, read by the algorithms beside this file."""

    workload: Workload
    device: DeviceInfo
    geometry: Geometry
    phases: Phases | None = None  #: of a transposed convolution; then ``geometry`` is a phase's

    @classmethod
    def of(cls, workload: Workload, device: DeviceInfo) -> ConvProblem:
        """Read the numbers out of a workload."""
        op = workload.op
        geometry = Geometry.of(
            workload.input(0), workload.input(1), workload.output,
            op.strides, op.pads, op.dilations, op.groups,
        )  # fmt: skip
        return cls(workload, device, geometry)

    @property
    def has_bias(self) -> bool:
        """Whether input 2 is present."""
        return self.workload.has(2)

    @property
    def constant_weights(self) -> bool:
        """Whether the weights may be packed when the session is compiled."""
        return self.workload.constant[1]

    @property
    def dtype(self) -> str:
        """The one dtype of all operands."""
        return self.workload.output.dtype

    @property
    def bias(self) -> tuple[Ref, ...]:
        """The bias as a kernel argument, or nothing."""
        return (In(2),) if self.has_bias else ()

    @property
    def extras(self) -> tuple[Ref, ...]:
        """The epilogue's operands: every call that applies it ends with them."""
        return tuple(In(i) for i in range(3, len(self.workload.inputs)))

    @property
    def cpu_width(self) -> int:
        """Elements of the explicit vectors of CPU kernels."""
        return max(4, self.device.vector_width)

    @property
    def registers(self) -> int:
        """Vector registers of a CPU with such vectors: AVX2 has 16, AVX-512 and NEON 32."""
        return 16 if self.device.vector_width == 8 else 32

    @property
    def busy(self) -> int:
        """Work-items that keep a GPU busy."""
        return 512 * self.device.compute_units

    def fills(self, items: int) -> bool:
        """Whether a GPU with memory of its own has items to spare, so that what makes each cheaper
        pays, though it takes more launches. (Measured on an H200, not known of other GPUs.)"""
        return not self.device.is_cpu and not self.device.unified_memory and items >= self.busy

    def item_counts(self, multiply_adds: int) -> tuple[int, ...]:
        """How many work-items a CPU should get: several per core, but each worth its start; then
        what else may be tried."""
        units = self.device.compute_units
        default = max(1, min(8 * units, multiply_adds >> 16))
        return options(default, [n * units for n in (1, 2, 4, 8)])

    def cpu_defines(self) -> tuple[Define, ...]:
        """Like ``defines``, with vectors, and computing in float where halves are stored: CPUs
        convert as they load, and few of them compute in half at all."""
        return (*self.in_float.defines(), ("VW", self.cpu_width))

    @property
    def in_float(self) -> ConvProblem:
        """The same problem on a device that computes in float where halves are stored."""
        return replace(self, device=replace(self.device, fp16=False))

    def defines(self) -> tuple[Define, ...]:
        """Types, bias and epilogue."""
        extras = [s for s in self.workload.inputs[3:] if s is not None]
        return (
            *float_defines(self.dtype, self.device),
            ("BIAS", int(self.has_bias)),
            *epilogue_defines(self.workload.op.epilogue, extras, self.workload.output, self.device),
        )


def triple_defines(stem: str, values: Triple) -> tuple[Define, ...]:
    """The macros ``stem`` + D, H and W."""
    return tuple((stem + name, value) for name, value in zip("DHW", values, strict=True))


def kernel_defines(g: Geometry) -> tuple[Define, ...]:
    """Kernel size, strides and dilations as macros: few values per model, and unrolled by them."""
    return (
        *triple_defines("KERNEL_", g.kernel),
        *triple_defines("STRIDE_", g.strides),
        *triple_defines("DILATION_", g.dilations),
    )
