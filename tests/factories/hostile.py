"""Files that mean harm, small as they are: what each is, and the ways in which it may end.

An ending is a kind of `IngestionFailed`, or READ for a file that is harmless to read, its text or its pages.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO

READ = "read"
_MIB = 1024 * 1024
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = (
    '<Types><Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_BODY = f'<w:document xmlns:w="{_W}"><w:body>%s</w:body></w:document>'
_WORDS = "<w:p><w:r><w:t>Harmless words</w:t></w:r></w:p>"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file by its name, how it is made, and how it may end."""

    name: str
    make: Callable[[], bytes]
    endings: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def files() -> list[Hostile]:
    """All of them; the name's extension is the type it claims."""
    folders = (_archives(), _documents(), _pdfs(), _pages(), _texts())
    return [Hostile(name, make, tuple(endings.split())) for folder in folders for name, (make, endings) in folder.items()]


_Files = dict[str, tuple[Callable[[], bytes], str]]


def _package(parts: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return target.getvalue()


def docx(document: str = _BODY % _WORDS) -> bytes:
    """A Word document of one part."""
    return _package({"[Content_Types].xml": _TYPES, "word/document.xml": document})


def _with_parts(parts: Mapping[str, bytes | str]) -> bytes:
    return _package({"[Content_Types].xml": _TYPES, "word/document.xml": _BODY % _WORDS, **parts})


def _bomb() -> bytes:
    return _package({"[Content_Types].xml": _TYPES, "word/document.xml": bytes(60 * _MIB)})


def _liar() -> bytes:
    """A part of 20 MB whose directory says 100 bytes."""
    data = bytearray(_bomb_part(20))
    size = struct.pack("<I", 20 * _MIB)
    while (place := data.find(size)) >= 0:
        data[place : place + 4] = struct.pack("<I", 100)
    return bytes(data)


def _bomb_part(megabytes: int) -> bytes:
    return _package({"[Content_Types].xml": _TYPES, "word/document.xml": bytes(megabytes * _MIB)})


def _overlapping() -> bytes:
    """Nine hundred entries that are all the same bytes of the file."""
    kernel = _bomb_part(1)
    with zipfile.ZipFile(BytesIO(kernel)) as archive:
        entry = archive.getinfo("word/document.xml")
    start = kernel.index(b"PK\x01\x02")
    rows = []
    for number in range(900):
        name = f"word/part{number:04}.xml".encode()
        row = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, entry.CRC, entry.compress_size, entry.file_size,
                          len(name), 0, 0, 0, 0, 0, entry.header_offset)  # fmt: skip
        rows.append(row + name)
    directory = b"".join(rows)
    return kernel[:start] + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 900, 900, len(directory), start, 0)


def _nested() -> bytes:
    """A Word document that carries archives in archives."""
    inner = _bomb()
    for _ in range(5):
        inner = _package({f"{number}.zip": inner for number in range(3)}, zipfile.ZIP_STORED)
    return _with_parts({"word/embeddings/a.zip": inner[: 4 * _MIB]})


def _link() -> bytes:
    target = BytesIO()
    entry = zipfile.ZipInfo("word/document.xml")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr(entry, "/etc/passwd")
    return target.getvalue()


def _archives() -> _Files:
    return {
        "zip-bomb.docx": (_bomb, "unsafe-archive"),
        "zip-that-lies.docx": (_liar, "corrupt"),
        "zip-overlapping.docx": (_overlapping, "unsafe-archive type-mismatch"),
        "zip-in-zip.docx": (_nested, f"{READ} unsafe-archive"),
        "zip-entries.docx": (lambda: _with_parts({f"x/{number}.xml": "" for number in range(1_100)}), "unsafe-archive"),
        "zip-outside.docx": (lambda: _with_parts({"../../etc/cron.d/x": "a"}), "unsafe-archive"),
        "zip-link.docx": (_link, "unsafe-archive"),
        "macros.docx": (lambda: _with_parts({"word/vbaProject.bin": b"\xd0\xcf\x11\xe0"}), "unsafe-archive"),
        "macros.docm": (docx, "unsupported-type"),
    }


def _dtd(declaration: str, used: str) -> bytes:
    return docx(f"<!DOCTYPE d [{declaration}]>" + _BODY % _WORDS.replace("Harmless words", used))


def _laughs() -> bytes:
    steps = "".join(f'<!ENTITY e{step} "{f"&e{step - 1};" * 10}">' for step in range(1, 12))
    return _dtd(f'<!ENTITY e0 "ha">{steps}', "&e11;")


def _attributes() -> bytes:
    attributes = " ".join(f'a{number}="x"' for number in range(60_000))
    return docx(_BODY % f"<w:p {attributes}/>{_WORDS}")


def _documents() -> _Files:
    return {
        "billion-laughs.docx": (_laughs, "unsafe-archive corrupt"),
        "quadratic.docx": (lambda: _dtd(f'<!ENTITY e "{"x" * 20_000}">', "&e;" * 20_000), "unsafe-archive corrupt"),
        "external-entity.docx": (lambda: _dtd('<!ENTITY e SYSTEM "file:///etc/passwd">', "&e;"), "unsafe-archive"),
        "external-dtd.docx": (
            lambda: docx('<!DOCTYPE d SYSTEM "http://127.0.0.1:9/x.dtd">' + _BODY % _WORDS),
            "unsafe-archive",
        ),
        "deep.docx": (lambda: docx(_BODY % ("<w:tbl><w:tr><w:tc>" * 20_000)), "corrupt"),
        "attributes.docx": (_attributes, f"{READ} corrupt"),
        "many-tables.docx": (
            lambda: docx(_BODY % (f"<w:tbl><w:tr><w:tc>{_WORDS}</w:tc></w:tr></w:tbl>" * 20_000)),
            f"{READ} unsafe-archive",
        ),
        "styles-in-a-circle.docx": (
            lambda: docx(_BODY % f'<w:p><w:pPr><w:pStyle w:val="A"/></w:pPr></w:p>{_WORDS}'),
            READ,
        ),
        "not-word.docx": (lambda: _package({"a.txt": "words"}), "type-mismatch"),
    }


def _pdf(*objects: bytes, root: int = 1) -> bytes:
    """A PDF of numbered objects, without a cross-reference table: readers rebuild it."""
    body = b"".join(b"%d 0 obj\n%b\nendobj\n" % (number, each) for number, each in enumerate(objects, 1))
    return b"%%PDF-1.7\n%btrailer<</Root %d 0 R/Size %d>>\n%%%%EOF" % (body, root, len(objects) + 1)


_CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
_FONT = b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"


def _stream(data: bytes, entries: bytes = b"") -> bytes:
    packed = zlib.compress(data, 9)
    return b"<</Filter/FlateDecode/Length %d%b>>stream\n%b\nendstream" % (len(packed), entries, packed)


def _zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(_MIB)) for _ in range(megabytes)) + packer.flush()
    return b"<</Filter/FlateDecode/Length %d>>stream\n%b\nendstream" % (len(packed), packed)


def _one_page(content: bytes, resources: bytes = _FONT, *more: bytes) -> bytes:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R%b>>" % resources
    return _pdf(_CATALOG, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, content, *more)


def _deep_pages(depth: int) -> bytes:
    nodes = [b"<</Type/Pages/Count 1/Kids[%d 0 R]>>" % (number + 3) for number in range(depth)]
    return _pdf(_CATALOG, *nodes, b"<</Type/Page/MediaBox[0 0 9 9]>>")


def _many_pages(count: int) -> bytes:
    return _pdf(_CATALOG, b"<</Type/Pages/Count %d/Kids[%b]>>" % (count, b"3 0 R " * count), b"<</Type/Page/MediaBox[0 0 9 9]>>")


def _object_stream() -> bytes:
    """Objects packed a thousand to one: a stream of them that unpacks to 300 MB."""
    packer = zlib.compressobj(9)
    packed = packer.compress(b"3 0 ") + b"".join(packer.compress(b" " * _MIB) for _ in range(300)) + packer.flush()
    stream = b"<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>stream\n%b\nendstream" % (len(packed), packed)
    return _pdf(_CATALOG, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<</Type/Page/Contents 4 0 R>>", stream)


def _calls(depth: int, each: int) -> bytes:
    """Forms that draw the next one several times: each ** depth drawings."""
    first = 5
    content = b"/X Do " * each
    forms = [
        _stream(content, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>" % (first + step + 1))
        for step in range(depth)
    ]
    last = _stream(b"BT /F 9 Tf (x) Tj ET", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]" + _FONT)
    return _one_page(_stream(content), b"/Resources<</XObject<</X %d 0 R>>>>" % first, *forms, last)


def _own_form() -> bytes:
    form = _stream(b"/X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>")
    return _one_page(_stream(b"/X Do"), b"/Resources<</XObject<</X 5 0 R>>>>", form)


def _huge_image() -> bytes:
    image = _stream(
        bytes(1000), b"/Type/XObject/Subtype/Image/Width 200000/Height 200000/BitsPerComponent 8/ColorSpace/DeviceRGB"
    )
    return _one_page(_stream(b"600 0 0 800 0 0 cm /X Do"), b"/Resources<</XObject<</X 5 0 R>>>>", image)


def _outline_circle() -> bytes:
    catalog = b"<</Type/Catalog/Pages 2 0 R/Outlines 5 0 R>>"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R%b>>" % _FONT
    words = _stream(b"BT /F 12 Tf 72 700 Td (Harmless words) Tj ET")
    item = b"<</Title(a)/Next 6 0 R/First 6 0 R/Parent 5 0 R>>"
    return _pdf(catalog, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, words, b"<</First 6 0 R/Last 6 0 R/Count 9>>", item)


def _many_letters() -> bytes:
    return _one_page(_stream(b"BT /F 1 Tf 1 0 0 1 0 700 Tm " + b"(" + b"a b " * 250_000 + b") Tj ET"))


def _grid_of_words() -> bytes:
    """A page on which every line looks like a row of a table, in ten thousand pieces."""
    rows = b"".join(b"BT /F 2 Tf %d %d Td (ab) Tj ET " % (10 + 12 * (n % 50), 790 - 3 * (n // 50)) for n in range(12_000))
    return _one_page(_stream(rows))


def _pdfs() -> _Files:
    return {
        "page-tree.pdf": (lambda: _deep_pages(5_000), f"{READ} corrupt empty-text"),
        "pages-in-a-circle.pdf": (
            lambda: _pdf(_CATALOG, b"<</Type/Pages/Kids[2 0 R]/Count 1>>"),
            f"{READ} corrupt empty-text",
        ),
        "hundred-thousand-pages.pdf": (lambda: _many_pages(100_000), "too-many-pages"),
        "pages-that-are-not-there.pdf": (
            lambda: _pdf(_CATALOG, b"<</Type/Pages/Kids[]/Count 2000000000>>"),
            "too-many-pages corrupt empty-text",
        ),
        "content-bomb.pdf": (lambda: _one_page(_zeros(400)), "parser-memory empty-text corrupt"),
        "object-stream-bomb.pdf": (_object_stream, "parser-memory empty-text corrupt"),
        "form-calls-itself.pdf": (_own_form, f"{READ} empty-text corrupt"),
        "forms-call-forms.pdf": (lambda: _calls(30, 8), f"{READ} empty-text parser-timeout parser-memory corrupt"),
        "huge-image.pdf": (_huge_image, f"{READ} empty-text"),
        "outline-in-a-circle.pdf": (_outline_circle, READ),
        "a-million-letters.pdf": (_many_letters, f"{READ} too-large"),
        "a-page-of-pieces.pdf": (_grid_of_words, READ),
        "pdf-and-zip.pdf": (lambda: _outline_circle() + docx(), "type-mismatch"),
        "svg.pdf": (
            lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
            "unsupported-type type-mismatch",
        ),
    }


def _pages() -> _Files:
    words = "<p>Harmless words</p>"
    return {
        "a-million-divs.html": (lambda: b"<div>" * 1_000_000 + words.encode(), "corrupt"),
        "divs-that-others-end.html": (lambda: b"<x><div></x></y>" * 200_000 + words.encode(), "corrupt"),
        "deep-lists.html": (lambda: b"<ul><li>" * 5_000 + words.encode(), READ),
        "deeper-lists.html": (lambda: b"<ul><li>" * 50_000 + words.encode(), "corrupt"),
        "deep-tables.html": (lambda: b"<table><tr><td>" * 20_000 + words.encode(), f"{READ} parser-memory parser-timeout"),
        "open-tags.html": (lambda: b"<a href=x><b><i>" * 20_000 + words.encode(), "corrupt"),
        "attributes.html": (
            lambda: b"<p " + b" ".join(b"a%d=1" % number for number in range(100_000)) + b">x</p>" + words.encode(),
            "corrupt",
        ),
        "flat.html": (lambda: b"<i>x</i>" * 100_000, READ),
        "nuls.html": (lambda: b"<p>Harm\0less \0words</p>", f"{READ} type-mismatch"),
        "nuls-further-on.html": (lambda: b"<p>words</p>" * 1_000 + b"\0\0<p>\0x</p>", f"{READ} corrupt"),
        "comments.html": (lambda: b"<!--" * 300_000 + words.encode(), f"{READ} empty-text"),
        "svg.html": (lambda: b"<?xml version='1.0'?><!-- a --><svg><script>1</script></svg>", "unsupported-type"),
    }


def _texts() -> _Files:
    return {
        "one-line.csv": (lambda: b"a,b\n" + b"x" * 3_000_000 + b",1\n", READ),
        "a-million-cells.csv": (lambda: b"," * 1_000_000 + b"x\n1,2\n", READ),
        "open-quote.csv": (lambda: b'a,b\n1,"' + b"x,y\n" * 500_000, READ),
        "quotes.csv": (lambda: b'"' * 2_000_000 + b"\n", f"{READ} empty-text"),
        "nul.csv": (lambda: b"a,b\n1,\x002\n", "corrupt"),
        "surrogates.txt": (
            lambda: b"\xff\xfe" + "words and \ud800 more ".encode("utf-16-le", "surrogatepass") * 40,
            f"{READ} corrupt",
        ),
        "surrogates-in-utf-8.txt": (lambda: b"words \xed\xa0\x80 more words of this file " * 20, f"{READ} corrupt"),
        "turned-around.txt": ("pay \u202e001\u202c euros\u200b to\u2066 me\U000e0041".encode, READ),
        "noise.txt": (lambda: bytes(range(256)) * 100, "type-mismatch"),
        "fences.md": (lambda: b"```\n" * 200_000, f"{READ} empty-text"),
        "marks.md": (lambda: b"#" * 1_000_000 + b"\n" + b"> " * 200_000 + b"\n" + b"|-" * 200_000, READ),
        "lists.txt": (lambda: b"- x\n" * 100_000, READ),
    }
