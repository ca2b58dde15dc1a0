// How the page asks the API.

const HEADERS = { "content-type": "application/json", accept: "application/graphql-response+json" };
const ENDPOINT = "graphql"; // beside the page, also behind a proxy that adds a prefix

/** The answer to one request, as an object. Rejects with a message that a person can read. */
export async function ask(request, { headers = {}, signal } = {}) {
  const sent = { method: "POST", headers: together(HEADERS, headers), body: JSON.stringify(request), signal };
  const response = await fetch(ENDPOINT, sent).catch((error) => {
    throw signal?.aborted ? error : new Error("The server does not answer. Is it running?");
  });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status} ${response.statusText}, which is not GraphQL: ${text.slice(0, 500)}`);
  }
}

/** Both, and of a header that is in both the second, however its name is written. */
function together(ours, theirs) {
  const all = new Headers(ours);
  for (const [name, value] of Object.entries(theirs)) {
    try {
      all.set(name, value);
    } catch {
      throw new Error(`No request can have the header ${JSON.stringify(name)} with the value ${JSON.stringify(value)}.`);
    }
  }
  return all;
}

/** A fetcher as GraphiQL wants it: an observable, so that its stop button ends the request and the server's work. */
export function fetcher(request, { headers } = {}) {
  return {
    subscribe(observer) {
      const stopped = new AbortController();
      ask(request, { headers, signal: stopped.signal }).then(
        (answer) => {
          observer.next(answer);
          observer.complete();
        },
        // A plain object: GraphiQL would show an Error with its stack.
        (error) => stopped.signal.aborted || observer.error({ message: error.message }),
      );
      return { unsubscribe: () => stopped.abort() };
    },
  };
}
