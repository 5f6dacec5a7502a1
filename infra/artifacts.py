"""What `python -m infra.packaging` built, as assets. Their hashes are those of the inputs, so a rebuild alone deploys nothing."""

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.areas import LAYERS, LayerName
from infra.packaging.fingerprint import read_stamp
from infra.settings import PREFIX, Settings

RUNTIME = lambda_.Runtime.PYTHON_3_13


class Artifacts(Construct):
    """One layer version per layer, and the code of every function."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings) -> None:
        super().__init__(scope, name)
        self._build = settings.build
        self._layer_kind = "links" if settings.local else "layers"
        self.architecture = _architecture(settings)
        self._layers = {layer: self._layer(layer) for layer in LAYERS}

    def layers(self, names: Sequence[LayerName]) -> list[lambda_.ILayerVersion]:
        """The layer versions of those names, in that order."""
        return [self._layers[name] for name in names]

    def code(self, function: str) -> lambda_.Code:
        """A function's own bundle."""
        return _asset(self._build / "functions" / function)

    def _layer(self, name: LayerName) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            name.capitalize(),
            layer_version_name=f"{PREFIX}-{name}",
            code=_asset(self._build / self._layer_kind / name),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[self.architecture],
        )


def _architecture(settings: Settings) -> lambda_.Architecture:
    """Graviton in an account; on a laptop whatever it is, which its emulator does not look at."""
    return lambda_.Architecture.X86_64 if settings.local else lambda_.Architecture.ARM_64


def _asset(folder: Path) -> lambda_.Code:
    stamp = read_stamp(folder)
    if not stamp:
        raise SystemExit(f"{folder} is not built: run python -m infra.packaging first (make does)")
    return lambda_.Code.from_asset(str(folder), asset_hash=stamp, asset_hash_type=AssetHashType.CUSTOM)
