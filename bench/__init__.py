"""How fast the server is, held against a floor: one hand-written statement that answers the same JSON."""
