"""500 damaged and hostile models end in one line of error or in the right answer: no crash, no
hang, no gigabyte."""

from __future__ import annotations

from importers.mutation_judges import judge_all


def test_mutated_models_are_refused_or_right() -> None:
    judge_all("importers.mutation_worker", 500)
