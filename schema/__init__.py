"""What a client sees: the GraphQL types, one file per noun."""
