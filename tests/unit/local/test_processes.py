"""Processes are ended by pid and start time, never by name."""

import socket
import sys
import time
from pathlib import Path
from signal import SIGKILL

from infra.local.processes import Process, command_line, free_port, recall, spawn, start_time, wait_until

SLEEP = ["/bin/sleep", "60"]
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"


def test_a_saved_process_is_found_until_it_ends(tmp_path: Path) -> None:
    process = spawn(SLEEP, env={}, log=tmp_path / "log")
    process.save(tmp_path / "process.json")
    assert recall(tmp_path / "process.json") == process
    assert _command_line(process) == SLEEP
    process.end()
    assert recall(tmp_path / "process.json") is None


def _command_line(process: Process) -> list[str]:
    """The kernel shows none for a moment after the start."""
    end = time.monotonic() + 5
    while not any(line := command_line(process.pid)) and time.monotonic() < end:
        time.sleep(0.01)
    return line


def test_a_later_process_with_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    process = spawn(SLEEP, env={}, log=tmp_path / "log")
    earlier = Process(pid=process.pid, started="1")
    earlier.save(tmp_path / "process.json")
    earlier.end()
    assert recall(tmp_path / "process.json") is None
    assert process.alive
    process.end()


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    process = spawn([sys.executable, "-c", STUBBORN], env={}, log=tmp_path / "log")
    assert wait_until(lambda: "ready" in (tmp_path / "log").read_text(), 10)
    process.end(patience=0.1)
    assert not process.alive


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    process = spawn(["/bin/sh", "-c", "sleep 60 & echo $!; wait"], env={"PATH": "/usr/bin:/bin"}, log=tmp_path / "log")
    assert wait_until(lambda: (tmp_path / "log").read_text().strip().isdigit(), 10)
    child = int((tmp_path / "log").read_text())
    process.end(patience=0.2)
    assert start_time(child) is None


def test_a_zombie_counts_as_ended(tmp_path: Path) -> None:
    process = spawn(["/bin/true"], env={}, log=tmp_path / "log")
    assert wait_until(lambda: not process.alive, 5)
    process.send(SIGKILL)
    assert start_time(process.pid) is None


def test_nothing_to_recall_is_no_process(tmp_path: Path) -> None:
    assert recall(tmp_path / "absent.json") is None
    assert command_line(2**22 + 1) == []


def test_a_taken_port_is_not_given_out() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert free_port(taken) not in {taken, 0}
    assert free_port(taken) == taken


def test_waiting_ends_at_the_timeout() -> None:
    before = time.monotonic()
    assert not wait_until(lambda: False, 0.05)
    assert time.monotonic() - before < 5
