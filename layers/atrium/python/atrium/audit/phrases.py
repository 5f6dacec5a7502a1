"""What was done, in words a person reads: "ada@example.com deleted document report.pdf"."""

from typing import Final

# Where "<last word> <first words>" is not what one would say. {} is what it was done to.
_PHRASES: Final = {
    "auth.registered": "registered the organisation",
    "auth.logged_in": "logged in",
    "auth.logged_out": "logged out",
    "auth.logged_out_everywhere": "logged out everywhere",
    "auth.login_failed": "failed to log in as {}",
    "auth.refresh_reused": "showed a refresh token that was used already",
    "auth.password_changed": "changed the password",
    "auth.password_change_failed": "failed to change the password",
    "auth.password_reset": "set a new password",
    "auth.reset_requested": "asked for a new password of {}",
    "user.accepted": "accepted the invitation",
    "document.received": "added document {}",
    "document.ready": "made document {} searchable",
    "tenant.updated": "changed the organisation's settings",
    "limits.changed": "changed the limits of {}",
    "llm_default.set": "set the default model for {}",
    "prompt.version_added": "added a version to prompt {}",
    "prompt.label_set": "moved a label of prompt {}",
    "model.changed": "changed the terms of model {}",
    "provider_key.set": "set the key of provider {}",
    "provider_key.deleted": "deleted the key of provider {}",
    "ledger.closed": "closed the ledger's day {}",
}
_CALLS: Final = {
    "chat": "asked {} ({})",
    "embedding": "embedded text with {} ({})",
    "ocr": "read scanned pages with {} ({})",
    "training": "trained {} ({})",
}
_ACTORS: Final = {
    "api_key": "an API key",
    "user": "a former user",
    "worker": "Atrium",
    "operator": "the operator",
    "anonymous": "somebody",
}


def who(actor: str, name: str | None) -> str:
    """Of the actor `user:<id>` and the name that it has today, if it is still there."""
    kind = actor.partition(":")[0]
    if name is None:
        return _ACTORS.get(kind, kind)
    return f"the API key {name}" if kind == "api_key" else name


def what(target: str) -> str:
    """Of a target that has no name (any more): what stands behind its kind."""
    kind, _, rest = target.partition(":")
    return "the organisation" if kind == "tenant" else rest or target


def change(actor: str, action: str, target: str) -> str:
    """Of an entry of the audit log; `target` is a name, or what the log has."""
    phrase = _PHRASES.get(action)
    if phrase is None:
        *words, verb = action.replace("_", " ").split(".")
        phrase = f"{verb} {' '.join(words).replace('api key', 'API key')} {{}}"
    return f"{actor} {phrase.replace('{}', target)}".strip()


def call(actor: str, kind: str, model: str, feature: str) -> str:
    """Of an entry of the ledger."""
    verb, end = _CALLS.get(kind, "called {} ({})").split("{}", 1)
    return f"{actor} {verb}{model}{end.replace('{}', feature)}"
