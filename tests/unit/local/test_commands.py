"""What the commands read: .env, event files, server-sent events; and what they say when it is wrong."""

import socket
from pathlib import Path

import pytest

from infra.local import cloud
from infra.local.__main__ import main
from infra.local.api_client import ServerEvent, parse_events
from infra.local.invoke import load_event
from infra.local.logs import read_logs
from infra.local.providers import read_env
from infra.local.state import CLONE, LocalCloudError


def test_env_files_have_quotes_comments_and_empty_values(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# key\nOPENAI_API_KEY='sk-1=2'\nexport LOG_LEVEL = DEBUG\nEMPTY=\nQUOTED=\"\"\nnonsense\n")
    assert read_env(tmp_path / ".env") == {"OPENAI_API_KEY": "sk-1=2", "LOG_LEVEL": "DEBUG"}
    assert read_env(tmp_path / "absent") == {}


def test_the_example_env_file_holds_no_key() -> None:
    assert not [name for name in read_env(CLONE / ".env.example") if name.endswith("_KEY")]


def test_an_event_goes_to_the_function_its_folder_names(tmp_path: Path) -> None:
    (tmp_path / "ingest").mkdir()
    (tmp_path / "ingest" / "case.json").write_text('{"Records": []}')
    assert load_event(tmp_path / "ingest" / "case.json") == ("ingest", {"Records": []})


@pytest.mark.parametrize(
    ("path", "content", "complaint"),
    [
        ("nowhere/case.json", "{}", "no function is called 'nowhere'"),
        ("ingest/absent.json", None, "Events of ingest: case.json"),
        ("ingest/broken.json", "{", "is not JSON"),
    ],
)
def test_a_wrong_event_file_is_explained(tmp_path: Path, path: str, content: str | None, complaint: str) -> None:
    (tmp_path / "ingest").mkdir()
    (tmp_path / "ingest" / "case.json").write_text("{}")
    if content is not None:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    with pytest.raises(LocalCloudError, match=complaint):
        load_event(tmp_path / path)


def test_server_sent_events_are_read_as_the_standard_says() -> None:
    lines = [
        ": ping",
        "",
        "data: one",
        "",
        "event: citation",
        "id: 7",
        'data: {"a":',
        "data: 1}",
        "",
        "data:",
        "data: x",
        "",
        "data: cut",
    ]
    assert list(parse_events(iter(lines))) == [
        ServerEvent("message", "one"),
        ServerEvent("citation", '{"a":\n1}'),
        ServerEvent("message", "\nx"),
    ]


def test_unknown_logs_are_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match=r"'nothing'.*rag.*edge"):
        list(read_logs(tmp_path, "nothing"))


def test_logs_of_a_part_are_its_files_end(tmp_path: Path) -> None:
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "edge.log").write_text("one\ntwo\nthree\n")
    assert list(read_logs(tmp_path, "edge", lines=2)) == ["two", "three"]
    assert list(read_logs(tmp_path, "rag", lines=1)) == ["three"], "the edge serves streaming areas"


@pytest.mark.parametrize(
    "command", [["logs", "ingest"], ["invoke", "events/ingest/absent.json"], ["operator-key"], ["migrate"], ["migrate-status"]]
)
def test_a_command_that_needs_a_running_cloud_says_so(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATRIUM_STATE_DIR", str(tmp_path / "state"))
    assert main(command) == 1
    assert capsys.readouterr().err.strip()


def test_down_without_anything_up_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATRIUM_STATE_DIR", str(tmp_path / "state"))
    assert main(["down"]) == 0
    assert "Nothing runs" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted((CLONE / "events").glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_event_in_the_repository_can_be_sent(path: Path) -> None:
    function, event = load_event(path)
    assert function == path.parent.name
    assert isinstance(event, dict)


def test_a_taken_port_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        with pytest.raises(LocalCloudError, match=rf"ATRIUM_PORT={taken + 1}"):
            cloud.start(tmp_path / "state", port=taken, env_file=None)
