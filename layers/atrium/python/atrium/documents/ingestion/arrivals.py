"""What happens to objects in the bucket, as its messages say it, and what can become of it."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from atrium.kernel.errors import MalformedRequest


class Receipt(StrEnum):
    """What became of a message. Anything else is an error, and the message comes again."""

    STARTED = "started"  # its execution was started, or had been before
    WAITING = "waiting"  # its version waits its turn: others of its tenant are under way
    UNCHANGED = "unchanged"  # the latest version holds the same bytes, or its making has begun or ended already
    STALE = "stale"  # a later write to the same object was seen before
    GONE = "gone"  # the document, or the object, was deleted meanwhile
    DELETED = "deleted"  # the file was deleted, and its document with it
    REFUSED = "refused"  # a version was registered and failed at once
    REJECTED = "rejected"  # the key can never become a document
    IGNORED = "ignored"  # no key of ours, or deletions are not mirrored


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """S3's 'Object Created' as EventBridge brings it: the key is not percent-encoded, `sequencer` orders the writes to it."""

    key: str
    version_id: str
    sequencer: str


@dataclass(frozen=True, slots=True)
class ObjectDeleted:
    """S3's 'Object Deleted': a delete marker was laid on the key, or a version of it removed. In one order with the writes."""

    key: str
    sequencer: str


def read_message(body: str) -> ObjectCreated | ObjectDeleted:
    """From a queue message's body, a whole EventBridge event. `MalformedRequest` when it is neither of the two."""
    try:
        event: dict[str, Any] = json.loads(body)
        thing = event["detail"]["object"]
        key, sequencer = str(thing["key"]), str(thing.get("sequencer", ""))
        match event["detail-type"]:
            case "Object Created":
                return ObjectCreated(key, str(thing.get("version-id", "")), sequencer)
            case "Object Deleted":
                return ObjectDeleted(key, sequencer)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedRequest(_NEITHER) from error
    raise MalformedRequest(_NEITHER)


_NEITHER: Final = "The message is no 'Object Created' and no 'Object Deleted' event."


def is_later(sequencer: str, than: str) -> bool:
    """Whether a write came after another to the same key. S3: pad the shorter hexadecimal with zeros on the right."""
    width = max(len(sequencer), len(than))
    return sequencer.lower().ljust(width, "0") > than.lower().ljust(width, "0")
