"""Strawberry as its documentation teaches it."""
