"""The HTTP door of every area: strict requests in, problem+json and signed cursors out, authentication in between."""
