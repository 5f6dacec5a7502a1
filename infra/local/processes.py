"""Processes that outlive the command that starts them, known by pid and start time so that none is mistaken."""

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from signal import Signals
from typing import Final

from infra.local.state import LocalCloudError, read_record, write_record

_POLL: Final = 0.02
_PROC: Final = Path("/proc/self")
# Children of this very process are zombies until they are polled; kept so that Popen does not warn about them either.
_children: Final[dict[int, subprocess.Popen[bytes]]] = {}


@dataclass(frozen=True)
class Process:
    """A process on this machine. `started` tells it from a later one that got the same pid."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether it still runs (a zombie does not)."""
        found = start_time(self.pid)
        if found is None and (child := _children.pop(self.pid, None)) is not None:
            child.wait()  # a zombie of ours: it has ended, and nobody else reaps it
        return found == self.started

    def save(self, path: Path) -> None:
        """Remember it in `path` for `recall`."""
        write_record(path, asdict(self))

    def send(self, number: Signals) -> None:
        """Send a signal, if it still runs."""
        if self.alive:
            os.kill(self.pid, number)

    def end(self, *, number: Signals = Signals.SIGTERM, patience: float = 20) -> None:
        """Ask it to end, wait `patience` seconds, then kill it; what it started ends with it, or 2 s later."""
        group = _group(self) if self.alive else []
        self.send(number)
        for process in (self, *group):
            if not process.ends_within(patience if process is self else 2):
                process.send(Signals.SIGKILL)
                process.ends_within(5)

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end; False when it runs on."""
        return wait_until(lambda: not self.alive, seconds)


def recall(path: Path) -> Process | None:
    """The running process that was saved in `path`, or None."""
    record = read_record(path)
    if not record:
        return None
    process = Process(pid=int(record["pid"]), started=str(record["started"]))
    return process if process.alive else None


def spawn(argv: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path | None = None, user: str | None = None) -> Process:
    """Start a daemon: its own session, no input, output appended to `log`."""
    group = None if user is None else pwd.getpwnam(user).pw_gid
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv, env=dict(env), cwd=cwd or log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, user=user, group=group, extra_groups=None if user is None else [],
        )  # fmt: skip
    _children[child.pid] = child
    return Process(pid=child.pid, started=_state(child.pid)[1])  # there at least as a zombie, until `alive` reaps it


def start_time(pid: int) -> str | None:
    """When `pid` started, as the system writes it; None when nothing (or only a zombie) is there."""
    state, started = _state(pid)
    return None if state[:1] in {"", "Z", "X"} else started


def _state(pid: int) -> tuple[str, str]:
    """Its state letter and start; empty when it is not there."""
    try:
        # The name in brackets may hold spaces; what follows the last bracket is state, ppid, ... , starttime (the 22nd).
        fields = (_PROC.parent / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        if _PROC.exists():
            return "", ""
        state, _, started = _ps(pid, "stat=,lstart=").partition(" ")
        return state, started.strip()
    return fields[0], fields[19]


def _group(leader: Process) -> list[Process]:
    """The other members of its process group, which `spawn` made for it. Empty where there is no /proc."""
    found = []
    for entry in _PROC.parent.glob("[0-9]*"):
        pid = int(entry.name)
        if pid != leader.pid and (started := start_time(pid)) is not None and _group_id(pid) == leader.pid:
            found.append(Process(pid, started))
    return found


def _group_id(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def command_line(pid: int) -> list[str]:
    """The words `pid` was started with; empty when nothing is there."""
    try:
        return (_PROC.parent / str(pid) / "cmdline").read_text().rstrip("\0").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return [] if _PROC.exists() else _ps(pid, "command=").split()


def _ps(pid: int, columns: str) -> str:
    """For systems without /proc (macOS)."""
    return subprocess.run(["ps", "-o", columns, "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()


def free_port(preferred: int = 0) -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now: `preferred` when that is free."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LocalCloudError("No free TCP port on 127.0.0.1.")


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Poll `condition` until it holds; False after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
