"""Background work: imports, exports, demo data. The command line calls the same functions."""
