"""Redis or Valkey beside the request path: the client and the embedded server. Bytes in, bytes out."""
