"""The `filter`, `reject` and `warn` rules of a table file."""

from __future__ import annotations

from consolidate.mapping.language import Archive, Rule, Warn
from consolidate.mapping.load_expr import expression, required_expression
from consolidate.mapping.yaml import (
    Mapping,
    Problems,
    Scalar,
    Sequence,
    known_keys,
    map_of,
    nearest,
    required_text,
    text_of,
)
from consolidate.model import RejectCode


def read_filter(root: Mapping, problems: Problems) -> Rule | None:
    """The rule that leaves rows out and counts them; a reason is required."""
    node = map_of(root.get("filter"), "`filter`", problems)
    if node is None:
        return None
    known_keys(node, ("when", "reason"), "`filter`", problems)
    when = required_expression(node, "when", "`filter`", problems)
    reason = required_text(node, "reason", "`filter`", problems)
    if when is None or reason is None:
        return None
    return Rule(when=when, code=None, column=None, reason=reason.text, location=node.location)


def read_archive(root: Mapping, problems: Problems) -> Archive | None:
    """The rule that copies rows whole to the archive; a reason is required, `when` is not."""
    node = map_of(root.get("archive"), "`archive`", problems)
    if node is None:
        return None
    known_keys(node, ("when", "reason"), "`archive`", problems)
    when = expression(node.get("when"), "`when`", problems)
    reason = required_text(node, "reason", "`archive`", problems)
    if root.get("pair") is not None:
        message = "`archive` and `pair` exclude each other: an event is part of a group"
        problems.add("bad-archive", message, node.location, "leave out one of both")
    if node.get("when") is None and root.get("into") is not None:
        message = "`archive` without `when` takes every row, so `into` makes nothing"
        problems.add("bad-archive", message, node.location, "add `when: …`, or take `into` out")
    return None if reason is None else Archive(when=when, reason=str(reason.text), location=node.location)


def read_rejects(root: Mapping, problems: Problems) -> tuple[Rule, ...]:
    """The rules of the mapping that refuse rows, each with a code of the published list."""
    rules = (_reject(node, problems) for node in _rules(root, "reject", "{when: …, code: …}", problems))
    return tuple(rule for rule in rules if rule is not None)


def _reject(rule: Mapping, problems: Problems) -> Rule | None:
    what = "a rule of `reject`"
    known_keys(rule, ("when", "code", "column", "reason"), what, problems)
    when = required_expression(rule, "when", what, problems)
    code = required_text(rule, "code", what, problems)
    codes = [one.value for one in RejectCode]
    if code is None or code.text not in codes:
        if code is not None:
            hint = nearest(str(code.text), codes) or f"one of {', '.join(codes)}"
            problems.add("unknown-code", f"{code.text!r} is no reject code", code.location, hint)
        return None
    if when is None:
        return None
    return Rule(
        when=when,
        code=RejectCode(str(code.text)),
        column=text_of(rule.get("column"), "`column`", problems),
        reason=text_of(rule.get("reason"), "`reason`", problems),
        location=rule.location,
    )


def read_warns(root: Mapping, problems: Problems) -> tuple[Warn, ...]:
    """The rules that say what a person should look at, although it loads."""
    rules = (_warn(node, problems) for node in _rules(root, "warn", "{when: …, message: …}", problems))
    return tuple(rule for rule in rules if rule is not None)


def _warn(rule: Mapping, problems: Problems) -> Warn | None:
    what = "a rule of `warn`"
    known_keys(rule, ("in", "when", "without", "message"), what, problems)
    when = required_expression(rule, "when", what, problems)
    message = required_text(rule, "message", what, problems)
    target = text_of(rule.get("in"), "`in`", problems)
    without = expression(rule.get("without"), "`without`", problems)
    if without is not None and target is None:
        problems.add("missing-key", "`without` is about candidates", rule.location, "add `in: trading.trades`")
    if when is None or message is None:
        return None
    return Warn(when=when, target=target, without=without, message=str(message.text), location=rule.location)


def _rules(root: Mapping, key: str, form: str, problems: Problems) -> list[Mapping]:
    node = root.get(key)
    if node is None or (isinstance(node, Scalar) and node.text is None):
        return []
    if not isinstance(node, Sequence):
        problems.add("not-a-list", f"`{key}` must be a list of rules", node.location, f"write `- {form}`")
        return []
    maps = (map_of(item, f"a rule of `{key}`", problems) for item in node.items)
    return [one for one in maps if one is not None]
