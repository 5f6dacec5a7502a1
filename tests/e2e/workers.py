"""The Lambda workers of a local cloud, as processes of this machine."""

from pathlib import Path

from infra.local.cloud import Cloud
from infra.local.processes import Process, command_line, start_time
from infra.local.state import PREFIX


def lambda_workers(cloud: Cloud, function: str) -> list[Process]:
    """The running processes of one function of this cloud (not another cloud's)."""
    place = str(cloud.state_dir / "emulator" / "tmp" / f"ministack-lambda-{PREFIX}-{function}-")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and any(word.startswith(place) for word in command_line(int(entry.name))):
            started = start_time(int(entry.name))
            if started is not None:
                found.append(Process(int(entry.name), started))
    return found
