"""Cache: outputs of stages on disk, by what they depend on."""

from cdpipe.engine.cache.identity import identify, key
from cdpipe.engine.cache.store import CacheParams, Store

__all__ = ["CacheParams", "Store", "identify", "key"]
