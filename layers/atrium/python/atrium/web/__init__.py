"""The HTTP door of every area: strict requests in, problem+json and signed cursors out, authentication in between."""

from atrium.web.loading import load_fastapi

load_fastapi()
