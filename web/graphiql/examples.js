// The saved example queries: read from examples.graphql, given variables from the data, listed in a panel.

import { ask } from "./fetcher.js";

const { createElement: h, useEffect, useState } = window.React;
const { parse } = window.GraphiQL.GraphQL;
const { useEditorContext } = window.GraphiQL.React;

const PATIENCE_MS = 3000; // the page opens without the data after this

/** Every example: its name, what it shows, its text, and its variables as JSON text. */
export async function loadExamples() {
  const [source, variables] = await Promise.all([fetch("graphiql/examples.graphql").then(textOf), findVariables()]);
  return parse(source).definitions.map(({ name, loc, variableDefinitions }) => {
    const wanted = variableDefinitions.map(({ variable }) => variable.name.value);
    return {
      name: name.value,
      about: commentBefore(loc.startToken),
      query: source.slice(loc.start, loc.end),
      variables: JSON.stringify(Object.fromEntries(wanted.map((each) => [each, variables[each] ?? null])), null, 2),
    };
  });
}

/** A panel with a button for each example. */
export function examplesPlugin(examples) {
  return { title: "Examples", icon: ExamplesIcon, content: () => h(ExamplesPanel, { examples }) };
}

function ExamplesPanel({ examples }) {
  const { tabs, addTab, changeTab, updateActiveTabValues, queryEditor, variableEditor } = useEditorContext({ nonNull: true });
  const [added, setAdded] = useState(null);
  useEffect(() => {
    if (added) {
      queryEditor.setValue(added.query);
      variableEditor.setValue(added.variables);
      updateActiveTabValues({ query: added.query, variables: added.variables, operationName: added.name });
    }
  }, [added]);
  const show = (example) => {
    const at = tabs.findIndex((tab) => tab.query === example.query && tab.variables === example.variables);
    if (at >= 0) {
      changeTab(at);
    } else {
      addTab(); // takes no contents: the effect above fills it in
      setAdded({ ...example });
    }
  };
  // In a task of its own. React runs a click's updates before those of GraphiQL's timers that wait, and then once more
  // after them; GraphiQL's updates write to the editors, so the second run would empty the tab again.
  const open = (example) => setTimeout(() => show(example));
  return h(
    "section",
    { className: "examples", "aria-label": "Example queries" },
    h("h2", { className: "examples-title" }, "Examples"),
    h("p", null, "Each opens in a tab of its own; a tab that you have changed is left alone."),
    h("ul", null, examples.map((example) => h("li", { key: example.name }, exampleButton(example, open)))),
  );
}

function exampleButton(example, open) {
  return h(
    "button",
    { type: "button", className: "examples-button", onClick: () => open(example) },
    h("strong", null, example.name),
    h("span", null, example.about),
  );
}

function ExamplesIcon() {
  return h(
    "svg",
    { viewBox: "0 0 24 24", width: "1em", height: "1em", fill: "none", stroke: "currentColor", strokeWidth: 1.5, "aria-hidden": true },
    h("path", { d: "M6 3.75h12v16.5l-6-4.5-6 4.5z", strokeLinejoin: "round" }),
  );
}

async function findVariables() {
  const [owner, company] = await Promise.all([firstNode("users"), firstNode("companies")]);
  return {
    ownerId: owner?.id ?? "the id of a user",
    companyId: company?.id ?? "the id of a company",
    search: misspelt(company?.name ?? "Acme Corporation"),
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC",
  };
}

async function firstNode(list) {
  const query = `{ ${list}(first: 1) { edges { node { id name } } } }`;
  const answer = await ask({ query }, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => null);
  return answer?.data?.[list]?.edges?.[0]?.node;
}

/** The name with a letter of its longest word doubled. */
export function misspelt(name) {
  const longest = name.split(/\s+/).reduce((a, b) => (b.length > a.length ? b : a));
  const middle = longest.length >> 1;
  return name.replace(longest, longest.slice(0, middle) + longest[middle] + longest.slice(middle));
}

function commentBefore(token) {
  const lines = [];
  for (let each = token.prev; each?.kind === "Comment"; each = each.prev) {
    lines.unshift(each.value.trim());
  }
  return lines.join(" ");
}

function textOf(response) {
  if (!response.ok) {
    throw new Error(`${response.url} answered ${response.status}`);
  }
  return response.text();
}
