"""Finds names in a benchmark suite that nothing will ever call."""

import ast
from collections.abc import Collection, Mapping

HOOKS = frozenset({"setup", "setup_cache", "teardown"})
"""What asv calls by name, beside benchmarks."""

DEAD = frozenset({"cleanup", "teardown_cache", "tear_down", "set_up", "setup_class", "teardown_class"})
"""What looks like a hook and is none: asv calls it never, and says nothing."""


def find_dead_names(sources: Mapping[str, str], benchmarks: Collection[str]) -> list[str]:
    """Return `module:line name: reason` of each function that neither asv nor the suite calls.

    Parameters
    ----------
    sources
        Source text by module name.
    benchmarks
        Names of the functions that asv has discovered, without module and class.
    """
    trees = {module: ast.parse(text) for module, text in sources.items()}
    used = {name for tree in trees.values() for name in _used(tree)}
    found = []
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                reason = _judge(node.name, used, benchmarks)
                if reason:
                    found.append(f"{module}:{node.lineno} {node.name}: {reason}")
    return found


def _judge(name: str, used: Collection[str], benchmarks: Collection[str]) -> str:
    if name in DEAD:
        return "looks like a hook, but asv has none of that name"
    if name.startswith(("test_", "bench_")):
        return "asv runs nothing with that prefix"
    if name.startswith("__") or name in HOOKS or name in benchmarks or name in used:
        return ""
    return "is no benchmark by its prefix, and nothing uses it"


def _used(tree: ast.AST) -> list[str]:
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return names + [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
