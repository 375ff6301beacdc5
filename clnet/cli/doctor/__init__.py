"""`clnet doctor`: what works, what does not, and the command that mends it."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from clnet.cli.arguments import add_json
from clnet.cli.doctor.finding import Finding, Section
from clnet.cli.output import print_json, working

if TYPE_CHECKING:
    from clnet.cli.doctor.machine import Machine

_COLOURS = {"ok": "32", "note": "36", "warning": "33", "failed": "31"}
_WIDE = 40  # characters; what is longer does not push the others' details aside


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what works here, and how to mend what does not",
        description="Looks at OpenCL's loader, drivers and devices, tests every device, and shows"
        " the command that mends what is missing. Exit status 1 where no device is usable.",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Examine this machine."""
    from clnet.cli.doctor.machine import Machine

    usable: list[str] = []
    if arguments.json:
        sections = [dataclasses.asdict(section) for section in examine(Machine(), usable)]
        print_json({"usable": usable, "sections": sections})
        return 0 if usable else 1
    examination = examine(Machine(), usable)
    while section := _next(examination):
        _print(section)
    print(f"clnet can run on {', '.join(usable) or 'nothing here yet'}.")
    return 0 if usable else 1


def _next(sections: Iterator[Section]) -> Section | None:
    with working("looking (the first time takes longest)"):
        return next(sections, None)


def examine(machine: Machine, usable: list[str]) -> Iterator[Section]:
    """Every section in order, as soon as it is known; names of usable devices go to ``usable``."""
    from clnet.cli.doctor import gpus, libraries, survey
    from clnet.runtime import icd

    files = icd.icd_files()
    found = survey.survey()
    yield Section("OpenCL loader", tuple(libraries.loader(found, files, machine)))
    yield Section("Drivers", tuple(libraries.icd_files(files, machine)))
    if files and not found.error:
        yield Section("Platforms", tuple(libraries.platforms(found, machine)))
    yield Section("GPUs", tuple(gpus.gpus(found, files, machine)))
    yield Section("Libraries", tuple(libraries.optional(machine)))
    for device in found.devices:
        name = f"{device.name} ({device.platform})"
        findings = survey.selftest(device, machine)
        if survey.is_usable(findings):
            usable.append(name)
        yield Section(f"Device {device.index}: {name}", tuple(findings))


def _print(section: Section) -> None:
    print(section.title)
    width = max((len(f.what) for f in section.findings if len(f.what) <= _WIDE), default=0)
    for finding in section.findings:
        detail = f"  {finding.detail}" if finding.detail else ""
        print(f"  {_status(finding)} {finding.what:{width}}{detail}".rstrip())
        for line in finding.fix.splitlines():
            print(f"          → {line}")
    print()


def _status(finding: Finding) -> str:
    text = f"{finding.status:7}"
    return f"\033[{_COLOURS[finding.status]}m{text}\033[0m" if sys.stdout.isatty() else text
