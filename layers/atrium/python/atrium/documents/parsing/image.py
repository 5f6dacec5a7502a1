"""PNG, JPEG and TIFF: every page of them is for OCR to read."""

from typing import ClassVar

from atrium.documents.parsing import images
from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.models import ExtractedText, Inspection
from atrium.documents.parsing.ocr import Bitmap
from atrium.documents.parsing.pdf_layout import Layout, PageLines, paragraphs
from atrium.documents.parsing.recognised import Recognised
from atrium.documents.parsing.registry import JPEG, PNG, TIFF, ParseOptions


class ImageExtractor:
    """The `Extractor` and `PageSource` of one type of pictures."""

    content_type: ClassVar[str]

    def inspect(self, data: bytes, options: ParseOptions) -> Inspection:
        """How many pages it has."""
        with images.opened(data, self.content_type, options.limits.max_pages) as (_, frames):
            return Inspection(self.content_type, pages=len(frames))

    def extract(self, data: bytes, options: ParseOptions) -> ExtractedText:
        """The text that OCR read, page by page."""
        with images.opened(data, self.content_type, options.limits.max_pages) as (_, frames):
            count = len(frames)
        recognised = Recognised(range(1, count + 1), options.recognised)
        pages: list[PageLines] = [recognised.lines(number) for number in range(1, count + 1)]
        layout = Layout(pages, [])
        builder = TextBuilder(self.content_type, options.limits.max_text_chars)
        for number, lines in enumerate(pages, 1):
            builder.start_page(number)
            for kind, text, level in paragraphs(lines, number, layout):
                builder.add(kind, text, level)
        return recognised.finish(builder, layout.first_heading)

    def page_bitmap(self, data: bytes, number: int, options: ParseOptions) -> Bitmap:
        """See `PageSource.page_bitmap`."""
        with images.opened(data, self.content_type, options.limits.max_pages) as (image, frames):
            if not 1 <= number <= len(frames):
                raise failed(FailureKind.CORRUPT, f"The image has no page {number}.")
            return images.bitmap_of(image, frames[number - 1])


class PngExtractor(ImageExtractor):
    """The `Extractor` of image/png."""

    content_type = PNG


class JpegExtractor(ImageExtractor):
    """The `Extractor` of image/jpeg."""

    content_type = JPEG


class TiffExtractor(ImageExtractor):
    """The `Extractor` of image/tiff; a file may hold many pages."""

    content_type = TIFF
