"""The reasons that the server gives for a channel's status, read from its source: strings with `{}` for values."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
Scope = ast.FunctionDef | ast.Module


def templates() -> dict[str, str]:
    """Return each reason and where it stands; AssertionError for one that is not written as a string.

    A reason is the second argument of `Status`, and whatever is handed to a function that hands it on to one.
    """
    calls = list(_calls())
    places, waiting, found = {"Status": (1, "reason")}, ["Status"], {}
    while waiting:
        callee = waiting.pop()
        for path, scope, call in calls:
            if _name(call.func) != callee or (given := _argument(call, *places[callee])) is None:
                continue
            for reason in _reasons(given, scope):
                if isinstance(reason, str):
                    found[reason] = f"{path.relative_to(ROOT)}:{call.lineno}"
                elif isinstance(scope, ast.FunctionDef) and isinstance(reason, int):
                    if scope.name not in places:
                        places[scope.name] = (reason, scope.args.args[reason].arg)
                        waiting.append(scope.name)
                else:
                    raise AssertionError(f"{path}:{call.lineno}: write the reason as a string, or this cannot read it")
    return found


def _calls() -> Iterator[tuple[Path, Scope, ast.Call]]:
    """Yield every call of the server's code with the innermost function around it."""
    for path in sorted([*ROOT.glob("triptych/**/*.py"), *ROOT.glob("model_repository/*/1/*.py")]):
        stack: list[tuple[Scope, ast.AST]] = [(tree, tree) for tree in [ast.parse(path.read_text(encoding="utf-8"))]]
        while stack:
            scope, node = stack.pop()
            if isinstance(node, ast.Call):
                yield path, scope, node
            inner = node if isinstance(node, ast.FunctionDef) else scope
            stack += [(inner, child) for child in ast.iter_child_nodes(node)]


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    named = [given.value for given in call.keywords if given.arg == keyword]
    return named[0] if named else call.args[position] if len(call.args) > position else None


def _reasons(given: ast.expr, scope: Scope) -> list[str | int | None]:
    """Return strings, the position of the parameter that holds the reason, or None for what cannot be read."""
    if isinstance(given, ast.Constant):
        return [str(given.value)] if given.value else []
    if isinstance(given, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in given.values)]
    if isinstance(given, ast.IfExp):
        return [*_reasons(given.body, scope), *_reasons(given.orelse, scope)]
    if isinstance(given, ast.Name):
        assigned = [
            node.value
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign) and any(_name(target) == given.id for target in node.targets)
        ]
        if assigned:
            return [reason for value in assigned for reason in _reasons(value, scope)]
        parameters = [parameter.arg for parameter in scope.args.args] if isinstance(scope, ast.FunctionDef) else []
        return [parameters.index(given.id)] if given.id in parameters else [None]
    return [None]
