"""An event stream, cut anywhere by the network, comes to the same frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.providers.openai_relay import Frames, frame_data

LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20).map(lambda text: f"data: {text}".encode())
END = st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"])


@given(st.lists(st.tuples(LINE, END), max_size=8), st.lists(st.integers(1, 30), max_size=40))
def test_frames_are_the_same_however_they_arrive(frames: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    wire, reader, found = b"".join(line + end for line, end in frames), Frames(), []
    for cut in [*cuts, len(wire)]:
        found += reader.feed(wire[:cut])
        wire = wire[cut:]
    assert found == [line for line, _ in frames]
    assert reader.rest == b""


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b"data: {}", b"{}"),
        (b"data:{}", b"{}"),
        (b"event: x\r\ndata: a\r\ndata: b", b"a\nb"),
        (b": a comment", None),
        (b"event: ping", None),
    ],
)
def test_the_data_of_a_frame(frame: bytes, data: bytes | None) -> None:
    assert frame_data(frame) == data
