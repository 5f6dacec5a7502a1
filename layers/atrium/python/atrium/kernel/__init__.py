"""What every room may use: ids, time, errors, settings, telemetry, the principal. Imports nothing of Atrium."""
