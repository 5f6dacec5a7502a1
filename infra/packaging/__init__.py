"""Builds Lambda layers and function bundles without Docker: `python -m infra.packaging --platform local|lambda-arm64`."""
