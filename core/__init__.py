"""The pure parts: settings, errors, viewer, cursor. No network and no files; nothing of ours is imported here."""
