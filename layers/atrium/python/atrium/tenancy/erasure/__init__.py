"""Erasing a tenant, with everything it has: rows, vectors, objects and all their versions."""

from atrium.tenancy.erasure.models import Erasure
from atrium.tenancy.erasure.service import ErasureService, is_erased

__all__ = ["Erasure", "ErasureService", "is_erased"]
