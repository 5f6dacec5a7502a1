"""What of a relayed body is looked at because of money or reach; every other field passes to the provider unchanged.

What a call can cost is reserved from its tokens at the model's price. A field that costs more than that, or that has the answer
made elsewhere, is refused by name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from atrium.gateway.openai_shape import refused
from atrium.kernel.public_urls import check_public, is_data

LIMITS: Final = ("max_completion_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class Rule:
    """Why a field is refused, and the values that ask for nothing. `own`: an own server, at no price, may be asked for it."""

    reason: str
    allowed: tuple[object, ...] = (None,)
    own: bool = True


_SEARCHED: Final = "is not passed on: searches are billed apart from tokens."
_ELSEWHERE: Final = "is not passed on: another model could answer than the one whose price was reserved."
_LATER: Final = "is not passed on: an answer that is fetched later is settled by nobody."

FIELDS: Final[Mapping[str, Rule]] = {
    "service_tier": Rule("must be auto or default: other tiers have other prices.", (None, "auto", "default")),
    "prediction": Rule("is not passed on: predicted tokens are billed also where they were wrong."),
    "audio": Rule("is not passed on: sound has a price of its own."),
    "modalities": Rule('must be ["text"]: sound has a price of its own.', (None, [], ["text"])),
    "best_of": Rule("must be 1: answers that are not shown are billed too; n asks for more.", (None, 1)),
    "min_tokens": Rule("is not passed on: an answer ends by its own, or at max_completion_tokens."),
    "n_predict": Rule("is not passed on: send max_completion_tokens."),
    "store": Rule("must be false: answers are not kept at the provider.", (None, False)),
    "metadata": Rule("is not passed on: it goes with answers that are stored at the provider, and none is.", (None, {})),
    "transforms": Rule("is not passed on: what is sent is what was counted.", (None, [])),
    "web_search_options": Rule(_SEARCHED, own=False),
    "search_parameters": Rule(_SEARCHED, own=False),
    "search_settings": Rule(_SEARCHED, own=False),
    "compound_custom": Rule("is not passed on: other models and tools than were reserved for would be billed.", own=False),
    "plugins": Rule(_SEARCHED, (None, []), own=False),
    "deferred": Rule(_LATER, (None, False), own=False),
    "background": Rule(_LATER, (None, False), own=False),
    "models": Rule(_ELSEWHERE, own=False),
    "route": Rule(_ELSEWHERE, own=False),
    "provider": Rule(_ELSEWHERE, own=False),
}
PARTS: Final[Mapping[str, Rule]] = {"input_audio": Rule("is not passed on: sound has a price of its own.")}
_FILE_ID: Final = "is not passed on: what the file holds cannot be counted; send file_data."
_TOOLS: Final = frozenset({"function", "custom"})
_TOOL: Final = "must be function or custom: tools that the provider runs are billed apart from tokens."


def limit_of(body: Mapping[str, Any]) -> int | None:
    """How long the answer may be, in tokens: the smaller where both names are given."""
    return min((body[name] for name in LIMITS if body.get(name)), default=None)


def check_wire(body: Mapping[str, Any], *, own: bool, priced: bool) -> None:
    """InvalidFields names what may not be relayed. `own`: to a server that the operator runs, which sees the inside."""
    for name, rule in FIELDS.items():
        if body.get(name) not in rule.allowed and (priced or not rule.own):
            raise refused(f"/{name}", rule.reason)
    for at, tool in enumerate(body.get("tools") or ()):
        if priced and (not isinstance(tool, Mapping) or tool.get("type") not in _TOOLS):
            raise refused(f"/tools/{at}/type", _TOOL)
    for place, part in _parts(body):
        _check_part(part, place, priced=priced)
        _check_urls(part, place, own=own)


def _parts(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for at, message in enumerate(body["messages"]):
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, Mapping):
                yield f"/messages/{at}/content/{number}", part


def _check_part(part: Mapping[str, Any], place: str, *, priced: bool) -> None:
    rule = PARTS.get(str(part.get("type")))
    if rule is not None and priced:
        raise refused(f"{place}/type", rule.reason)
    file = part.get("file")
    if isinstance(file, Mapping) and file.get("file_id") is not None:
        raise refused(f"{place}/file/file_id", _FILE_ID)


def _check_urls(part: Mapping[str, Any], place: str, *, own: bool) -> None:
    """Whatever the part is called: image_url, and what other servers know beside it, such as video_url and audio_url."""
    for where, url in _urls(part, place):
        if is_data(url):
            continue
        if own:
            raise refused(where, "must be a data: URL: this server would fetch it from inside.")
        try:
            check_public(url)
        except ValueError as wrong:
            raise refused(where, f"{wrong}, or a data: URL.") from None


def _urls(part: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    left: list[tuple[str, str, object]] = [(place, "", part)]
    while left:
        where, name, value = left.pop()
        if isinstance(value, str):
            if name == "url" or name.endswith("_url") or (name == "file_data" and ":" in value[:64] and not is_data(value)):
                yield where, value
        elif isinstance(value, Mapping):
            left += [(f"{where}/{key}", _named(key, name), each) for key, each in value.items()]
        elif isinstance(value, list):
            left += [(f"{where}/{at}", name, each) for at, each in enumerate(value)]


def _named(key: str, above: str) -> str:
    """What stands inside of a `…_url` is one too, but for what is known not to be."""
    return above if above.endswith("_url") and key not in {"detail", "format", "media_type", "mime_type", "uuid"} else key
