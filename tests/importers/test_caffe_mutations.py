"""500 damaged and hostile prototxts and caffemodels end in one line of error or in the right
answer."""

from __future__ import annotations

from importers.mutation_judges import judge_all


def test_mutated_models_are_refused_or_right() -> None:
    judge_all("importers.caffe_mutations", 500)
