"""A breadth-first executor: a document is compiled once into a plan, which resolves each field once for all objects of a level.

Start with ``plan.py``, which has the drawing. ``schema.operation`` compiles and executes plans; the rest of ``schema/`` says
with ``Batched`` and its like how its fields are resolved.
"""

from execution.batched import BATCHED, Batched, by_column, instance_of, read_along
from execution.leaves import finite_floats
from execution.plan import Plan, Unplannable, compile_plan

__all__ = [
    "BATCHED", "Batched", "Plan", "Unplannable", "by_column", "compile_plan", "finite_floats", "instance_of", "read_along",
]  # fmt: skip
