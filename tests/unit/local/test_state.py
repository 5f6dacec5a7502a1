"""State folders: private, ours, and replaced in one step."""

import os
from pathlib import Path

import pytest

from infra.local import state
from infra.settings import PREFIX


def test_a_state_folder_is_private(tmp_path: Path) -> None:
    assert state.private_dir(tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_postgress_user_may_pass_but_not_list(tmp_path: Path) -> None:
    mode = state.private_dir(tmp_path / "state", passable=True).stat().st_mode & 0o777
    assert mode == (0o710 if os.geteuid() == 0 else 0o700)


def test_a_link_put_there_by_somebody_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "target")
    with pytest.raises(state.LocalCloudError, match="ATRIUM_STATE_DIR"):
        state.private_dir(tmp_path / "state")


def test_records_are_private_and_whole(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    state.write_record(file, {"port": 1})
    state.write_record(file, {"port": 2})
    assert state.read_record(file) == {"port": 2}
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize("content", [None, "", "{", "[1]"])
def test_a_broken_record_is_no_record(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "record.json").write_text(content)
    assert state.read_record(tmp_path / "record.json") == {}


def test_clones_do_not_share_state(monkeypatch: pytest.MonkeyPatch) -> None:
    here = state.default_state_dir()
    monkeypatch.setattr(state, "CLONE", Path("/elsewhere"))
    assert state.default_state_dir() != here
    monkeypatch.setenv("ATRIUM_STATE_DIR", "/chosen")
    assert state.default_state_dir() == Path("/chosen")


def test_function_names_begin_as_the_stack_names_them() -> None:
    assert state.PREFIX == PREFIX
