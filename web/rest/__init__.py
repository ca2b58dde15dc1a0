"""The REST shim: a table of trusted documents, its parameters and answers, and the OpenAPI document of it."""
