"""The local cloud: the deployed stack on embedded Postgres and an AWS emulator. No product logic lives here."""
