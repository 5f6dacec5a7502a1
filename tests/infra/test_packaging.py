"""The packager: what goes in, what is left out, what is not built twice."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.areas import FUNCTIONS
from infra.packaging import bundles, fingerprint, layers
from infra.packaging.__main__ import Piece, build, build_all, size
from infra.packaging.bytecode import compile_tree
from infra.packaging.places import ROOT, Places, uv
from infra.packaging.prune import AWS_SERVICES, prune
from infra.packaging.strip import strip_libraries

# Lambda's limit is 250 MB with every layer; the adapter's needs some of it.
LIMIT = 245_000_000
_UNCHECKED_HASH = 0b01


def write(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A tree with one function of each kind."""
    write(tmp_path / "functions" / "__init__.py")
    for name in ("system", "rag", "ingest"):
        write(tmp_path / "functions" / name / "handler.py", "def handler(event, context):\n    return event\n")
    write(tmp_path / "functions" / "rag" / "run.sh", "#!/bin/sh\n").chmod(0o755)
    write(tmp_path / "functions" / "ingest" / "__pycache__" / "old.pyc")
    write(tmp_path / "docs" / "openapi.json", "{}")
    return Places("local", tmp_path)


def built(places: Places, name: str) -> Path:
    target = places.root / "out" / name
    bundles.build_bundle(places, name, target)
    return target


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_a_bundle_keeps_its_package_path(places: Places) -> None:
    assert files(built(places, "ingest")) == {"functions/__init__.py", "functions/ingest/handler.py"}


def test_a_streaming_area_has_its_entry_at_the_root(places: Places) -> None:
    target = built(places, "rag")
    assert os.access(target / "run.sh", os.X_OK)
    assert "functions/rag/handler.py" in files(target)


def test_the_system_area_carries_the_merged_api(places: Places) -> None:
    assert (built(places, "system") / "functions" / "system" / "openapi.json").read_text() == "{}"


def test_a_missing_function_is_named(places: Places) -> None:
    with pytest.raises(SystemExit, match=r"functions/extract/handler\.py"):
        bundles.bundle_hash(places, "extract")


def test_a_bundles_hash_follows_its_sources_alone(places: Places) -> None:
    before = bundles.bundle_hash(places, "ingest")
    write(places.root / "functions" / "ingest" / "__pycache__" / "new.pyc")
    write(places.root / "functions" / "rag" / "routes.py")
    assert bundles.bundle_hash(places, "ingest") == before
    write(places.root / "functions" / "ingest" / "handler.py", "handler = None\n")
    assert bundles.bundle_hash(places, "ingest") != before


def test_bytecode_is_valid_whatever_the_files_date(tmp_path: Path) -> None:
    module = write(tmp_path / "module.py", "ANSWER = 42\n")
    compile_tree(tmp_path, "/var/task")
    (cached,) = (tmp_path / "__pycache__").glob("*.pyc")
    assert int.from_bytes(cached.read_bytes()[4:8], "little") == _UNCHECKED_HASH
    os.utime(module, (0, 0))
    assert importlib.util.cache_from_source(str(module)) == str(cached)


def test_source_that_does_not_compile_stops_the_build(tmp_path: Path) -> None:
    write(tmp_path / "module.py", "def broken(:\n")
    with pytest.raises(SystemExit, match="does not compile"):
        compile_tree(tmp_path, "/var/task")


def test_what_no_function_needs_is_pruned(tmp_path: Path) -> None:
    kept = ["botocore/data/s3/service.json.gz", "botocore/data/endpoints.json", "numpy/testing/__init__.py", "numpy/core.so"]
    dropped = [
        "botocore/data/ec2/service.json.gz",
        "numpy/tests/test_a.py",
        "numpy/core.pyi",
        "bin/tool",
        "onnxruntime/tools/a.py",
    ]
    for name in kept + dropped:
        write(tmp_path / name)
    prune(tmp_path)
    assert files(tmp_path) == set(kept)
    assert "s3" in AWS_SERVICES


def test_a_piece_is_built_once_per_key_and_never_left_half_built(tmp_path: Path) -> None:
    calls: list[Path] = []

    def fill(target: Path) -> None:
        calls.append(target)
        write(target / "content", "x" * 10)

    def fail(target: Path) -> None:
        write(target / "content")
        raise OSError("disk full")

    target = tmp_path / "piece"
    assert "piece" in build(Piece("piece", target, "one", fill))
    assert build(Piece("piece", target, "one", fill)) == ""
    with pytest.raises(OSError, match="disk full"):
        build(Piece("piece", target, "two", fail))
    assert fingerprint.read_stamp(target) == ""
    assert build(Piece("piece", target, "two", fill))
    assert size(target) == 10
    assert len(calls) == 2


def test_other_layers_leave_out_what_base_carries() -> None:
    places = Places("lambda-arm64")
    base = {line.split("==")[0] for line in layers.requirements(places, "base").splitlines()}
    for layer in ("llm", "docs", "ocr", "embed"):
        own = {line.split("==")[0] for line in layers.requirements(places, layer).splitlines() if line}
        assert own
        assert not own & base
        assert "huggingface-hub" not in own


def test_every_requirement_is_pinned_by_hash() -> None:
    for line in layers.requirements(Places("lambda-arm64"), "base").splitlines():
        assert "==" in line
        assert "--hash=sha256:" in line


def test_a_link_leads_to_the_built_layer(tmp_path: Path) -> None:
    places = Places("local", tmp_path)
    write(places.layer("base") / "python" / "carried.py", "ORIGIN = 'layer'\n")
    layers.build_link(places, "base", places.deployable("base"))
    (site,) = places.deployable("base").rglob("site-packages")
    script = f"import site; site.addsitedir({str(site)!r}); import carried; print(carried.ORIGIN)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "layer\n"
    assert Places("lambda-arm64", tmp_path).deployable("base") == Places("lambda-arm64", tmp_path).layer("base")


@pytest.mark.skipif(sys.platform != "linux", reason="what is stripped is ELF")
def test_a_stripped_library_is_smaller_and_loads(tmp_path: Path) -> None:
    found = importlib.util.find_spec("multidict._multidict")
    assert found is not None
    assert found.origin is not None
    whole = Path(found.origin)
    library = tmp_path / "python" / "multidict" / whole.name
    library.parent.mkdir(parents=True)
    for source in whole.parent.glob("*.py"):
        shutil.copy(source, library.parent)
    shutil.copy(whole, library)
    saved = strip_libraries(tmp_path)
    assert saved > 100_000
    assert library.stat().st_size == whole.stat().st_size - saved
    assert strip_libraries(tmp_path) == 0
    script = f"import sys; sys.path.insert(0, {str(tmp_path / 'python')!r}); from multidict import _multidict as m"
    code = f"{script}; d = m.MultiDict([('a', 1), ('a', 2)]); print(m.__file__, d.getall('a'))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == f"{library} [1, 2]\n"


def test_what_is_no_library_of_ours_to_strip_stays(tmp_path: Path) -> None:
    contents = {
        "text.so": b"INPUT(libc.so.6)",
        "short.so": b"\x7fELF\x02\x01",
        "mac.so": b"\xcf\xfa\xed\xfe" * 50,
        "wide.so.1": b"",
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    assert strip_libraries(tmp_path) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == contents


def test_uv_is_found_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV", "/elsewhere/uv")
    assert uv() == "/elsewhere/uv"


@pytest.mark.slow
def test_what_goes_to_an_account_fits_runs_on_arm64_and_is_built_once() -> None:
    places = Places("lambda-arm64", ROOT)
    build_all(places, print)
    said: list[str] = []
    assert build_all(places, said.append) == 0
    assert said == []
    for function in FUNCTIONS:
        total = size(places.function(function.name)) + sum(size(places.layer(layer)) for layer in function.layers)
        assert total < LIMIT, f"{function.name}: {total / 1e6:.0f} MB"
    binaries = [path for path in places.build.rglob("*.so") if path.is_file()]
    assert binaries
    # ELF's e_machine: 183 is AArch64.
    assert {int.from_bytes(path.read_bytes()[18:20], "little") for path in binaries} == {183}
    assert (places.layer("embed") / "model" / "model.onnx").stat().st_size > 20_000_000
    assert (places.layer("ocr") / "tessdata" / "eng.traineddata").stat().st_size > 5_000_000
    assert all(len(function.layers) <= 5 for function in FUNCTIONS)
