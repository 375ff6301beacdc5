"""500 damaged and hostile TFLite files end in one line of error or in the right answer."""

from __future__ import annotations

import pytest

pytest.importorskip("tflite", reason="the extra clnet[tflite] is not installed")

from importers.mutation_judges import judge_all


def test_mutated_models_are_refused_or_right() -> None:
    judge_all("importers.tflite_mutations", 500)
