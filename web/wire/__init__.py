"""Below ASGI: what uvicorn's protocol does for us between bytes and a request, within bounds and in less time."""
