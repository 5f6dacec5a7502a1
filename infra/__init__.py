"""Atrium as infrastructure: the CDK app, the packaging of what it deploys, and the local cloud."""
