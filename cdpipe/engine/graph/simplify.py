"""Graphs of as few tasks as do the same: delayed values merged, no second names, tasks in a line as one.

Every task has its price: a thread that must be woken and then waits for the GIL takes a fifth of a millisecond on a
small virtual machine, whatever the task does.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from dask.optimization import cull
from dask.task_spec import Alias, DataNode, Task

F = TypeVar("F", bound=Callable[..., object])


def hands_on(function: F) -> F:
    """Say of a function that it takes no time: it gives a part of what it is given."""
    function.__dict__["hands_on"] = True
    return function


def is_handing_on(task: object) -> bool:
    """Say whether a task takes no time, so that no thread need be asked to do it."""
    return isinstance(task, Alias) or getattr(getattr(task, "func", None), "hands_on", None) is True


def flatten_graph(tasks: Sequence[Any]) -> dict[Any, Any]:
    """Merge the graphs of delayed objects into one dictionary of what they need.

    Goes from each task's own layer to those it needs, each once: `HighLevelGraph.cull` takes 14 s over the 20,000
    layers of as many delayed calls, and looking through all layers of every task as long over a chain of 4,000.
    """
    graph: dict[Any, Any] = {}
    seen: set[str] = set()
    for task in tasks:
        whole = task.__dask_graph__()
        pending = list(task.__dask_layers__())
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                graph.update(whole.layers[name])
                pending.extend(whole.dependencies[name])
    needed: dict[Any, Any] = cull(graph, [task.key for task in tasks])[0]
    return needed


def skip_aliases(graph: Mapping[Any, Any], keys: Iterable[Any]) -> dict[Any, Any]:
    """Have tasks take what they need under its own name; a result that is wanted under a second name gets that.

    Parameters
    ----------
    graph
        Dask's tasks by key.
    keys
        Whose results are wanted.
    """
    stands_for = {key: _follow(graph, key) for key, task in graph.items() if isinstance(task, Alias)}
    found = {key: _substitute(task, stands_for) for key, task in graph.items() if key not in stands_for}
    wanted = dict.fromkeys(keys)
    second = {key: stands_for[key] for key in wanted if key in stands_for}
    uses = Counter(need for task in found.values() for need in task.dependencies) + Counter(second.values())
    for key, target in second.items():
        # A list of tasks takes no other name.
        if uses[target] == 1 and target not in wanted and type(found.get(target)) in (Task, DataNode):
            found[key] = found.pop(target).substitute({}, key=key)
        else:
            found[key] = Alias(key, target)
    return found


def _substitute(task: Any, stands_for: Mapping[Any, Any]) -> Any:  # noqa: ANN401 - a task of Dask's
    if not task.dependencies & stands_for.keys():
        return task
    other = task.substitute(stands_for)
    other.key = task.key  # a list of tasks, made anew, has forgotten it
    return other


def _follow(graph: Mapping[Any, Any], key: Any) -> Any:  # noqa: ANN401 - a key of Dask's
    seen = {key}
    while isinstance(graph.get(key), Alias) and graph[key].target not in seen:
        key = graph[key].target
        seen.add(key)
    return key


def fuse_chains(graph: Mapping[Any, Any], keys: Iterable[Any]) -> dict[Any, Any]:
    """Make one task of those that do nothing but hand their result to one that needs nothing else.

    Parameters
    ----------
    graph
        Dask's tasks by key.
    keys
        Whose results are wanted.
    """
    uses = Counter(need for task in graph.values() for need in task.dependencies)
    wanted = set(keys)
    handed_on = {
        need
        for task in graph.values()
        if len(task.dependencies) == 1
        for need in task.dependencies
        if uses[need] == 1 and need not in wanted and isinstance(graph.get(need), Task)
    }
    fused = {}
    for key, task in graph.items():
        if key in handed_on:
            continue
        chain = [task]
        while len(chain[0].dependencies) == 1 and (need := next(iter(chain[0].dependencies))) in handed_on:
            chain.insert(0, graph[need])
        fused[key] = Task.fuse(*chain) if chain[1:] else task
    return fused
