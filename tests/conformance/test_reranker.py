"""`local/relevance` is a reranker, and it makes a ranking by words better."""

from pathlib import Path

import pytest

from atrium.providers import registry
from atrium.retrieval.reranking import Reranker
from tests.conformance.suites.reranker import RerankerSuite


class TestLocalReranker(RerankerSuite):
    @pytest.fixture(autouse=True)
    def _model(self, model_dir: Path) -> None:
        self._folder = model_dir

    def make(self) -> Reranker:
        return registry.reranker("local/relevance", model_dir=self._folder)
