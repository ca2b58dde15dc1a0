"""Background work: imports, demo data, upkeep and recounting. The command line calls the same functions."""
