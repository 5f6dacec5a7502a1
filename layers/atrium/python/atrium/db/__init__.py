"""The data core: connections, tenant transactions, queries by name, and the migrator (`atrium.db.migrator`)."""

from atrium.db.connections import PasswordSource
from atrium.db.database import Database
from atrium.db.maintenance import Maintenance
from atrium.db.queries import Queries, load_queries
from atrium.db.transaction import Row, Transaction

__all__ = ["Database", "Maintenance", "PasswordSource", "Queries", "Row", "Transaction", "load_queries"]
