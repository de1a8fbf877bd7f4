"""Filters: which messages stay. A new one is a module here and a line in `FILTERS`."""

from typing import Final

from cdpipe.stages.filters.base import Filter, Messages, Region, Span, Verdict
from cdpipe.stages.filters.bounding_box import BoundingBox
from cdpipe.stages.filters.dates import Dates
from cdpipe.stages.filters.places import Places
from cdpipe.stages.filters.within import Within

FILTERS: Final[tuple[type[Filter], ...]] = (Dates, BoundingBox, Within, Places)
"""In the order in which they are applied: the cheapest first."""

__all__ = ["FILTERS", "BoundingBox", "Dates", "Filter", "Messages", "Places", "Region", "Span", "Verdict", "Within"]
