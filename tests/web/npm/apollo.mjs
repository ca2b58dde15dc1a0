// Apollo Client with its persisted query link. Each line of JSON on standard input is an operation to ask for:
// {url, query, variables, get}; each line on standard output is what came back, and every request that was sent for it.
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { createPersistedQueryLink } from "@apollo/client/link/persisted-queries";

let url;
let sent = [];

async function watchedFetch(target, options) {
  const { searchParams } = new URL(target);
  const body = options.body ? JSON.parse(options.body) : Object.fromEntries(searchParams);
  const response = await fetch(target, options);
  sent.push({
    method: options.method,
    hasQuery: "query" in body,
    hasHash: JSON.stringify(body.extensions ?? "").includes("sha256Hash"),
    status: response.status,
    type: response.headers.get("content-type"),
  });
  return response;
}

function client(useGETForHashedQueries) {
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const persisted = createPersistedQueryLink({ sha256, useGETForHashedQueries });
  const link = ApolloLink.from([persisted, new HttpLink({ uri: () => url, fetch: watchedFetch })]);
  return new ApolloClient({ link, cache: new InMemoryCache() });
}

const clients = { true: client(true), false: client(false) };

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  url = asked.url;
  sent = [];
  const document = gql(asked.query);
  const isMutation = document.definitions[0].operation === "mutation";
  const options = { variables: asked.variables, fetchPolicy: "no-cache" };
  let answer;
  try {
    const { data } = isMutation
      ? await clients[asked.get].mutate({ mutation: document, ...options })
      : await clients[asked.get].query({ query: document, ...options });
    answer = { data };
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify({ ...answer, sent }));
}
