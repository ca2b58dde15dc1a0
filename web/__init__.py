"""The HTTP edge: the GraphQL endpoint, the REST shim, middleware and the GraphiQL page."""
