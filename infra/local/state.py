"""Where the local cloud keeps what it knows: folders of our own under /var/tmp, private to this user.

They are outside the clone because Postgres, when `make up` runs as root, runs as an ordinary user, who cannot
enter a clone under /root.
"""

import hashlib
import json
import os
import pwd
import stat
from pathlib import Path
from typing import Any, Final

CLONE: Final = Path(__file__).resolve().parents[2]
PLACE: Final = Path("/var/tmp")  # noqa: S108  survives a reboot, unlike /tmp; every folder made there is checked to be ours
# That of infra/settings.py, which is not imported here: the CDK's library starts a Node process on import.
PREFIX: Final = "atrium"
UNPRIVILEGED: Final = "nobody"


class LocalCloudError(Exception):
    """Something the user can act on; the text says what to do next."""


def default_state_dir() -> Path:
    """The state folder of this clone: $ATRIUM_STATE_DIR, else one named by user and clone."""
    if chosen := os.environ.get("ATRIUM_STATE_DIR"):
        return Path(chosen)
    digest = hashlib.sha256(str(CLONE).encode()).hexdigest()[:12]
    return PLACE / f"atrium-{os.geteuid()}-{digest}"


def tool_environment() -> dict[str, str]:
    """PATH and UV with the tools that the Makefile installs in .tools, also when Python was started without make."""
    tools = CLONE / ".tools"
    path = f"{tools / 'node' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    uv = tools / "uv" / "bin" / "uv"
    return {"PATH": path} | ({"UV": str(uv)} if uv.exists() else {})


def postgres_user() -> pwd.struct_passwd | None:
    """Whom Postgres runs as: None for ourselves; it refuses root, so root lends it another identity."""
    return pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None


def private_dir(path: Path, *, passable: bool = False) -> Path:
    """Make `path` (or take it as it is) for us alone; `passable` lets Postgres's user through it, without listing it.

    Raises LocalCloudError when somebody else made it first: names under /var/tmp can be guessed.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = path.lstat()
    if not stat.S_ISDIR(made.st_mode) or made.st_uid != os.geteuid():
        raise LocalCloudError(f"{path} belongs to somebody else. Set ATRIUM_STATE_DIR to a folder of your own.")
    user = postgres_user()
    if passable and user is not None:
        os.chown(path, -1, user.pw_gid)
        path.chmod(0o710)
    else:
        path.chmod(0o700)
    return path


def read_record(path: Path) -> dict[str, Any]:
    """A JSON object written by `write_record`; empty when there is none."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Replace `path` in one step, readable by us alone: a crash leaves the old record or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(record, file, indent=2)
    draft.replace(path)
