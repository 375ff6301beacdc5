"""A kernel of CLBlast on a device: parameters put in force, problems solved, and timed."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from clnet.calls import Candidate, Workload
from clnet.errors import DeviceError
from clnet.runtime import blas
from clnet.runtime.devices import Device
from clnet.runtime.executable import Executable
from clnet.runtime.memory import Buffer
from clnet.tuning.bench import Bench, WrongResultError, compare
from clnet.tuning.clblast import ClblastKernel, override_of
from clnet.tuning.clblast_problems import Problem
from clnet.tuning.space import Point


class ClblastBench(Bench):
    """As for any workload, but candidates differ by what is overridden while they run, and results
    are compared with NumPy's, in all forms of the routine."""

    def __init__(self, device: Device, workload: Workload) -> None:
        super().__init__(device, workload)
        op = workload.op
        assert isinstance(op, ClblastKernel)
        self._op = op
        self._points: WeakKeyDictionary[Executable, Point] = WeakKeyDictionary()
        rng = np.random.default_rng(0)
        self._problems = []
        for problem in op.checks:
            operands = problem.operands(rng, op.dtype)
            self._problems.append((problem, operands, problem.solve(operands)))

    def prepare(self, candidate: Candidate) -> Executable:
        """The calls, to be run under the candidate's values."""
        executable = super().prepare(candidate)
        self._points[executable] = Point.of(candidate.name, candidate.values)
        return executable

    def check(self, executable: Executable) -> float:
        """Solve every problem. Returns seconds of one run. Raises WrongResultError."""
        self._put_in_force(self._points[executable])
        self.solve_all()
        return super().sample(executable, 1.0)

    def solve_all(self) -> None:
        """Solve every problem, under the parameters in force. Raises WrongResultError."""
        for problem, operands, expected in self._problems:
            self._solve(problem, operands, expected)

    def sample(self, executable: Executable, seconds: float) -> float:
        """Seconds per run, under the executable's parameters."""
        self._put_in_force(self._points[executable])
        return super().sample(executable, seconds)

    def _put_in_force(self, point: Point) -> None:
        kernel, dtype, cl_device = self._op.kernel, self._op.dtype, self.device.cl_device
        change = override_of(kernel, dtype, point)
        if change is not None:
            blas.override(cl_device, change)
        elif blas.is_overridden(cl_device, kernel, dtype):
            raise DeviceError(f"{kernel} is overridden in this process: no way back")

    def _solve(self, problem: Problem, operands: list[np.ndarray], expected: np.ndarray) -> None:
        buffers = [Buffer(self.device.context, o.nbytes, self.device.memory_policy)
                   for o in operands]  # fmt: skip
        maps = self.queue, self.device.uploads
        try:
            for buffer, operand in zip(buffers, operands, strict=True):
                with buffer.map(*maps, operand.shape, self._op.dtype, write=True) as view:
                    view[...] = operand
            call = problem.call(self._op.dtype)
            blas.bind(call, self.queue, [b.cl_buffer for b in buffers])()
            with buffers[-1].map(*maps, expected.shape, self._op.dtype, write=False) as view:
                got = np.array(view)
        finally:
            self.queue.finish()
            for buffer in buffers:
                buffer.release()
        try:
            compare(got, expected)
        except WrongResultError as error:
            raise WrongResultError(f"{problem}: {error}") from None
