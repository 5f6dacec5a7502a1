"""Small documents made in the test that needs them."""

import zipfile
from collections.abc import Callable
from io import BytesIO

from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from atrium.documents.parsing.failures import FailureKind
from atrium.kernel.errors import IngestionFailed

TRANSITIONAL = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"


def outcome[Result](call: Callable[[], Result]) -> Result | FailureKind:
    """What a call returns, or the kind of the failure that it raises."""
    try:
        return call()
    except IngestionFailed as failure:
        return FailureKind(failure.kind)


def pdf(*pages: str, password: str | None = None) -> bytes:
    """One page for each text, a line for each of its lines; `password` is needed to open it ("" encrypts without)."""
    target = BytesIO()
    encryption = None if password is None else StandardEncryption(password, ownerPassword="owner", canPrint=0)
    canvas = Canvas(target, invariant=1, encrypt=encryption)
    for page in pages:
        for row, line in enumerate(page.split("\n")):
            canvas.drawString(72, 750 - 14 * row, line)
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def package(parts: dict[str, bytes | str]) -> bytes:
    """A zip file."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # of 1980: every run makes the same
    return target.getvalue()


def docx(body: str, *, namespace: str = TRANSITIONAL, main_type: str = _MAIN, **parts: str) -> bytes:
    """A Word document. `parts`: "styles", "numbering", "footnotes", "header1", ...: the inner XML of each."""
    kinds = {name: name.rstrip("0123456789") for name in parts}
    relations = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{name}.xml"/>' for name, kind in kinds.items()
    )
    roots = {"header": "hdr", "footer": "ftr"}
    content: dict[str, bytes | str] = {
        "[Content_Types].xml": f'<Types><Override PartName="/word/document.xml" ContentType="{main_type}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="a" Type="{_OFFICE}/officeDocument" '
        'Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{_RELATIONS}">{relations}</Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{namespace}" xmlns:mc="{_MC}"><w:body>{body}</w:body></w:document>',
    }
    for name, kind in kinds.items():
        root = roots.get(kind, kind)
        content[f"word/{name}.xml"] = f'<w:{root} xmlns:w="{namespace}">{parts[name]}</w:{root}>'
    return package(content)


def paragraph(text: str, properties: str = "") -> str:
    """A Word paragraph of one run."""
    return f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'
