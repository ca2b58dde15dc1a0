// GraphiQL in the page, with the examples in its tabs.

import { examplesPlugin, loadExamples } from "./examples.js";
import { fetcher } from "./fetcher.js";

const { createElement: h, useEffect } = window.React;
const { GraphiQL } = window;
const { useEditorContext } = GraphiQL.React;

const NEW_TAB = "# Ctrl-Space suggests what can be asked here, Ctrl-Enter runs the query.\n\n";
// GraphiQL 4.1 writes down headers with each query that was run, whatever it is told of headers.
const HISTORY = ["graphiql:queries", "graphiql:favorites"];
const EDITORS = { queryEditor: "Query", variableEditor: "Variables", headerEditor: "Headers", responseEditor: "Response" };

// Dialogs and menus lock scrolling with a <style> element, which the page's policy forbids and this page, which never
// scrolls, does not need. It is kept out, so that the console reports what matters only.
const append = document.head.appendChild;
document.head.appendChild = (node) => (node instanceof HTMLStyleElement ? node : append.call(document.head, node));

/** Puts GraphiQL in the place of the notice. */
export async function start() {
  const examples = await loadExamples();
  const storage = openStorage();
  const explorer = { ...window.GraphiQLPluginExplorer.explorerPlugin(), title: "Explorer" };
  const props = {
    ...opening(storage, examples),
    fetcher,
    storage,
    // Where tabs are stored, GraphiQL opens another one for the query that it begins with, and here it does not.
    defaultTabs: [linked(), ...examples].filter(Boolean).map(({ query, variables }) => ({ query, variables })),
    defaultQuery: NEW_TAB,
    defaultEditorToolsVisibility: "variables",
    plugins: [explorer, examplesPlugin(examples)],
    inputValueDeprecation: true,
    schemaDescription: true,
    shouldPersistHeaders: false, // headers may hold a token; GraphiQL 4.1 forgets its own setting of this at each load
  };
  const name = h(GraphiQL.Logo, null, h("h1", { className: "product" }, "Dealgraph"));
  const root = document.getElementById("graphiql");
  window.ReactDOM.createRoot(root).render(h(GraphiQL, props, name, h(TunedEditors)));
}

/** The query and variables to begin with: of the link, of the tab that was active last, or else of the first example. */
function opening(storage, examples) {
  const kept = keptTab(storage, examples); // puts right what is stored, too
  const { query, variables } = linked() ?? kept ?? examples[0];
  return { query, variables };
}

/** The query and variables of a link to this page; nothing where it is none to a query. */
function linked() {
  const link = new URLSearchParams(location.search);
  return link.get("query") ? { query: link.get("query"), variables: link.get("variables") ?? "" } : null;
}

/** The query and variables of the tab that was active last; nothing where there is none. */
function keptTab(storage, examples) {
  // GraphiQL 4.1 reads them from other keys than the tabs and, where these differ, opens another, empty tab.
  try {
    const kept = JSON.parse(storage.getItem("graphiql:tabState"));
    for (const tab of kept.tabs) {
      // An example that was opened when there was no data yet.
      const example = examples.find(({ query, unfilled }) => tab.query === query && tab.variables === unfilled);
      tab.variables = example?.variables ?? tab.variables;
    }
    storage.setItem("graphiql:tabState", JSON.stringify(kept));
    const { query, variables } = kept.tabs[kept.activeTabIndex];
    return { query: query ?? "", variables: variables ?? "" };
  } catch {
    return null;
  }
}

/** This page's part of the browser's storage; null where the browser forbids it. No header is ever kept there. */
function openStorage() {
  try {
    const kept = GraphiQL.createLocalStorage({ namespace: "dealgraph" });
    const setItem = (key, value) => kept.setItem(key, HISTORY.includes(key) ? withoutHeaders(value) : value);
    for (const key of HISTORY.filter((each) => kept.getItem(each))) {
      setItem(key, kept.getItem(key)); // what an older page has left
    }
    return { ...kept, setItem, get length() { return kept.length; } };
  } catch {
    return null;
  }
}

function withoutHeaders(json) {
  return JSON.stringify(JSON.parse(json), (key, value) => (key === "headers" ? undefined : value));
}

/** Editors that a screen reader names, that Tab leaves (no trap for a keyboard), and that wrap long lines. */
function TunedEditors() {
  const editors = useEditorContext({ nonNull: true });
  useEffect(() => {
    for (const [key, label] of Object.entries(EDITORS)) {
      editors[key]?.setOption("screenReaderLabel", label);
      editors[key]?.setOption("lineWrapping", true);
      editors[key]?.addKeyMap({ Tab: false, "Shift-Tab": false });
    }
  }, Object.keys(EDITORS).map((key) => editors[key]));
  return null;
}
