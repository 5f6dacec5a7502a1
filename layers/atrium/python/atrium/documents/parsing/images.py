"""Pictures of pages, decoded with distrust: what they are, how many frames, each as grey pixels the right way up."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.ocr import READ_PIXELS, Bitmap
from atrium.documents.parsing.registry import JPEG, PNG, TIFF

MAX_PIXELS: Final = 40_000_000
_FORMATS: Final = {PNG: "PNG", JPEG: "JPEG", TIFF: "TIFF"}
_SUBFILE_TYPE: Final = 254  # TIFF 6.0: bit 0 marks a smaller copy of another frame
_WIDE: Final = {"RGB", "CMYK", "YCbCr", "LAB", "I", "F"}
_WHITE, _BLACK = 255, 0


@contextmanager
def opened(data: bytes, content_type: str, max_frames: int) -> "Iterator[tuple[Image.Image, list[int]]]":
    """The picture, and which of its frames are pages. Raise `corrupt`, `too-large` or `too-many-pages`; decodes nothing yet."""
    Image.MAX_IMAGE_PIXELS = None  # checked here, frame by frame, with an error of ours
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata
        try:
            image = Image.open(BytesIO(data), formats=[_FORMATS[content_type]])
        except (OSError, ValueError, SyntaxError) as error:
            raise failed(FailureKind.CORRUPT, "The image cannot be opened: it is damaged or incomplete.") from error
        with image:
            yield image, list(_frames(image, content_type, max_frames))


def bitmap_of(image: Image.Image, frame: int) -> Bitmap:
    """A frame as the engine reads it: grey on white, turned as its camera says, not larger than is of use."""
    image.seek(frame)
    check_size(*image.size)
    if image.format == "JPEG":
        image.draft("L", _bounded(*image.size))
    if image.mode in _WIDE:
        image = _shrunk(image)  # before anything makes a copy: 40 megapixels of four bytes are a third of the memory
    grey = ImageOps.exif_transpose(_shrunk(_grey(image)))
    return Bitmap(grey.width, grey.height, grey.tobytes())


def check_size(width: int, height: int) -> None:
    """Raise `too-large` for more than 40 megapixels."""
    if width * height > MAX_PIXELS:
        detail = f"The image has {width * height / 1e6:,.0f} megapixels; at most {MAX_PIXELS // 1_000_000} are read."
        raise failed(FailureKind.TOO_LARGE, detail)


def _frames(image: Image.Image, content_type: str, max_frames: int) -> Iterator[int]:
    """The frames of a TIFF that are pages; a PNG or JPEG is one, whatever it carries besides."""
    check_size(*image.size)
    if content_type != TIFF:
        yield 0
        return
    frame = 0
    while True:
        try:
            image.seek(frame)
        except EOFError:
            return
        if frame >= max_frames:
            raise failed(FailureKind.TOO_MANY_PAGES, f"The TIFF has more than {max_frames:,} pages, which is what is read.")
        if not int(image.tag_v2.get(_SUBFILE_TYPE, 0)) & 1:  # type: ignore[attr-defined]  # of Pillow's TIFF images
            check_size(*image.size)
            yield frame
        frame += 1


def _bounded(width: int, height: int) -> tuple[int, int]:
    """The size with at most `READ_PIXELS`, same proportions."""
    factor = min(1.0, (READ_PIXELS / max(1, width * height)) ** 0.5)
    return max(1, int(width * factor)), max(1, int(height * factor))


def _shrunk(image: Image.Image) -> Image.Image:
    size = _bounded(*image.size)
    return image if size == image.size else image.resize(size, Image.Resampling.BOX)


def _grey(image: Image.Image) -> Image.Image:
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return _of_deep(image)
    if not image.has_transparency_data:
        return image.convert("L")
    if image.mode not in {"LA", "RGBA"}:
        image = image.convert("RGBA")
    grey, alpha = image.convert("L"), image.getchannel("A")
    shown = Image.composite(grey, Image.new("L", grey.size, _WHITE), alpha)
    if _is_plain(shown):  # white on nothing
        shown = Image.composite(grey, Image.new("L", grey.size, _BLACK), alpha)
    return shown


def _of_deep(image: Image.Image) -> Image.Image:
    """16 bits and more, or floats: from the darkest to the lightest that occurs."""
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]  # a pair: there is one band
    factor = 255 / (high - low) if high > low else 0.0
    return image.point(lambda value: value * factor - low * factor).convert("L")


def _is_plain(image: Image.Image) -> bool:
    low, high = image.getextrema()
    return low == high
