"""What a mapping says of a reference that leads nowhere, compiled: the row of a stub over the rows that point at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consolidate.mapping.compile import Compiler
from consolidate.mapping.compile_blocks import compile_stub
from consolidate.mapping.language import Block
from consolidate.mapping.layers import Layers
from consolidate.mapping.load_references import REFERENCE
from consolidate.mapping.scopes import CandidateScope
from consolidate.mapping.value import NULL, Kind, Value, named
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from consolidate.mapping.expr import Call, Name
    from consolidate.mapping.language import ReferencePolicy, SystemMapping
    from consolidate.mapping.table import CompiledBlock
    from consolidate.mapping.value import Check
    from consolidate.mapping.yaml import Problems


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledReference:
    """A policy; for a stub its `block` over the columns of the rows that point, and `reference`, what points."""

    policy: ReferencePolicy
    block: CompiledBlock | None
    layers: Layers
    checks: tuple[Check, ...]


class _StubScope(CandidateScope):
    """The columns of the row that points, and `reference`."""

    def resolve(self, name: Name, compiler: Compiler) -> Value | None:
        if name.parts == (REFERENCE,):
            return Value(sql=named("#id"), kind=Kind.TEXT)
        return super().resolve(name, compiler)

    def special(self, expr: Call, compiler: Compiler) -> Value | None:
        if expr.function == "newest":
            compiler.wrong(expr.location, "`newest` means nothing in a stub", "name a column of the row that points")
            return Value(sql=NULL, kind=Kind.NULL)
        return super().special(expr, compiler)


def compile_reference(
    policy: ReferencePolicy, system: SystemMapping, zone: str | None, problems: Problems
) -> CompiledReference:
    """Compile one policy. A stub that leaves a required column of its table without a rule is a problem."""
    layers = Layers()
    contract = expected().table(policy.reference.table)
    target = expected().table(policy.reference.to_table)
    if not policy.stub or contract is None or target is None:
        return CompiledReference(policy=policy, block=None, layers=layers, checks=())
    compiler = Compiler(
        scope=_StubScope(contract, system),
        values=(),
        problems=problems,
        zone=zone or "UTC",
        layers=layers,
        start=policy.location,
    )
    block = Block(
        target=target.name,
        cells=policy.stub,
        when=None,
        grouped=False,
        mark=None,
        merge=None,
        shared=None,
        location=policy.location,
    )
    compiled = compile_stub(block, target, compiler)
    return CompiledReference(policy=policy, block=compiled, layers=layers, checks=tuple(compiler.checks))
