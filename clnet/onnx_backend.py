"""clnet as a backend of ONNX: whatever speaks ``onnx.backend.base`` can drive it.

::

    import onnx, clnet.onnx_backend as backend
    outputs = backend.prepare(onnx.load("model.onnx")).run([array])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, ValueInfoProto, defs, helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

from clnet.errors import DeviceError, InputError
from clnet.graph import Graph
from clnet.importers.onnx import NotConstantError, read_model_proto
from clnet.importers.onnx.narrow import narrowed, widened
from clnet.importers.onnx.scope import OLDEST_OPSET
from clnet.importers.onnx.tensors import dtype_of
from clnet.runtime.devices import Device, find_device
from clnet.session.session import Session

Arrays = Sequence[np.ndarray] | Mapping[str, np.ndarray] | np.ndarray


class PreparedModel(BackendRep):
    """A model that compiles itself for the inputs it is first run with.

    Inputs that clnet must know beforehand (the target of a Reshape, the axes of a Squeeze) may be
    inputs of the model: the session is then made for their values, and anew when they change.
    Elements that NumPy lacks (bfloat16, int4…) are those of ml_dtypes, as in ONNX itself.
    """

    def __init__(self, model: ModelProto, device: Device) -> None:
        self._model, self._device = model, device
        initializers = {t.name for t in model.graph.initializer}
        inputs = [i for i in model.graph.input if i.name not in initializers]
        self._dtypes = {i.name: dtype_of(i.type.tensor_type.elem_type) for i in inputs}
        self._outputs = {o.name: o.type.tensor_type.elem_type for o in model.graph.output}
        self._fixed: dict[str, np.ndarray] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._session: Session | None = None

    def run(self, inputs: Arrays, **_: Any) -> Any:
        """Outputs as a named tuple, for inputs in order, by name, or the only one.

        Raises InputError where they do not fit, ModelError where the model does not hold for them.
        """
        arrays = self._named(inputs)
        shapes = {name: array.shape for name, array in arrays.items()}
        changed = any(not np.array_equal(arrays[n], a) for n, a in self._fixed.items())
        if self._session is None or shapes != self._shapes or changed:
            self._compile(arrays, shapes)
        assert self._session is not None
        results = self._session.run({i.name: arrays[i.name] for i in self._session.inputs})
        outputs = (narrowed(results[n], element) for n, element in self._outputs.items())
        return namedtupledict("Outputs", list(self._outputs))(*outputs)

    def _compile(
        self, arrays: Mapping[str, np.ndarray], shapes: dict[str, tuple[int, ...]]
    ) -> None:
        self._shapes, self._fixed = shapes, {}
        graph = self._read(arrays)
        while isinstance(graph, NotConstantError):
            new = {n: arrays[n].copy() for n in graph.inputs if n not in self._fixed}
            if not new:
                raise graph
            self._fixed |= new
            graph = self._read(arrays)
        ready = graph
        self._session = Session(lambda _: ready, self._device)

    def _read(self, arrays: Mapping[str, np.ndarray]) -> Graph | NotConstantError:
        try:
            return read_model_proto(self._model, input_shapes=self._shapes, constants=self._fixed)
        except NotConstantError as error:
            return error

    def _named(self, inputs: Arrays) -> dict[str, np.ndarray]:
        if isinstance(inputs, np.ndarray):
            inputs = [inputs]
        if not isinstance(inputs, Mapping):
            if len(inputs) != len(self._dtypes):
                raise InputError(f"{len(inputs)} inputs given, {len(self._dtypes)} needed")
            inputs = dict(zip(self._dtypes, inputs, strict=True))
        if set(inputs) != set(self._dtypes):
            raise InputError(f"the model's inputs are {', '.join(self._dtypes)}")
        inputs = {n: widened(v) if isinstance(v, np.ndarray) else v for n, v in inputs.items()}
        for name, value in inputs.items():
            if not isinstance(value, np.ndarray | np.generic) or not np.can_cast(
                value.dtype, self._dtypes[name], "same_kind"
            ):
                raise InputError(f"input {name!r} is not a tensor of {self._dtypes[name]}")
        return {n: np.asarray(inputs[n], self._dtypes[n]) for n in self._dtypes}


class ClnetBackend(Backend):
    """ONNX's name for a runtime. ``device`` "CPU" takes the device that clnet would take anyway;
    anything else is looked for as ``clnet.load`` does."""

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **_: Any) -> PreparedModel:
        """Check the model and find the device; compiling waits for the first inputs."""
        return PreparedModel(model, find_device(None if device == "CPU" else device))

    @classmethod
    def run_node(
        cls,
        node: NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run a single node on arrays, at ``opset_version`` or the newest."""
        given = [name for name in node.input if name]
        infos = [_info(name, np.asarray(a)) for name, a in zip(given, inputs, strict=True)]
        outputs = [ValueInfoProto(name=name) for name in node.output if name]
        graph = helper.make_graph([node], "node", infos, outputs)
        opset = int(kwargs.get("opset_version") or max(OLDEST_OPSET, _newest(node.domain)))
        imports = [helper.make_opsetid(node.domain, opset)]
        model = helper.make_model(graph, opset_imports=imports)
        return cls.prepare(model, device).run([np.asarray(a) for a in inputs])

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether ``prepare`` would find the device."""
        try:
            find_device(None if device == "CPU" else device)
        except DeviceError:
            return False
        return True


def _newest(domain: str) -> int:
    return 1 if domain else int(defs.onnx_opset_version())


def _info(name: str, array: np.ndarray) -> ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, element, array.shape)


is_compatible = ClnetBackend.is_compatible
prepare = ClnetBackend.prepare
run_model = ClnetBackend.run_model
run_node = ClnetBackend.run_node
supports_device = ClnetBackend.supports_device
