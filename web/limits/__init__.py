"""How much is let in: by client, and in all."""
