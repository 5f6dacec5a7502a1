"""What Tesseract knows of each language, from the npm registry: `<language>.traineddata` in one folder.

Every package is pinned by its integrity hash, so the registry cannot change what is deployed. The languages are chosen
when the layer is built, by OCR_LANGUAGES (`eng+deu`); `osd`, which sees how a page was turned, always comes along. The
file `languages` says which, in which order.
"""

import base64
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from infra.packaging.places import ROOT

DEFAULT_LANGUAGES = "eng"
_ORIENTATION = "osd"
_VERSION = "1.0.0"
# npm's own integrity of @tesseract.js-data/<language>@1.0.0. Another language is one line here:
# npm view @tesseract.js-data/<language>@1.0.0 dist.integrity
INTEGRITY = {
    "deu": "sha512-3ter1p2gFAiCd5CMC+PodZ9YY2UDomkKj+ytlKeeZqOUmhLx1SDnYPf5zog0g5MBbxYveW+8omI3PUflqHfZ4Q==",
    "eng": "sha512-mbTumm6KQPUHyzTPQaF3ObXYnx0SqqfV2nabqFVQBwD6Kl7PhGSLSzOlfFTWy0P3BjghaSKA2W9GB19Jk+ZcTg==",
    "fra": "sha512-pp58gMaoyidoBBLd5y5rnf0WW0Y1994QrGqZrYatITqIU/AReUJMykD+YY3JDgvnmgz7uAx1UmhjjuyEmV8JEA==",
    "osd": "sha512-9kRvbrdywiWFuxrii1dLUo6vLpgaNBzi+9OtvXWuDbRM+QJ9TlZjzCLJFO8D2UsKwod0gpLc1mGaC6i1w4g+vg==",
    "spa": "sha512-9Ln+QKq/TNu4Hy4aOp5b4nXo9U0C6IqJMzNDpAJZe/fNtz6jXG9G/hQgR/Irxj+RGf0M7Xy1MNx1yl4wQUIfeg==",
}
# The LSTM models quantised to integers: as good as the float ones (checked on real scans), a fifth of their size.
_VARIANT = "4.0.0_best_int"
NOTICE = """\
Trained data of Tesseract OCR (tessdata_best), Apache License 2.0, https://github.com/tesseract-ocr/tessdata_best
As packaged by @tesseract.js-data, with weights made integers.
"""


def languages() -> list[str]:
    """The languages to build for, from OCR_LANGUAGES. Stops the build for one that is not pinned here."""
    wanted = [name for name in re.split(r"[+,\s]+", os.environ.get("OCR_LANGUAGES", "")) if name] or [DEFAULT_LANGUAGES]
    known = sorted(INTEGRITY.keys() - {_ORIENTATION})
    for name in wanted:
        if name not in known:
            raise SystemExit(f"OCR_LANGUAGES names {name!r}; infra/packaging/ocr_data.py pins {', '.join(known)}")
    return list(dict.fromkeys(wanted))


def build(target: Path) -> None:
    """Write the traineddata of every language, the licence and the list of languages into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (*languages(), _ORIENTATION):
        (target / f"{name}.traineddata").write_bytes(_traineddata(name))
    (target / "languages").write_text("+".join(languages()) + "\n", encoding="utf-8")
    (target / "NOTICE").write_text(NOTICE, encoding="utf-8")
    shutil.copyfile(ROOT / "LICENSE", target / "LICENSE")


def verified(name: str, package: bytes) -> bytes:
    """The package's bytes; stops the build when they are not the pinned ones."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    if found != INTEGRITY[name]:
        raise SystemExit(f"@tesseract.js-data/{name}@{_VERSION} has integrity {found}, expected {INTEGRITY[name]}")
    return package


def _traineddata(name: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="atrium-ocr-") as folder:
        path = _fetch(name, Path(folder))
        verified(name, path.read_bytes())
        with tarfile.open(path) as package:
            member = package.extractfile(f"package/{_VARIANT}/{name}.traineddata.gz")
            if member is None:
                raise SystemExit(f"@tesseract.js-data/{name}@{_VERSION} holds no {_VARIANT}")
            return gzip.decompress(member.read())


def _fetch(name: str, folder: Path) -> Path:
    """The package's tarball, by the machine's own npm: its registry, its proxy, its cache."""
    package = f"@tesseract.js-data/{name}@{_VERSION}"
    path = f"{ROOT / '.tools' / 'node' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    npm = shutil.which("npm", path=path)
    if not npm:
        raise SystemExit("npm was not found: run this through the Makefile, which brings its own")
    answer = subprocess.run(  # noqa: S603 - npm, with a name that is ours
        [npm, "pack", package, "--silent", "--pack-destination", str(folder)],
        cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if answer.returncode != 0:
        sys.stderr.write(answer.stderr)
        raise SystemExit(f"npm could not fetch {package}; OCR needs it once, then it is kept in build/")
    (written,) = folder.glob("*.tgz")
    return written
