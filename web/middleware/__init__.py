"""Middleware: one small pure-ASGI class per file."""
