"""A stream of frames as the answer to a request."""

import re
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from atrium.gateway.openai_answers import frame
from atrium.gateway.relay import Streaming
from atrium.kernel.errors import AtriumError
from atrium.web.connection import left_cancels
from atrium.web.openai_problems import document

_HEADERS: Final = {"X-Accel-Buffering": "no"}
IGNORED: Final = "X-Atrium-Ignored"
# Names come from the request: what is no plain name would end the header, or be unspeakable in it.
_NAME: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")
_MOST_NAMES: Final = 20


def ignored_header(names: Sequence[str]) -> dict[str, str]:
    """The header that names what the model was not told; the first names, and how many there are beside them."""
    if not names:
        return {}
    named = [name for name in names if _NAME.fullmatch(name)][:_MOST_NAMES]
    more = len(names) - len(named)
    return {IGNORED: ", ".join([*named, *([f"and {more} more"] if more else [])])}


class RelayedStream(Response):
    """Sends the frames as they come; a failure in the middle is the last frame. The stream ends with it, however it ends."""

    media_type = "text/event-stream"

    def __init__(self, streaming: Streaming, headers: Mapping[str, str]) -> None:
        super().__init__(headers={**_HEADERS, **headers})
        # Nobody knows how long it gets.
        del self.headers["content-length"]
        self._streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; a client that leaves ends the provider's call."""
        try:
            async with left_cancels(Request(scope, receive)):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await self._send_frames(send)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._streaming.close()

    async def _send_frames(self, send: Send) -> None:
        try:
            async with aclosing(self._streaming.frames()) as frames:
                async for piece in frames:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except AtriumError as error:
            # 200 is sent already: the stream itself tells the failure, and has no [DONE].
            await send({"type": "http.response.body", "body": frame(document(error)), "more_body": True})
