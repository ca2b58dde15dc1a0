"""What a client gives to create or change something, one file per noun."""
