"""Objects below a URL: put whole, read, listed and removed; whatever goes wrong names the URL and the way out."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from cdpipe.engine.files.byte_ranges import UrlError, find_store, reaching, real_path
from cdpipe.interrupts import holding_interrupts


class StoreError(ValueError):
    """Objects cannot be put, read, listed or removed; the message says where and why."""


class ObjectStore:
    """What is below a URL of an fsspec file system; names are relative to it.

    Every method raises `StoreError` if the store cannot be reached or does not let us.

    Parameters
    ----------
    url
        Such as `s3://bucket/study`.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def spell(self) -> str:
        """Return one spelling for all URLs of the same object; see `streams.real_path`."""
        with self._open():
            return real_path(self.url)

    def put(self, name: str, data: bytes) -> None:
        """Put an object there, whole or not at all, instead of one of that name.

        An interrupt waits for the answer: the request goes on without us, and would be done after what we clean up.
        """
        with holding_interrupts(), self._open() as (store, root):
            store.pipe_file(f"{root}/{name}", data)

    def read(self, name: str) -> bytes | None:
        """Return what an object holds; None if there is none."""
        with self._open() as (store, root):
            try:
                return bytes(store.cat_file(f"{root}/{name}"))
            except FileNotFoundError:
                return None

    def find(self, folder: str) -> dict[str, int]:
        """Return the size in bytes of each object below a folder ("": below the URL), by its name there."""
        with self._open() as (store, root):
            top = f"{root}/{folder}".rstrip("/")
            found: dict[str, dict[str, Any]] = store.find(top, detail=True)
            return {path.removeprefix(f"{top}/"): each["size"] for path, each in found.items()}

    def folders(self) -> list[str]:
        """Return the names of what is right below the URL."""
        with self._open() as (store, root):
            try:
                return [path.rstrip("/").rpartition("/")[2] for path in store.ls(root, detail=False)]
            except FileNotFoundError:
                return []

    def changed(self, name: str) -> datetime | None:
        """Return when an object was put there; None if it is there no more."""
        with self._open() as (store, root):
            try:
                when: datetime = store.modified(f"{root}/{name}")
            except FileNotFoundError:
                return None
            return when

    def remove(self, names: Collection[str]) -> None:
        """Remove objects: at least one, and all are there."""
        with self._open() as (store, root):
            store.rm([f"{root}/{name}" for name in names])

    @contextmanager
    def _open(self) -> Iterator[tuple[Any, str]]:
        try:
            with reaching(self.url):
                store, root = find_store(self.url)
                store.invalidate_cache()  # of lists of names: others write there too
                yield store, root.rstrip("/")
        except (UrlError, OSError) as error:
            raise StoreError(f"{self.url}: {' '.join(str(error).split()) or type(error).__name__}") from error
