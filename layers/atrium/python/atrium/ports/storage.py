"""Objects by key in one bucket."""

import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol
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


class ObjectStorage(Protocol):
    """Errors: `NotFound` for an absent key, `Unavailable` when the store cannot be reached."""

    async def put(self, key: str, data: bytes, *, content_type: str, metadata: dict[str, str] | None = None) -> StoredObject:
        """Write the whole object and return what is stored; the last writer wins, versions are kept."""
        ...

    async def get(self, key: str, version_id: str | None = None) -> bytes:
        """The whole object in memory; callers bound the size by `head` first."""
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

    async def delete(self, key: str) -> None:
        """Delete every version of the key; an absent key is no error."""
        ...

    async def purge(self, prefix: str, *, limit: int = 1000) -> int:
        """Delete up to `limit` (1,000 at most) versions and delete markers under a prefix; how many went, 0 when none is left."""
        ...

    async def presign_get(
        self, key: str, *, filename: str, content_type: str, version_id: str | None = None, expires_in: int = 300
    ) -> str:
        """A URL that downloads the object as an attachment for `expires_in` seconds, signed for the client-visible origin."""
        ...


_ABSENT = ("NoSuchKey", "404", "NotFound", "NoSuchVersion")


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

    async def delete(self, key: str) -> None:
        """See `ObjectStorage.delete`."""
        await aws.call("object storage", functools.partial(self._delete_versions, key))

    def _delete_versions(self, key: str) -> None:
        s3 = aws.client("s3")
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key):
            for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                if entry["Key"] == key:
                    s3.delete_object(Bucket=self._bucket, Key=key, VersionId=entry["VersionId"])

    async def purge(self, prefix: str, *, limit: int = 1000) -> int:
        """See `ObjectStorage.purge`."""
        return await aws.call("object storage", functools.partial(self._purge, prefix, limit)) or 0

    def _purge(self, prefix: str, limit: int) -> int:
        s3 = aws.client("s3")
        page = s3.list_object_versions(Bucket=self._bucket, Prefix=prefix, MaxKeys=limit)
        entries = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        if not entries:
            return 0
        doomed = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
        reply = s3.delete_objects(Bucket=self._bucket, Delete={"Objects": doomed, "Quiet": True})
        if reply.get("Errors"):
            raise Unavailable("object storage is unavailable")
        return len(doomed)

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

    def _address(self, key: str, version_id: str | None) -> dict[str, str]:
        version = {"VersionId": version_id} if version_id else {}
        return {"Bucket": self._bucket, "Key": key, **version}
