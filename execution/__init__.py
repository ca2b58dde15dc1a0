"""A breadth-first executor: a document is compiled once into a plan, which resolves each field once for all objects of a level.

Start with ``plan.py``, which has the drawing. ``schema.operation`` is the only caller.
"""

from execution.batched import BATCHED, Batched, instance_of
from execution.plan import Plan, Unplannable, compile_plan

__all__ = ["BATCHED", "Batched", "Plan", "Unplannable", "compile_plan", "instance_of"]
