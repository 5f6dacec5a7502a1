"""What the verbs of documents are built from."""

from typing import Protocol

from atrium.db import Database
from atrium.kernel.settings import Settings
from atrium.ports.keyring import KeyringSource
from atrium.ports.storage import ObjectStorage
from atrium.ports.workflow import Workflow


class Parts(Protocol):
    """A process's parts; `atrium.runtime.Runtime` is one."""

    @property
    def settings(self) -> Settings:
        """Of these the limits, and `embedding_model`: whose space a collection gets that has none yet."""
        ...

    @property
    def database(self) -> Database:
        """Tenant transactions."""
        ...

    @property
    def storage(self) -> ObjectStorage:
        """The bucket of documents."""
        ...

    @property
    def pipeline(self) -> Workflow:
        """The document pipeline."""
        ...

    @property
    def keyring(self) -> KeyringSource:
        """The deployment's own keys: files' passwords are sealed under them."""
        ...
