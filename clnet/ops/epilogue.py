"""What is fused behind an op: an expression over its result, computed before it is stored.

An op that can carry one has a field ``epilogue: Expression``. Value 0 of the expression is the
op's own result; its other inputs are further inputs of the node, behind the op's own ones. Each is
a tensor of the output's shape (a residual), one value per channel, or a single value. Kernels put
``EPILOGUE_ARGS`` behind their own parameters and apply ``EPILOGUE`` (see ``common.h``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from clnet.calls import Define
from clnet.device_info import DeviceInfo
from clnet.ops.expression import Expression
from clnet.ops.lowering import STORAGE_TYPES
from clnet.tensor_spec import TensorSpec

Role = Literal["full", "channel", "single"]


def extra_role(
    extra: TensorSpec, output: TensorSpec, channel_axes: Sequence[int] = (1,)
) -> Role | None:
    """How an extra operand meets the output, or None where it cannot be fused.

    ``channel_axes`` may count from the back: -1 makes the last axis the channels.
    """
    if extra.dtype != output.dtype or not extra.is_float:
        return None
    if extra.shape == output.shape:
        return "full"
    if extra.size == 1 and extra.rank <= output.rank:
        return "single"
    padded = (1,) * (output.rank - extra.rank) + extra.shape
    axes = [a % max(1, output.rank) for a in channel_axes]
    channels = tuple(d if i in axes else 1 for i, d in enumerate(output.shape))
    return "channel" if padded == channels else None


def epilogue_defines(
    epilogue: Expression,
    extras: Sequence[TensorSpec],
    output: TensorSpec,
    device: DeviceInfo,
    channel_axes: Sequence[int] = (1,),
) -> tuple[Define, ...]:
    """The macros EPILOGUE and EPILOGUE_ARGS. The call's args must end with the extras' refs.

    In EPILOGUE(T, LOAD_T, value, index, channel), ``value`` is a variable of type T that holds the
    output elements from element ``index`` on, all of them of channel ``channel``. Where channels
    are (in part) the last axis, those elements are of the channels from ``channel`` on.
    """
    if not epilogue.steps:
        return ()
    storage = STORAGE_TYPES[output.dtype]
    parameters = "".join(f", __global const {storage}* extra{i}" for i in range(len(extras)))
    last = output.rank - 1 in [a % max(1, output.rank) for a in channel_axes]
    loads = []
    for i, extra in enumerate(extras):
        role = extra_role(extra, output, channel_axes)
        text = {
            "full": f"LOAD_T(extra{i}, index)",
            "channel": f"LOAD_T(extra{i}, channel)" if last else f"(T)LOAD(extra{i}, channel)",
            "single": f"(T)LOAD(extra{i}, 0)",
        }[role or "single"]
        loads.append(f"const T e{i + 1} = {text};")
    count = epilogue.arity + len(epilogue.steps)
    body = ["const T e0 = value;", *loads, *epilogue.statements(["T"] * count, "e")]
    text = " ".join([*body, f"value = e{epilogue.result};"])
    return (
        ("EPILOGUE_ARGS", parameters),
        ("EPILOGUE(T, LOAD_T, value, index, channel)", f"{{ {text} }}"),
    )
