"""The weights of a caffemodel: blobs by layer name, read where they stand in the file.

A caffemodel is a serialised NetParameter. Of it only the way to the weights is needed:
``NetParameter.layer`` (or ``layers`` of older versions) → name and blobs → shape and values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from clnet.errors import ModelError, UnsupportedError
from clnet.importers.names import shown
from clnet.importers.protobuf import FIXED32, FIXED64, LENGTH, VARINT, Field, Span, fields, varint
from clnet.importers.random_weights import RandomNumbers

#: Field numbers of a layer in the two forms: (in NetParameter, name, blobs).
_LAYER, _V1_LAYER = (100, 1, 7), (2, 4, 6)
#: The oldest form stands inside a V1 layer: (in it, name, blobs).
_V0_LAYER = (1, 1, 50)
# Field numbers of a blob. Raw values are NVIDIA's.
_DATA, _SHAPE, _DOUBLE_DATA, _RAW_TYPE, _RAW_DATA = 5, 7, 8, 10, 12
_OLD_SHAPE = (1, 2, 3, 4)  # num, channels, height, width
_DTYPES = {_DATA: "<f4", _DOUBLE_DATA: "<f8"}
_RAW_DTYPES = {0: "<f8", 1: "<f4", 2: "<f2"}
MAX_RANK = 32
#: Fields that are looked at: models of hundreds of layers have some ten thousand.
MAX_FIELDS = 1 << 20


class Weights(Protocol):
    """Where an importer takes weights from."""

    def blob(self, layer: str, index: int, shape: Sequence[int]) -> np.ndarray:
        """A layer's blob ``index`` as float32 of ``shape``. Raises ModelError."""
        ...


class RandomWeights:
    """Random weights of a sensible size, out of ``seed``. Those of one dimension may be variances,
    so that they are positive."""

    def __init__(self, seed: int = 0) -> None:
        self._numbers = RandomNumbers(seed)

    def blob(self, layer: str, index: int, shape: Sequence[int]) -> np.ndarray:
        """Numbers of any shape."""
        numbers = self._numbers
        return numbers.weights(*shape) if len(shape) > 1 else numbers.positive(*shape)


@dataclass(frozen=True)
class Blob:
    """A blob as it stands in the file: its shape, and its values in one or several pieces."""

    shape: tuple[int, ...]
    parts: Sequence[np.ndarray]

    def read(self) -> np.ndarray:
        """The values, as float32 in a row."""
        if not self.parts:
            return np.empty(0, np.float32)
        values = self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts)
        return values.astype(np.float32, copy=False)

    @property
    def size(self) -> int:
        """How many values there are."""
        return sum(p.size for p in self.parts)


class CaffeModel:
    """The blobs of a caffemodel; its values stay in the file until they are used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blobs: dict[str, list[Span]] = {}
        self._looked_at = 0
        try:
            if path.stat().st_size == 0:
                raise ModelError("the file is empty", file=path)
            self.data = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ModelError(f"cannot be read: {reason}", file=path) from error
        try:
            self._find((0, len(self.data)), _LAYER, _V1_LAYER)
        except ModelError as error:
            raise error.located(file=path) from error

    def blob(self, layer: str, index: int, shape: Sequence[int]) -> np.ndarray:
        """A layer's blob as float32 of ``shape``, which may differ from the file's by ones only:
        old files give every blob four dimensions."""
        try:
            if not self.blobs:
                raise ModelError("not a caffemodel, or one without weights")
            if layer not in self.blobs:
                raise ModelError(f"no weights for the layer {shown(layer)}")
            spans = self.blobs[layer]
            if index >= len(spans):
                raise ModelError(f"{len(spans)} blobs of the layer {shown(layer)}, "
                                 f"which needs {index + 1}")  # fmt: skip
            blob = self._read(spans[index])
            if [d for d in blob.shape if d != 1] != [d for d in shape if d != 1]:
                raise ModelError(f"blob {index} of the layer {shown(layer)} is {list(blob.shape)},"
                                 f" but the net needs {list(shape)}")  # fmt: skip
            if blob.size != math.prod(shape):
                raise ModelError(f"blob {index} of the layer {shown(layer)} has {blob.size} values"
                                 f" for the shape {list(blob.shape)}")  # fmt: skip
        except ModelError as error:
            raise error.located(file=self.path) from error
        return blob.read().reshape(shape)

    def _fields(self, span: Span) -> Iterator[Field]:
        for field in fields(self.data.data, *span):
            self._looked_at += 1
            if self._looked_at > MAX_FIELDS:
                raise ModelError("too many small fields")
            yield field

    def _find(self, net: Span, *forms: tuple[int, int, int]) -> None:
        """Note the blobs of each layer in one of the forms. Of several of one name, as for
        training and testing, the last that has blobs counts."""
        for field in self._fields(net):
            for number, name_field, blobs_field in forms:
                if field.number == number and field.kind == LENGTH:
                    self._note(field.body, name_field, blobs_field)
                    if number == _V1_LAYER[0]:
                        self._find(field.body, _V0_LAYER)

    def _note(self, layer: Span, name_field: int, blobs_field: int) -> None:
        name, blobs = "", []
        for field in self._fields(layer):
            if field.kind != LENGTH:
                continue
            if field.number == name_field:
                name = bytes(self.data[slice(*field.body)]).decode("utf-8", "replace")
            elif field.number == blobs_field:
                blobs.append(field.body)
        if blobs:
            self.blobs[name] = blobs

    def _read(self, span: Span) -> Blob:
        shape: tuple[int, ...] | None = None
        old_shape = dict.fromkeys(_OLD_SHAPE, 0)
        parts: dict[int, list[np.ndarray]] = {_DATA: [], _DOUBLE_DATA: [], _RAW_DATA: []}
        raw_type = 0
        start, end = span
        while start < end:  # fields that stand one by one, not packed, are taken together
            field = next(self._fields((start, end)))
            start = field.extent[1]
            if field.number == _SHAPE and field.kind == LENGTH:
                shape = self._dimensions(field.body)
            elif field.number in old_shape and field.kind == VARINT:
                old_shape[field.number] = self._varint(field.body)
            elif field.number == _RAW_TYPE and field.kind == VARINT:
                raw_type = self._varint(field.body)
            elif field.number in parts and field.kind == LENGTH:
                parts[field.number].append(self.data[slice(*field.body)])
            elif field.number in _DTYPES and field.kind in (FIXED32, FIXED64):
                values, start = self._one_by_one(field, end)
                parts[field.number].append(values)
        if parts[_RAW_DATA] and raw_type not in _RAW_DTYPES:
            raise UnsupportedError(f"raw weights of type {raw_type}")
        dtypes = {**_DTYPES, _RAW_DATA: _RAW_DTYPES.get(raw_type, "")}
        viewed = [_viewed(part, dtypes[n]) for n, found in parts.items() for part in found]
        return Blob(tuple(old_shape.values()) if shape is None else shape, viewed)

    def _dimensions(self, span: Span) -> tuple[int, ...]:
        """``BlobShape.dim``, packed or not."""
        found: list[int] = []
        for field in self._fields(span):
            start, end = field.body
            while start < end and len(found) <= MAX_RANK:
                value, start = varint(self.data.data, start, end)
                found.append(value)
        if len(found) > MAX_RANK or any(d >= 1 << 63 for d in found):
            raise ModelError("a blob has a shape that no tensor can have")
        return tuple(found)

    def _varint(self, span: Span) -> int:
        value, _ = varint(self.data.data, *span)
        return value

    def _one_by_one(self, field: Field, end: int) -> tuple[np.ndarray, int]:
        """Numbers that stand each behind its key, from ``field`` on, and where they end."""
        first, behind = field.extent
        step, key = behind - first, field.body[0] - first
        rows = self.data[first : end - (end - first) % step].reshape(-1, step)
        different = np.flatnonzero((rows[:, :key] != rows[0, :key]).any(1))
        count = int(different[0]) if different.size else len(rows)
        return np.ascontiguousarray(rows[:count, key:]).reshape(-1), first + count * step


def _viewed(values: np.ndarray, dtype: str) -> np.ndarray:
    if values.size % np.dtype(dtype).itemsize:
        raise ModelError("a blob ends in the middle of a number")
    return values.view(dtype)
