"""The HTTP edge. A request goes down these rooms, and its answer comes back up:

``wire``        uvicorn's protocol: bytes become a request; what is kept, or short, is answered from here
``middleware``  the same for every request, one class per file
``limits``      how much is let in
``auth``        who asks
``graphql``     the endpoint, ``rest`` the shim: a document is found, charged for, run and answered
``caching``     unless its answer is kept
``http``        what HTTP says to all of them

Beside them: the GraphiQL page, health and performance, and ``state.py``, which has all that a request may use.
"""
