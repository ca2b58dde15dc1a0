"""How long things are kept."""

from datetime import timedelta

# What is deleted can be restored for so long, and is removed afterwards.
RESTORABLE = timedelta(days=30)
# A change whose idempotency key was used is answered again for so long.
KEYS_KEPT = timedelta(days=7)
