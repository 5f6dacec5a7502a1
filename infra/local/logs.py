"""Recent log lines: a function's from the emulator's CloudWatch Logs, a part's from its file."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from infra.areas import FUNCTIONS, Area
from infra.local.emulator import Emulator, attach_emulator
from infra.local.state import PREFIX, LocalCloudError

LINES: Final = 100
FILES: Final = {
    "edge": Path("edge/edge.log"),
    "postgres": Path("postgres/postgres.log"),
    "emulator": Path("emulator/emulator.log"),
    "deploy": Path("deploy/deploy.log"),
}


def read_logs(state_dir: Path, source: str, lines: int = LINES) -> Iterator[str]:
    """The last lines of one source, or a few of each for "all". Raises LocalCloudError for an unknown one."""
    names = {function.name for function in FUNCTIONS}
    streaming = {area.name for area in FUNCTIONS if isinstance(area, Area) and area.streaming}
    if source == "all":
        for each in (*sorted(names), *FILES):
            yield from (f"{each}: {line}" for line in read_logs(state_dir, each, lines // 5))
    elif source in streaming:  # the edge serves it in process
        yield from _of_file(state_dir / FILES["edge"], lines)
    elif source in FILES:
        yield from _of_file(state_dir / FILES[source], lines)
    elif source in names:
        yield from _of_function(_emulator(state_dir), f"/aws/lambda/{PREFIX}-{source}", lines)
    else:
        raise LocalCloudError(f"No logs of {source!r}. There are: {', '.join([*sorted(names), *FILES])}.")


def _emulator(state_dir: Path) -> Emulator:
    emulator = attach_emulator(state_dir)
    if emulator is None:
        raise LocalCloudError("The AWS emulator does not run. Start it with: make up")
    return emulator


def _of_file(path: Path, lines: int) -> list[str]:
    return path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else []


def _of_function(emulator: Emulator, group: str, lines: int) -> Iterator[str]:
    client = emulator.client("logs")
    try:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group)
        events = [event for page in pages for event in page["events"]]
    except client.exceptions.ResourceNotFoundException:
        return
    for event in sorted(events, key=lambda event: event["timestamp"])[-lines:]:
        moment = datetime.fromtimestamp(event["timestamp"] / 1000, tz=UTC)
        yield f"{moment:%H:%M:%S} {event['message'].rstrip()}"
