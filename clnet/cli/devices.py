"""`clnet devices`: what there is to run on."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from clnet.cli.arguments import add_json
from clnet.cli.output import amount, print_json, print_table
from clnet.errors import DeviceError

if TYPE_CHECKING:
    from clnet.runtime.devices import Device


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "devices",
        help="list the OpenCL devices",
        description="Lists the OpenCL devices. `*` marks the one that is used by default; --device"
        " and CLNET_DEVICE take a number of either column, or a part of the name.",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List the devices."""
    from clnet.runtime.devices import devices, find_device

    preferred = find_device()  # raises where there is none
    known = [_describe(device, device is preferred) for device in devices()]
    if arguments.json:
        print_json(known)
        return 0
    rows = [
        (
            "*" if d["preferred"] else "",
            d["index"],
            d["address"],
            f"{d['name']} ({d['platform']})",
            d["kind"],
            d["compute_units"],
            amount(d["global_memory"]),
            _yes(d["fp16"]),
            _yes(d["fp64"]),
            d["memory_policy"],
        )
        for d in known
    ]
    headers = ("", "index", "address", "name", "type", "units", "memory", "fp16", "fp64", "sharing")
    print_table(headers, rows, right=" r   rr")
    return 0


def _describe(device: Device, preferred: bool) -> dict[str, Any]:
    info = device.info
    try:
        policy = device.memory_policy.value
    except DeviceError as error:  # one broken driver must not hide the other devices
        policy = f"unusable: {error}"
    return {
        "index": device.index,
        "address": device.address,
        "name": info.name,
        "platform": info.platform,
        "vendor": info.vendor,
        "driver": info.driver,
        "kind": info.kind,
        "compute_units": info.compute_units,
        "global_memory": info.global_memory,
        "max_work_group_size": info.max_work_group_size,
        "fp16": info.fp16,
        "fp64": info.fp64,
        "images": info.images,
        "unified_memory": info.unified_memory,
        "memory_policy": policy,
        "preferred": preferred,
    }


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
