"""The command line (``python -m ops``) and what starts and stops the servers around it."""
