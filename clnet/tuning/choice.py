"""Chooses candidates by tuning records: a workload's own, or the nearest tuned one's."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from clnet.calls import BlasCall, Candidate, KernelCall, Workload
from clnet.device_info import DeviceInfo
from clnet.runtime import blas
from clnet.runtime.source import assemble
from clnet.tuning.record import DeviceKey, TuningRecord, WorkloadKey
from clnet.tuning.space import Point, Space

#: Workloads that are further apart have nothing to say to each other.
NEAR = 6.0


@cache
def _source_text(name: str) -> str:
    return assemble(KernelCall(name, name, (), (1,)))


def source_digest(candidate: Candidate) -> str:
    """Of the kernels that a candidate launches, and CLBlast's version where it calls that: a record
    does not hold for changed ones."""
    names = sorted({c.source for c in candidate.calls if isinstance(c, KernelCall)})
    parts = []
    if names:
        texts = "\0".join(map(_source_text, names)).encode()
        parts.append(hashlib.sha256(texts).hexdigest()[:16])
    if any(isinstance(c, BlasCall) for c in candidate.calls):
        parts.append(blas.version())
    return " ".join(parts)


class RecordedChoice:
    """Picks a workload's candidate; the untuned default where no record helps.

    Of several records for a workload the last one holds, and the user's own before the board's. The
    board's may be of another version of the driver.
    """

    def __init__(
        self,
        info: DeviceInfo,
        own: Iterable[TuningRecord] = (),
        board: Iterable[TuningRecord] = (),
    ) -> None:
        self.info, self.device = info, (device := DeviceKey.of(info))
        boards = list(board)
        board = [r for r in boards if r.device.is_like(device)]
        board.sort(key=lambda r: r.device == device)
        self._elsewhere = [
            r for r in boards
            if r.device.platform == device.platform and not r.device.is_like(device)
        ]  # fmt: skip
        self._exact = {r.workload: r for r in board}
        self._exact.update((r.workload, r) for r in own if r.device == device)
        self._by_op: dict[str, list[TuningRecord]] = defaultdict(list)
        for record in self._exact.values():
            self._by_op[record.workload.op].append(record)
        self.exact, self.borrowed, self.changed = 0, 0, 0

    def __call__(self, workload: Workload, candidates: list[Candidate]) -> Candidate:
        """The candidate to use."""
        if type(workload.op).__name__ not in self._by_op:
            return candidates[0]
        key, space = WorkloadKey.of(workload), Space(candidates, self.info)
        for record in self.nearest(key):
            candidate = _valid(record, space)
            if candidate is not None and record.workload != key and not record.has_gain:
                return candidates[0]  # what is nearest does best with a default, of its own
            if candidate is not None:
                self.exact += record.workload == key
                self.borrowed += record.workload != key
                self.changed += candidate.calls != candidates[0].calls
                return candidate
        return candidates[0]

    def recorded(self, workload: Workload, candidates: list[Candidate]) -> TuningRecord | None:
        """The record of exactly this workload, if it still holds."""
        record = self._exact.get(WorkloadKey.of(workload))
        if record is None or _valid(record, Space(candidates, self.info)) is None:
            return None
        return record

    def is_tuned(self, workload: Workload, candidates: list[Candidate]) -> bool:
        """Whether the record was made under exactly this device and driver, too."""
        record = self.recorded(workload, candidates)
        return record is not None and record.device == self.device

    def starts(self, workload: Workload) -> list[Point]:
        """What was best for the workload and its nearest neighbours; then what was on another of
        the platform's devices, which is worth a try."""
        key = WorkloadKey.of(workload)
        nearest = [*self.nearest(key)[:3], *_nearest(key, self._elsewhere)[:2]]
        return list(dict.fromkeys(r.point for r in nearest))

    def nearest(self, key: WorkloadKey) -> list[TuningRecord]:
        """Records of the op within reach, the nearest first."""
        return _nearest(key, self._by_op.get(key.op, []))


def _nearest(key: WorkloadKey, records: Iterable[TuningRecord]) -> list[TuningRecord]:
    reach = [(key.distance(r.workload), r) for r in records if r.workload.op == key.op]
    near = sorted((pair for pair in reach if pair[0] <= NEAR), key=lambda pair: pair[0])
    return [record for _, record in near]


def _valid(record: TuningRecord, space: Space) -> Candidate | None:
    candidate = space.candidate(record.point)
    if candidate is None or source_digest(candidate) != record.source:
        return None
    return candidate
