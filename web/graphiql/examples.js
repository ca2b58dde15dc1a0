// The saved example queries: read from examples.graphql, given variables from the data, listed in a panel.

import { ask } from "./fetcher.js";

const { createElement: h, useEffect, useRef, useState } = window.React;
const { parse } = window.GraphiQL.GraphQL;
const { useEditorContext } = window.GraphiQL.React;

const PATIENCE_MS = 3000; // the page opens without the data after this
// What stands for a variable until there is data, or somebody has said who they are.
const UNFILLED = { ownerId: "the id of a user", companyId: "the id of a company", search: "Acme Corrporation" };
// The first node of each list, once it has been found.
const nodes = {};

/** Every example: its name, what it shows, its text, and its variables as JSON text, also as they are without data. */
export async function loadExamples() {
  const [source, values] = await Promise.all([fetch("graphiql/examples.graphql").then(textOf), findValues({})]);
  return parse(source).definitions.map(({ name, loc, variableDefinitions }) => ({
    name: name.value,
    about: commentBefore(loc.startToken),
    query: source.slice(loc.start, loc.end),
    wanted: variableDefinitions,
    variables: filledIn(variableDefinitions, values),
    unfilled: filledIn(variableDefinitions, UNFILLED),
  }));
}

/** A panel with a button for each example. */
export function examplesPlugin(examples) {
  return { title: "Examples", icon: ExamplesIcon, content: () => h(ExamplesPanel, { examples }) };
}

function ExamplesPanel({ examples }) {
  const editors = useRef();
  editors.current = useEditorContext({ nonNull: true });
  const [opened, setOpened] = useState(null);
  useEffect(() => {
    if (opened) {
      const { queryEditor, variableEditor, headerEditor, updateActiveTabValues } = editors.current;
      queryEditor.setValue(opened.query);
      variableEditor.setValue(opened.variables);
      headerEditor?.setValue(opened.headers);
      updateActiveTabValues(opened);
    }
  }, [opened]);
  const show = async ({ name, query, wanted, unfilled }) => {
    const headers = editors.current.headerEditor?.getValue() ?? "";
    const variables = filledIn(wanted, await findValues(headersOf(headers)));
    const { tabs, addTab, changeTab } = editors.current;
    const at = tabs.findIndex((tab) => tab.query === query && [variables, unfilled].includes(tab.variables));
    if (at >= 0) {
      changeTab(at);
    } else {
      addTab(); // takes no contents: the effect above fills it in
    }
    setOpened({ query, variables, headers: tabs[at]?.headers || headers, operationName: name });
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

/** The variables as JSON text: what was found, or where one is needed and was not, what stands for it. */
function filledIn(wanted, values) {
  const pairs = wanted.map(({ variable: { name }, type }) => {
    const needed = type.kind === "NonNullType" ? UNFILLED[name.value] : null;
    return [name.value, values[name.value] ?? needed];
  });
  return JSON.stringify(Object.fromEntries(pairs), null, 2);
}

async function findValues(headers) {
  const [owner, company] = await Promise.all([firstNode("users", headers), firstNode("companies", headers)]);
  return {
    ownerId: owner?.id,
    companyId: company?.id,
    search: company && misspelt(company.name),
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC",
  };
}

async function firstNode(list, headers) {
  if (!nodes[list]) {
    const query = `{ ${list}(first: 1) { edges { node { id name } } } }`;
    const answer = await ask({ query }, { headers, signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => null);
    nodes[list] = answer?.data?.[list]?.edges?.[0]?.node;
  }
  return nodes[list];
}

/** What the pane of headers says, if it is what GraphiQL sends. */
function headersOf(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
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
