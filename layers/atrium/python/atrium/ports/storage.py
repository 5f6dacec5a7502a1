"""Objects by key in one bucket."""

import functools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, Final, Protocol
from urllib.parse import quote

from atrium.kernel.errors import NotFound, Unavailable
from atrium.ports import aws


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a store says of an object. `size` in bytes; `version_id` is empty where the bucket keeps no versions."""

    key: str
    size: int
    version_id: str
    content_type: str


@dataclass(frozen=True, slots=True)
class PresignedPost:
    """A form that whoever has it may send one file with: POST `fields` and then the file to `url`."""

    url: str
    fields: dict[str, str] = field(repr=False)


class ObjectStorage(Protocol):
    """Errors: `NotFound` for an absent key, `Unavailable` when the store cannot be reached."""

    async def put(self, key: str, data: bytes, *, content_type: str, metadata: dict[str, str] | None = None) -> StoredObject:
        """Write the whole object and return what is stored; the last writer wins, versions are kept."""
        ...

    async def get(self, key: str, version_id: str | None = None) -> bytes:
        """The whole object in memory; callers bound the size by `head` first."""
        ...

    def read(self, key: str, version_id: str | None = None) -> AsyncIterator[bytes]:
        """The object in pieces of at most 1 MB; the caller counts them."""
        ...

    async def head(self, key: str, version_id: str | None = None) -> StoredObject:
        """What is stored under the key, without its bytes."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether the key holds an object."""
        ...

    def list(self, prefix: str) -> AsyncIterator[str]:
        """The keys under a prefix, in order."""
        ...

    async def versions(self, key: str) -> tuple[str, ...]:
        """The ids of the key's versions, the newest first. Delete markers are none."""
        ...

    async def delete(self, key: str, version_id: str | None = None) -> None:
        """Delete one version, or all of the key. With its last version its delete markers go; what is absent is no error."""
        ...

    async def purge(self, prefix: str, *, limit: int = 1000) -> int:
        """Delete up to `limit` (1,000 at most) versions and delete markers under a prefix; how many went, 0 when none is left."""
        ...

    async def presign_get(
        self, key: str, *, filename: str, content_type: str, version_id: str | None = None, expires_in: int = 300
    ) -> str:
        """A URL that downloads the object as an attachment for `expires_in` seconds, signed for the client-visible origin."""
        ...

    async def presign_post(self, key: str, *, content_type: str, sizes: tuple[int, int], expires_in: int) -> PresignedPost:
        """A form that writes this key, with this type and a size in bytes within `sizes`, for `expires_in` seconds."""
        ...


_ABSENT = ("NoSuchKey", "404", "NotFound", "NoSuchVersion")
_PIECE: Final = 1024 * 1024
_AT_ONCE: Final = 1000  # what DeleteObjects takes


class S3Storage:
    """`ObjectStorage` on one versioned bucket. `public_url`: where clients reach S3, when not where we do."""

    def __init__(self, bucket: str, public_url: str = "") -> None:
        self._bucket = bucket
        self._public_url = public_url

    async def put(self, key: str, data: bytes, *, content_type: str, metadata: dict[str, str] | None = None) -> StoredObject:
        """See `ObjectStorage.put`."""

        def write() -> dict[str, Any]:
            return dict(
                aws.client("s3").put_object(
                    Bucket=self._bucket, Key=key, Body=data, ContentType=content_type, Metadata=metadata or {}
                )
            )

        reply = await aws.call("object storage", write)
        return StoredObject(key, len(data), (reply or {}).get("VersionId", ""), content_type)

    async def get(self, key: str, version_id: str | None = None) -> bytes:
        """See `ObjectStorage.get`."""

        def read() -> bytes:
            return bytes(aws.client("s3").get_object(**self._address(key, version_id))["Body"].read())

        data = await aws.call("object storage", read, absent=_ABSENT)
        if data is None:
            raise NotFound(f"no object {key}")
        return data

    async def read(self, key: str, version_id: str | None = None) -> AsyncIterator[bytes]:
        """See `ObjectStorage.read`."""

        def begin() -> Any:  # noqa: ANN401  botocore's streaming body
            return aws.client("s3").get_object(**self._address(key, version_id))["Body"]

        body = await aws.call("object storage", begin, absent=_ABSENT)
        if body is None:
            raise NotFound(f"no object {key}")
        try:
            while piece := await aws.call("object storage", functools.partial(body.read, _PIECE)):
                yield piece
        finally:
            body.close()

    async def head(self, key: str, version_id: str | None = None) -> StoredObject:
        """See `ObjectStorage.head`."""

        def read() -> dict[str, Any]:
            return dict(aws.client("s3").head_object(**self._address(key, version_id)))

        found = await aws.call("object storage", read, absent=_ABSENT)
        if found is None:
            raise NotFound(f"no object {key}")
        return StoredObject(key, found["ContentLength"], found.get("VersionId", ""), found.get("ContentType", ""))

    async def exists(self, key: str) -> bool:
        """See `ObjectStorage.exists`."""
        try:
            await self.head(key)
        except NotFound:
            return False
        return True

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """See `ObjectStorage.list`."""
        token: str | None = None
        while True:
            page = await aws.call("object storage", functools.partial(self._page, prefix, token)) or {}
            for entry in page.get("Contents", ()):
                yield entry["Key"]
            token = page.get("NextContinuationToken")
            if not token:
                return

    def _page(self, prefix: str, token: str | None) -> dict[str, Any]:
        more = {"ContinuationToken": token} if token else {}
        return dict(aws.client("s3").list_objects_v2(Bucket=self._bucket, Prefix=prefix, **more))

    async def versions(self, key: str) -> tuple[str, ...]:
        """See `ObjectStorage.versions`."""
        entries = await aws.call("object storage", functools.partial(self._entries, key, only=key))
        return tuple(entry["VersionId"] for entry in entries or () if "Size" in entry)  # a marker has none

    async def delete(self, key: str, version_id: str | None = None) -> None:
        """See `ObjectStorage.delete`."""
        await aws.call("object storage", functools.partial(self._delete, key, version_id))

    async def purge(self, prefix: str, *, limit: int = 1000) -> int:
        """See `ObjectStorage.purge`."""

        def remove() -> int:
            entries = self._entries(prefix, limit=limit)
            self._remove(entries)
            return len(entries)

        return await aws.call("object storage", remove) or 0

    def _delete(self, key: str, version_id: str | None) -> None:
        """What is written meanwhile is not in the listing, and stays."""
        entries = self._entries(key, only=key)
        others = [entry for entry in entries if "Size" in entry and entry["VersionId"] != version_id]
        everything = version_id is None or not others
        self._remove([entry for entry in entries if everything or entry["VersionId"] == version_id])

    def _entries(self, prefix: str, *, only: str = "", limit: int | None = None) -> Sequence[dict[str, Any]]:
        """Versions and delete markers under a prefix, or of one key alone; a key's versions are in order, the newest first."""
        found: tuple[dict[str, Any], ...] = ()
        for page in aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix):
            entries = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            found += tuple(dict(entry) for entry in entries if not only or entry["Key"] == only)
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    def _remove(self, entries: Sequence[dict[str, Any]]) -> None:
        s3 = aws.client("s3")
        for batch in batched(entries, _AT_ONCE, strict=False):
            doomed = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in batch]
            reply = s3.delete_objects(Bucket=self._bucket, Delete={"Objects": doomed, "Quiet": True})
            if refused := [error for error in reply.get("Errors", ()) if error.get("Code") not in _ABSENT]:
                raise Unavailable(f"object storage did not delete {len(refused)} objects")

    async def presign_get(
        self, key: str, *, filename: str, content_type: str, version_id: str | None = None, expires_in: int = 300
    ) -> str:
        """See `ObjectStorage.presign_get`. RFC 6266: an ASCII fallback and the real name in UTF-8."""
        plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%;' else "_" for c in filename)
        parameters = self._address(key, version_id) | {
            "ResponseContentDisposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}",
            "ResponseContentType": content_type,
        }

        def sign() -> str:
            s3 = aws.client("s3", self._public_url or None)
            return str(s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=expires_in))

        return await aws.call("object storage", sign) or ""

    async def presign_post(self, key: str, *, content_type: str, sizes: tuple[int, int], expires_in: int) -> PresignedPost:
        """See `ObjectStorage.presign_post`. The policy names the exact key and type; S3 refuses whatever else is sent."""

        def sign() -> PresignedPost:
            signed = aws.client("s3", self._public_url or None).generate_presigned_post(
                Bucket=self._bucket,
                Key=key,
                Fields={"Content-Type": content_type},
                Conditions=[{"Content-Type": content_type}, ["content-length-range", *sizes]],
                ExpiresIn=expires_in,
            )
            return PresignedPost(str(signed["url"]), dict(signed["fields"]))

        signed = await aws.call("object storage", sign)
        assert signed is not None  # no code of an absent thing was given
        return signed

    def _address(self, key: str, version_id: str | None) -> dict[str, str]:
        version = {"VersionId": version_id} if version_id else {}
        return {"Bucket": self._bucket, "Key": key, **version}
