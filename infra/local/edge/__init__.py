"""The edge: one origin on loopback for what API Gateway serves in production.

Streaming areas run in this process, as Lambda Web Adapter runs them, so that a stream really streams (the emulator
buffers); every other request goes on to the emulator's REST API. The process is a bare Python 3.13 without
site-packages: it imports from the built layers and bundles first, and only what those lack from .tools/edge.
"""
