"""Who belongs to a tenant: users, and those who are invited to become one."""

from atrium.tenancy.people.service import Invited, PeopleService

__all__ = ["Invited", "PeopleService"]
