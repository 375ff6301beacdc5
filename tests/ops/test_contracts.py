"""Every registered op keeps its contract: all its candidates equal the reference."""

from __future__ import annotations

import pytest
from gradients import check_gradient
from harness import candidate_names, check

from clnet.ops import Case, registry

OPS = {op.__name__: op for op in registry()}
CASES = [
    # A label that is another op's name would stand twice.
    pytest.param(case, id=f"{name if case.op.label in OPS else case.op.label}-{i}")
    for name, op in OPS.items()
    for i, case in enumerate(op.cases())
]


@pytest.mark.parametrize("case", CASES)
def test_every_candidate_equals_the_reference(case: Case) -> None:
    for name in candidate_names(case):
        check(case, name)


@pytest.mark.parametrize("case", CASES)
def test_half_precision_equals_the_reference(case: Case) -> None:
    if any(a is not None and a.dtype == "float32" for a in case.inputs):
        for name in candidate_names(case, "fp16"):
            check(case, name, "fp16")


@pytest.mark.parametrize("case", [c for c in CASES if c.values[0].differentiable])
def test_gradient_equals_numeric_differences(case: Case) -> None:
    check_gradient(case)
