"""An object's arrival in the bucket, as its message says it, and what can become of it."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from atrium.kernel.errors import MalformedRequest


class Receipt(StrEnum):
    """What became of an arrival. Anything else is an error, and its message comes again."""

    STARTED = "started"  # its execution was started, or had been before
    UNCHANGED = "unchanged"  # the latest version holds the same bytes, or its making has begun or ended already
    STALE = "stale"  # a later write to the same object was seen before
    GONE = "gone"  # the document, or the object, was deleted meanwhile
    REFUSED = "refused"  # a version was registered and failed at once
    REJECTED = "rejected"  # the key can never become a document
    IGNORED = "ignored"  # no key of ours


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """S3's 'Object Created' as EventBridge brings it: the key is not percent-encoded, `sequencer` orders the writes to it."""

    key: str
    version_id: str
    sequencer: str

    @classmethod
    def from_message(cls, body: str) -> Self:
        """From a queue message's body, a whole EventBridge event. `MalformedRequest` when it is none."""
        try:
            thing: dict[str, Any] = json.loads(body)["detail"]["object"]
            return cls(str(thing["key"]), str(thing.get("version-id", "")), str(thing.get("sequencer", "")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MalformedRequest("The message is no 'Object Created' event.") from error


def is_later(sequencer: str, than: str) -> bool:
    """Whether a write came after another to the same key. S3: pad the shorter hexadecimal with zeros on the right."""
    width = max(len(sequencer), len(than))
    return sequencer.lower().ljust(width, "0") > than.lower().ljust(width, "0")
