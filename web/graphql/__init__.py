"""GraphQL over HTTP: a request read, its document found, run, charged, and answered."""
