"""The pure parts, such as settings, errors and cursors. No network and no files, but for what ``process.py`` does.

Nothing of ours is imported here.
"""
