"""The objects that the steps of one version leave one another. Writing twice is writing once."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Self

from atrium.documents.ingestion import batches
from atrium.documents.ingestion.batches import Batch, Plan, Unreadable
from atrium.documents.ingestion.steps import Step
from atrium.documents.keys import text_key, work_prefix
from atrium.documents.parsing.models import ExtractedText
from atrium.documents.parsing.ocr import RecognisedPage
from atrium.kernel.errors import NotFound, Unavailable
from atrium.ports.storage import ObjectStorage
from atrium.providers.base import Vectors

_JSON: Final = "application/json"
_BINARY: Final = "application/octet-stream"
_PAGE_DIGITS: Final = 5
_AT_ONCE: Final = 8  # objects read or written at the same time


class Work:
    """One attempt's view of its version's place in the bucket. `Unreadable` for what no step has written yet as it is read."""

    def __init__(self, storage: ObjectStorage, prefix: str, text: str, attempt: int) -> None:
        self._storage = storage
        self._prefix = prefix
        self._text_key = text
        self._attempt = attempt

    @classmethod
    def of(cls, storage: ObjectStorage, step: Step) -> Self:
        """The place of the version that a step works on."""
        prefix = work_prefix(step.tenant_id, step.document_id, step.version)
        return cls(storage, prefix, text_key(step.tenant_id, step.document_id, step.version), step.attempt)

    async def put_extracted(self, extracted: ExtractedText) -> None:
        """The text with its structure, and the stored text alone, which stays."""
        await self._storage.put(self._text_key, extracted.text.encode(), content_type="text/plain; charset=utf-8")
        await self._storage.put(f"{self._prefix}extracted.json", extracted.to_json().encode(), content_type=_JSON)

    async def get_extracted(self) -> ExtractedText:
        """What `put_extracted` wrote."""
        data = await self._get(f"{self._prefix}extracted.json")
        try:
            return await asyncio.to_thread(ExtractedText.from_json, data)
        except ValueError as error:
            raise Unreadable(str(error)) from error

    async def put_recognised(self, page: RecognisedPage) -> None:
        """What OCR read on one page, for all attempts; that it could not be read, for this one."""
        key = self._page_key(page.number) if page.failure is None else self._failure_key(page.number)
        await self._storage.put(key, page.to_json().encode(), content_type=_JSON)

    async def recognised(self) -> dict[int, str]:
        """The pages (from 1) that `put_recognised` has written, and where. No page that only an earlier attempt failed at."""
        found: dict[int, str] = {}
        async for key in self._storage.list(f"{self._prefix}ocr-"):
            number = int(key.removeprefix(f"{self._prefix}ocr-")[:_PAGE_DIGITS])
            if key == self._page_key(number) or (key == self._failure_key(number) and number not in found):
                found[number] = key
        return found

    async def get_recognised(self, numbers: Iterable[int]) -> list[RecognisedPage]:
        """What `put_recognised` wrote of these pages, in their order."""
        gate = asyncio.Semaphore(_AT_ONCE)
        keys = await self.recognised()

        async def get(number: int) -> RecognisedPage:
            async with gate:
                return RecognisedPage.from_json(await self._get(keys.get(number, self._page_key(number))))

        return list(await asyncio.gather(*(get(number) for number in numbers)))

    def _page_key(self, number: int) -> str:
        return f"{self._prefix}ocr-{number:0{_PAGE_DIGITS}d}.json"

    def _failure_key(self, number: int) -> str:
        return f"{self._prefix}ocr-{number:0{_PAGE_DIGITS}d}-failed-{self._attempt:03d}.json"

    async def put_plan(self, model: str, parts: Sequence[Batch]) -> Plan:
        """The batches, and then the plan: where there is a plan, there are all its batches."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def put(batch: Batch) -> str:
            async with gate:
                data = batch.to_json()
                name = batches.batch_name(data)
                await self._storage.put(batches.batch_key(self._prefix, name), data, content_type=_JSON)
                return name

        async with asyncio.TaskGroup() as group:
            names = [group.create_task(put(batch)) for batch in parts]
        plan = Plan(model, tuple(name.result() for name in names), sum(len(batch.chunks) for batch in parts))
        await self._storage.put(batches.plan_key(self._prefix, self._attempt), plan.to_json(), content_type=_JSON)
        return plan

    async def get_plan(self) -> Plan:
        """What `put_plan` wrote."""
        return Plan.from_json(await self._get(batches.plan_key(self._prefix, self._attempt)))

    async def get_batch(self, name: str) -> Batch:
        """One batch of a plan."""
        return Batch.from_json(await self._get(batches.batch_key(self._prefix, name)))

    async def _get(self, key: str) -> bytes:
        try:
            return await self._storage.get(key)
        except NotFound as error:
            raise Unreadable(f"{key} is not there") from error

    async def put_vectors(self, batch: Batch, vectors: Vectors) -> None:
        """The vectors of a batch."""
        data = batches.pack_vectors(batch, vectors)
        await self._storage.put(batches.vectors_key(self._prefix, batch), data, content_type=_BINARY)

    async def find_vectors(self, batch: Batch) -> Vectors | None:
        """The vectors of a batch; None when nobody made them yet, or they are of other content."""
        try:
            data = await self._storage.get(batches.vectors_key(self._prefix, batch))
        except NotFound:
            return None
        return batches.unpack_vectors(batch, data)

    async def get_embedded(self, plan: Plan) -> list[tuple[Batch, Vectors]]:
        """Every batch with its vectors, in order. `Unavailable` when one has none."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def get(number: int, name: str) -> tuple[Batch, Vectors]:
            async with gate:
                batch = await self.get_batch(name)
                vectors = await self.find_vectors(batch)
            if vectors is None:
                raise Unavailable(f"Batch {number} has no vectors.")
            return batch, vectors

        return list(await asyncio.gather(*(get(number, name) for number, name in enumerate(plan.batches))))
