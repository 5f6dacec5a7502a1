"""Worker: keeps the deployment clean by schedule."""
