"""Answers that are kept: what is kept, for whom, how long, and what is made again before anybody asks."""
