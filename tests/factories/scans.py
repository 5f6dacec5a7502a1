"""Pictures of pages, made in the test that needs them."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

PROSE = """The pump is inspected every morning
before the first shift begins, and the
result is written into the log that
hangs beside the door."""


def picture(text: str = PROSE, *, size: int = 32, mode: str = "L", margin: int = 60) -> Image.Image:
    """Black text on white; `size` in pixels."""
    font = ImageFont.load_default(size)
    box = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), text, font=font, spacing=size // 2)
    image = Image.new("L", (int(box[2]) + 2 * margin, int(box[3]) + 2 * margin), 255)
    ImageDraw.Draw(image).multiline_text((margin, margin), text, font=font, fill=0, spacing=size // 2)
    return image.convert(mode)


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The picture as a file; `options` are Pillow's."""
    target = BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def tiff(*images: Image.Image, **options: Any) -> bytes:
    """A TIFF of several pages."""
    first, *others = images
    return file_of(first, "TIFF", save_all=True, append_images=others, **options)


def scanned_pdf(pages: Sequence[tuple[Image.Image | None, str]], *, invisible: bool = False) -> bytes:
    """A PDF: each page a picture over all of it (or none), and text over that; `invisible` as OCR software writes it."""
    target = BytesIO()
    canvas = Canvas(target, invariant=1, pagesize=(595, 842))
    for image, text in pages:
        if image is not None:
            canvas.drawImage(ImageReader(image), 0, 0, 595, 842)
        layer = canvas.beginText(72, 780)
        layer.setTextRenderMode(3 if invisible else 0)
        layer.textLines(text)
        canvas.drawText(layer)
        canvas.showPage()
    canvas.save()
    return target.getvalue()
