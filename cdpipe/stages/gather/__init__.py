"""Gathering: files and frames of any supported layout to typed messages."""

from cdpipe.stages.gather.gather import GatherParams

__all__ = ["GatherParams"]
