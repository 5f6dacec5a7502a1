"""The objects that the steps of one version leave one another. Writing twice is writing once."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Self

from atrium.documents.ingestion import batches
from atrium.documents.ingestion.batches import Batch, Plan
from atrium.documents.ingestion.steps import Step
from atrium.documents.keys import text_key, work_prefix
from atrium.documents.parsing.models import ExtractedText
from atrium.documents.parsing.ocr import RecognisedPage
from atrium.kernel.errors import NotFound, Unavailable
from atrium.ports.storage import ObjectStorage
from atrium.providers.base import Vectors

_JSON: Final = "application/json"
_BINARY: Final = "application/octet-stream"
_AT_ONCE: Final = 8  # objects read or written at the same time


class Work:
    """One version's place in the bucket. `NotFound` for what no step has written yet."""

    def __init__(self, storage: ObjectStorage, prefix: str, text: str) -> None:
        self._storage = storage
        self._prefix = prefix
        self._text_key = text

    @classmethod
    def of(cls, storage: ObjectStorage, step: Step) -> Self:
        """The place of the version that a step works on."""
        prefix = work_prefix(step.tenant_id, step.document_id, step.version)
        return cls(storage, prefix, text_key(step.tenant_id, step.document_id, step.version))

    async def put_extracted(self, extracted: ExtractedText) -> None:
        """The text with its structure, and the stored text alone, which stays."""
        await self._storage.put(self._text_key, extracted.text.encode(), content_type="text/plain; charset=utf-8")
        await self._storage.put(f"{self._prefix}extracted.json", extracted.to_json().encode(), content_type=_JSON)

    async def get_extracted(self) -> ExtractedText:
        """What `put_extracted` wrote."""
        data = await self._storage.get(f"{self._prefix}extracted.json")
        return await asyncio.to_thread(ExtractedText.from_json, data)

    async def put_recognised(self, page: RecognisedPage) -> None:
        """What OCR read on one page."""
        await self._storage.put(self._page_key(page.number), page.to_json().encode(), content_type=_JSON)

    async def recognised_numbers(self) -> set[int]:
        """The pages (from 1) that `put_recognised` has written."""
        prefix = f"{self._prefix}ocr-"
        return {int(key.removeprefix(prefix).removesuffix(".json")) async for key in self._storage.list(prefix)}

    async def get_recognised(self, numbers: Iterable[int]) -> list[RecognisedPage]:
        """What `put_recognised` wrote of these pages, in their order."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def get(number: int) -> RecognisedPage:
            async with gate:
                return RecognisedPage.from_json(await self._storage.get(self._page_key(number)))

        return list(await asyncio.gather(*(get(number) for number in numbers)))

    def _page_key(self, number: int) -> str:
        return f"{self._prefix}ocr-{number:05d}.json"

    async def put_plan(self, plan: Plan, parts: Sequence[Batch]) -> None:
        """The batches, and then the plan: where there is a plan, there are all its batches."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def put(number: int, batch: Batch) -> None:
            async with gate:
                await self._storage.put(batches.batch_key(self._prefix, number), batch.to_json(), content_type=_JSON)

        async with asyncio.TaskGroup() as group:
            for number, batch in enumerate(parts):
                group.create_task(put(number, batch))
        await self._storage.put(batches.plan_key(self._prefix), plan.to_json(), content_type=_JSON)

    async def get_plan(self) -> Plan:
        """What `put_plan` wrote."""
        return Plan.from_json(await self._storage.get(batches.plan_key(self._prefix)))

    async def get_batch(self, number: int) -> Batch:
        """One batch of chunks."""
        return Batch.from_json(await self._storage.get(batches.batch_key(self._prefix, number)))

    async def put_vectors(self, number: int, batch: Batch, vectors: Vectors) -> None:
        """The vectors of a batch."""
        data = batches.pack_vectors(batch, vectors)
        await self._storage.put(batches.vectors_key(self._prefix, number), data, content_type=_BINARY)

    async def find_vectors(self, number: int, batch: Batch) -> Vectors | None:
        """The vectors of a batch; None when nobody made them yet, or they are of other content."""
        try:
            data = await self._storage.get(batches.vectors_key(self._prefix, number))
        except NotFound:
            return None
        return batches.unpack_vectors(batch, data)

    async def get_embedded(self, plan: Plan) -> list[tuple[Batch, Vectors]]:
        """Every batch with its vectors, in order. `Unavailable` when one has none."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def get(number: int) -> tuple[Batch, Vectors]:
            async with gate:
                batch = await self.get_batch(number)
                vectors = await self.find_vectors(number, batch)
            if vectors is None:
                raise Unavailable(f"Batch {number} has no vectors.")
            return batch, vectors

        return list(await asyncio.gather(*(get(number) for number in range(plan.batches))))
