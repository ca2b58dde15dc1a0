"""Those who ask in tests."""

from uuid import UUID

from core.viewer import READ, READ_ALL, WRITE, WRITE_ALL, Viewer


def rep(owner: UUID | str, subject: str = "rep") -> Viewer:
    """One who sees and changes what they own."""
    return Viewer(subject, UUID(str(owner)), frozenset((READ, WRITE)))


def manager(subject: str, owner: UUID | str | None = None) -> Viewer:
    """One who sees and changes everything, and may be a user of ours."""
    return Viewer(subject, None if owner is None else UUID(str(owner)), frozenset((READ_ALL, WRITE_ALL)))


def reader(subject: str = "guest") -> Viewer:
    """One who sees everything, and changes nothing."""
    return Viewer(subject, None, frozenset((READ_ALL,)))
