"""What no function of ours needs of the packages it carries. Measured: base+llm+embed is 320 MB whole, 235 pruned."""

import shutil
from pathlib import Path

from infra.packaging.strip import strip_libraries

# Distributions that only a tool of another package wants; uv leaves out their own dependencies too.
DROPPED_PACKAGES = ("huggingface-hub",)

# The service models that ports/ and infrastructure handlers open clients for; botocore carries some 400.
AWS_SERVICES = frozenset({"events", "lambda", "rds", "s3", "secretsmanager", "sesv2", "sqs", "stepfunctions", "sts"})

DROPPED_FOLDERS = (
    "bin",
    "boto3/examples",
    "numpy/_core/include",
    "numpy/_core/lib",
    "numpy/f2py",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    # Loaded when a client's property of that name is asked for; no adapter asks.
    "openai/resources/admin",
    "openai/resources/beta",
    "openai/types/admin",
    "openai/types/beta",
)
_DROPPED_SUFFIXES = frozenset({".a", ".c", ".cpp", ".h", ".hpp", ".pxd", ".pyi", ".pyx"})
_DROPPED_NAMES = frozenset({"tests", "__pycache__"})


def prune(packages: Path) -> None:
    """Remove it from a folder of installed packages."""
    for folder in DROPPED_FOLDERS:
        shutil.rmtree(packages / folder, ignore_errors=True)
    for path in [path for path in packages.rglob("*") if path.name in _DROPPED_NAMES and path.is_dir()]:
        shutil.rmtree(path, ignore_errors=True)
    for path in packages.rglob("*"):
        if path.suffix in _DROPPED_SUFFIXES and path.is_file():
            path.unlink()
    _prune_service_models(packages / "botocore" / "data")
    strip_libraries(packages)


def _prune_service_models(data: Path) -> None:
    for service in [path for path in data.glob("*") if path.is_dir() and path.name not in AWS_SERVICES]:
        shutil.rmtree(service)
