"""What a good model does with what it is asked, whoever's wire it speaks: the fakes of providers think here.

It quotes passages; calls the tools whose names the question's words hold, all that it may at once; tells what tools
gave; answers JSON of a schema; and says what pictures and files it was shown.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.fakes.wire import Script

NOTHING_FOUND = "I could not find an answer to this in your documents."
_PASSAGE = re.compile(r"^\s*(?:<[^>]*>\s*)?\[(\d+)\]\s*(.+)$", re.MULTILINE)
# Words that tools' names share, whatever they do.
_VERBS = frozenset({"get", "list", "find", "lookup", "search", "make", "do", "run", "the", "a", "my"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, whoever's wire it came by. `choice`: auto, none, required, or one tool's name.

    `results`: what tools gave since the last answer; `pictures` and `files`: how many there are.
    """

    texts: Sequence[str]
    tools: Mapping[str, Any]
    choice: str = "auto"
    parallel: bool = True
    results: Sequence[str] = ()
    schema: Mapping[str, Any] | None = None
    pictures: int = 0
    files: int = 0
    stop: Sequence[str] = ()

    @property
    def question(self) -> str:
        """The last line of all."""
        return self.texts[-1].rsplit("\n", 1)[-1] if self.texts else ""

    @property
    def tokens(self) -> int:
        """Of the prompt: its words, and as many for each picture and file as a provider may count."""
        words = sum(len(text.split()) for text in [*self.texts, *self.results])
        return words + 85 * self.pictures + 258 * self.files


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: text, calls (a name and JSON text), or a refusal."""

    text: str = ""
    calls: Sequence[tuple[str, str]] = ()
    refusal: str = ""

    def before(self, stop: Sequence[str]) -> "Said":
        """The same up to the first of these texts."""
        first = min((at for each in stop if (at := self.text.find(each)) >= 0), default=len(self.text))
        return replace(self, text=self.text[:first])

    @property
    def words(self) -> list[str]:
        """The pieces that it is streamed in; joined they are the text."""
        return re.findall(r"\s*\S+", self.refusal or self.text)

    @property
    def tokens(self) -> int:
        """Of the answer."""
        return len(self.words) + sum(len(arguments.split()) + 1 for _, arguments in self.calls)


def scripted(script: Script) -> Said | None:
    """What the script makes the model do instead, where it does beside its `answer`."""
    if not script.calls and not script.refusal:
        return None
    calls = [(name, given if isinstance(given, str) else json.dumps(given)) for name, given in script.calls]
    return Said(script.answer if isinstance(script.answer, str) else "", calls, script.refusal)


def thought(asked: Asked) -> Said:
    """What a good model answers."""
    called = [] if asked.results else _called(asked)
    if called:
        return Said(calls=[(name, json.dumps(instance(asked.tools[name], asked.question))) for name in called])
    if asked.schema is not None:
        return Said(json.dumps(instance(asked.schema, asked.question)))
    if asked.results:
        return Said(f"The tools say: {'; '.join(asked.results)}")
    if asked.pictures or asked.files:
        return Said(f"I was shown {asked.pictures} pictures and {asked.files} files.")
    return Said(quoted(asked.texts))


def quoted(texts: Sequence[str]) -> str:
    """The first sentence of the passage that shares most words with the question, and its marker."""
    passages = [found for text in texts for found in _PASSAGE.findall(text)]
    if not passages:
        return NOTHING_FOUND
    asked = _words(texts[-1].rsplit("\n", 1)[-1])
    marker, text = max(passages, key=lambda found: len(asked & _words(found[1])))
    return f"{re.split(r'(?<=[.!?])\s', text, maxsplit=1)[0]} [{marker}]"


def _called(asked: Asked) -> Sequence[str]:
    if asked.choice == "none" or not asked.tools:
        return []
    if asked.choice in asked.tools:
        return [asked.choice]
    wanted = _words(asked.question)
    fitting = [name for name in asked.tools if (_words(name.replace("_", " ")) - _VERBS) & wanted]
    if not fitting and asked.choice == "required":
        fitting = list(asked.tools)[:1]
    return fitting if asked.parallel else fitting[:1]


def instance(schema: Mapping[str, Any], hint: str = "", root: Mapping[str, Any] | None = None) -> Any:
    """Something that fits a schema of the kinds that models are given; texts are the hint's last name."""
    root = root or schema
    if "$ref" in schema:
        return instance(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], hint, root)
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return instance(options[0], hint, root)
    if "const" in schema or "enum" in schema:
        return schema.get("const") or schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: instance(each, hint, root) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [instance(schema.get("items", {}), hint, root)] * max(1, schema.get("minItems", 1))
    return _plain(kind, schema, hint)


def _plain(kind: str, schema: Mapping[str, Any], hint: str) -> Any:
    names = re.findall(r"(?<=\s)[A-Z]\w+", hint)
    plain = {"string": names[-1] if names else "text", "integer": schema.get("minimum", 1), "number": 1.5, "boolean": True}
    return plain.get(kind)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))
