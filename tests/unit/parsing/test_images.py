"""Pictures of pages: what is decoded, to which pixels, and what is refused before it is decoded."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from atrium.documents.parsing import images, worker
from atrium.documents.parsing.limits import ParserLimits
from atrium.documents.parsing.models import ExtractedText, Inspection
from atrium.documents.parsing.ocr import READ_PIXELS, Bitmap, RecognisedPage
from atrium.documents.parsing.pdf import PdfExtractor
from atrium.documents.parsing.pdf_layout import Line
from atrium.documents.parsing.registry import JPEG, PLAIN, PNG, TIFF, ParseOptions, extractor_for, page_source_for
from atrium.kernel.errors import IngestionFailed
from tests.factories.scans import file_of, scanned_pdf, tiff

_TYPES = {"PNG": PNG, "JPEG": JPEG, "TIFF": TIFF}


def arrow(mode: str = "L", size: tuple[int, int] = (60, 40)) -> Image.Image:
    """White, with a black quarter at the upper left."""
    image = Image.new("L", size, 255)
    image.paste(0, (0, 0, size[0] // 2, size[1] // 2))
    return image.convert(mode)


def bitmap(data: bytes, content_type: str, number: int = 1) -> Bitmap:
    return page_source_for(content_type).page_bitmap(data, number, ParseOptions())


def corners(page: Bitmap) -> list[bool]:
    """Which quarters are dark: upper left, upper right, lower left, lower right."""
    rows = (page.height // 4, 3 * page.height // 4)
    columns = (page.width // 4, 3 * page.width // 4)
    return [page.pixels[row * page.width + column] < 128 for row in rows for column in columns]


def failure(data: bytes, content_type: str, verb: str = "inspect") -> str:
    with pytest.raises(IngestionFailed) as raised:
        worker.parse(verb, data, "", content_type, ParseOptions())  # type: ignore[arg-type]
    return raised.value.kind


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK", "YCbCr")),
        *(("TIFF", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F")),
    ],
)
def test_every_kind_of_pixel_becomes_grey(kind: str, mode: str) -> None:
    image = arrow("I").point(lambda value: value * 257) if mode in {"I;16", "I", "F"} else arrow("RGB")
    page = bitmap(file_of(image.convert(mode), kind), _TYPES[kind])
    assert (page.width, page.height, len(page.pixels)) == (60, 40, 2400)
    assert corners(page) == [True, False, False, False]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "group3", "group4", "jpeg"])
def test_every_compression_of_a_tiff_is_read(compression: str) -> None:
    mode = "1" if compression.startswith("group") else "L"
    assert corners(bitmap(file_of(arrow(mode), "TIFF", compression=compression), TIFF)) == [True, False, False, False]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize(("orientation", "dark"), [(1, 0), (3, 3), (6, 1), (8, 2)])
def test_a_camera_says_which_way_is_up(kind: str, orientation: int, dark: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    page = bitmap(file_of(arrow(), kind, exif=exif), _TYPES[kind])
    assert corners(page).index(True) == dark
    assert (page.width > page.height) is (orientation in {1, 3})


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
def test_what_is_transparent_is_paper(ink: int, paper: int) -> None:
    """Black on nothing is black on white; white on nothing would be nothing, so it is white on black."""
    image = Image.new("RGBA", (60, 40), (ink, ink, ink, 0))
    image.paste((ink, ink, ink, 255), (0, 0, 30, 20))
    page = bitmap(file_of(image), PNG)
    assert (page.pixels[0], page.pixels[-1]) == (ink, paper)


def test_every_page_of_a_tiff_is_one_and_its_small_copies_are_none() -> None:
    thumbnail = {254: 1}
    first, second = BytesIO(), arrow(size=(40, 60))
    arrow().save(first, "TIFF", save_all=True, append_images=[second])
    data = first.getvalue()
    assert inspected(data, TIFF).pages == 2
    assert [bitmap(data, TIFF, number).width for number in (1, 2)] == [60, 40]
    assert inspected(file_of(arrow(), "TIFF", tiffinfo=thumbnail), TIFF).pages == 0


def inspected(data: bytes, content_type: str) -> Inspection:
    found = worker.parse("inspect", data, "", content_type, ParseOptions())
    assert isinstance(found, Inspection)
    return found


def png_of_size(width: int, height: int) -> bytes:
    """A small file that claims to be large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    assert failure(png_of_size(8000, 5001), PNG) == "too-large"
    assert failure(png_of_size(8000, 5001), PNG, "extract") == "too-large"
    assert failure(png_of_size(2**31 - 1, 2**31 - 1), PNG) == "too-large"
    assert failure(tiff(Image.new("1", (10, 10)), Image.new("1", (8000, 5001))), TIFF) == "too-large"
    assert inspected(png_of_size(8000, 5000), PNG).pages == 1


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "1"), ("JPEG", "RGB"), ("TIFF", "CMYK"), ("PNG", "I;16")])
def test_more_pixels_than_are_of_use_are_left_out(kind: str, mode: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    image = arrow("I", (8000, 5000)).point(lambda value: value * 257) if mode == "I;16" else arrow("RGB", (8000, 5000))
    page = bitmap(file_of(image.convert(mode), kind, exif=exif), _TYPES[kind])
    assert 0.99 * READ_PIXELS < page.width * page.height <= READ_PIXELS
    assert page.width / page.height == pytest.approx(1.6, abs=0.01)
    assert corners(page) == [False, False, False, True]


@pytest.mark.parametrize(
    ("kind", "data"), [("PNG", file_of(arrow())), ("JPEG", file_of(arrow(), "JPEG")), ("TIFF", tiff(arrow()))]
)
def test_a_damaged_image_is_called_that(kind: str, data: bytes) -> None:
    assert failure(data[:12], _TYPES[kind]) == "corrupt"
    with pytest.raises(IngestionFailed) as raised:
        worker.read_page(data[: len(data) - 40], "", _TYPES[kind], 1, Path("/nowhere"), ParseOptions())
    assert raised.value.kind == "corrupt"


def test_a_tiff_of_too_many_pages_is_refused() -> None:
    data = tiff(*(Image.new("1", (8, 8)) for _ in range(4)))
    options = ParseOptions(ParserLimits(max_pages=3))
    with pytest.raises(IngestionFailed) as raised:
        extractor_for(TIFF).inspect(data, options)
    assert raised.value.kind == "too-many-pages"


def test_an_images_text_is_what_ocr_read_of_each_page() -> None:
    data = tiff(arrow(), arrow())
    unread = worker.parse("extract", data, "", TIFF, ParseOptions())
    assert isinstance(unread, ExtractedText)
    assert (unread.text, unread.unread) == ("", (1, 2))
    pages = {n: RecognisedPage(n, (Line(f"Words of page {n}", 5, 50, 10),), 0.5 + n / 4) for n in (1, 2)}
    document = extractor_for(TIFF).extract(data, ParseOptions(recognised=pages))
    assert [document.text[page.start : page.end] for page in document.pages] == ["Words of page 1", "Words of page 2"]
    assert (document.unread, document.confidences) == ((), ((1, 0.75), (2, 1.0)))


def test_text_has_no_pages_to_show() -> None:
    with pytest.raises(IngestionFailed):
        page_source_for(PLAIN)


SCAN = Image.new("L", (60, 84), 200)
PROSE = "\n".join(f"Line {n} of the page says what a page of text says in so many words." for n in range(5))


@pytest.mark.parametrize(
    ("page", "unread"),
    [
        ((None, ""), False),  # blank
        ((None, "A few words."), False),
        ((SCAN, ""), True),
        ((SCAN, "Page 7"), True),  # a stamp on a scan
        ((SCAN, PROSE), False),  # a text layer, or text on a background
        ((None, "\ufffd" * 300), False),
    ],
)
def test_a_page_is_a_scan_when_its_text_is_in_its_picture(page: tuple[Image.Image | None, str], unread: bool) -> None:
    document = PdfExtractor().extract(scanned_pdf([(None, PROSE), page]), ParseOptions())
    assert document.unread == ((2,) if unread else ())


def test_a_text_layer_that_nobody_sees_stays() -> None:
    document = PdfExtractor().extract(scanned_pdf([(SCAN, PROSE)], invisible=True), ParseOptions())
    assert document.unread == ()
    assert "Line 4 of the page" in document.text


def test_a_scanned_page_is_rendered_at_300_dpi_upright() -> None:
    page = PdfExtractor().page_bitmap(scanned_pdf([(arrow(size=(595, 842)), "")]), 1, ParseOptions())
    assert (page.width, page.height, page.dpi) == (2480, 3509, 300)
    assert corners(page) == [True, False, False, False]
    assert images.MAX_PIXELS > READ_PIXELS
