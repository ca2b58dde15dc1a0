"""The pure parts: settings, errors, viewer, cursor. No network and no files, but for what ``process.py`` asks of the system.

Nothing of ours is imported here.
"""
