"""Layers of Dask graphs: tasks by key, all of one layer made at once.

A call of `dask.delayed` for every task makes a layer for each: that takes ten times as long, and time that grows with
the square of the partitions.
"""

from collections import UserDict
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import Task, TaskRef


class Layer(UserDict[Any, Any]):
    """Dask's tasks by key.

    Dask names a frame by what it is made of, and would look at every byte of partitions in memory for that; a layer
    goes by its own name, which no other has (a plain dictionary could not: Dask asks those of no name).
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.run = uuid4().hex[:8]
        self.name = f"{name}-{self.run}"

    def __dask_tokenize__(self) -> str:
        """Return the name."""
        return self.name

    def add(self, what: str, place: int, function: Callable[..., Any], *args: Any, **kwargs: Any) -> TaskRef:  # noqa: ANN401
        """Add a task, named after what it does and its index among those; return what others take for its result.

        Of the arguments themselves, not of what is within them, references to tasks stand for results.
        """
        key = f"{what}-{self.run}-{place}"
        self.data[key] = Task(key, function, *args, **kwargs)
        return TaskRef(key)

    def wrap(self, refs: Sequence[TaskRef], needs: Sequence[Delayed] = ()) -> list[Delayed]:
        """Return tasks of this layer as lazy values; `needs` are lazy values that its tasks refer to."""
        # Partitions share one graph, and Dask would merge it with itself for each of them.
        distinct = {(id(each.dask), each.__dask_layers__()): each for each in needs}
        graph = HighLevelGraph.from_collections(self.name, self.data, list(distinct.values()))
        return [Delayed(ref.key, graph, layer=self.name) for ref in refs]
