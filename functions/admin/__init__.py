"""The `admin` area: the audit log and whatever else a tenant's admins look after."""
