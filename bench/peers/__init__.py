"""Other servers for the same questions, over the same statements: Mercurius, Apollo Server, plain Strawberry."""
