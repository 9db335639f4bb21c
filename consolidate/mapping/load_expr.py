"""Expressions and numbers where a mapping file has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.mapping import expr
from consolidate.mapping.yaml import Mapping, Node, Problems, Scalar, text_of, texts_of

if TYPE_CHECKING:
    from consolidate.mapping.expr import Expr


def expression(node: Node | None, what: str, problems: Problems) -> Expr | None:
    """The expression that a scalar holds; None where it is missing, and with a problem where it is none."""
    match node:
        case None:
            return None
        case Scalar():
            return expr.parse(node, problems)
        case _:
            problems.add("not-a-text", f"{what} must be an expression", node.location)
            return None


def required_expression(node: Mapping, key: str, what: str, problems: Problems) -> Expr | None:
    """The expression under `key`; a problem where it is missing."""
    if node.get(key) is None:
        problems.add("missing-key", f"{what} needs {key!r}", node.location, f"add `{key}: …`")
    return expression(node.get(key), f"`{key}`", problems)


def expressions(node: Node | None, what: str, problems: Problems) -> tuple[Expr, ...]:
    """The expressions of a list; none where it is missing."""
    found = (expr.parse(item, problems) for item in texts_of(node, what, problems))
    return tuple(one for one in found if one is not None)


def whole_seconds(node: Node | None, what: str, problems: Problems) -> int | None:
    """Seconds, whole and not negative; None where they are missing, and with a problem for anything else."""
    text = text_of(node, what, problems)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - far beyond any use
        problems.add("bad-value", f"{what} is {text!r}", node.location if node else None, "whole seconds")
        return None
    return int(text)
