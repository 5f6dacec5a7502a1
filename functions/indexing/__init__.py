"""Worker: large tenants' own vector indexes, by schedule and as the owner of the tables."""
