// Starts the page, or says in its place why it cannot be started: also where a file of it has not come.

import("./page.js")
  .then(({ start }) => start())
  .catch((error) => {
    console.error(error);
    const notice = document.querySelector("#graphiql .notice");
    notice.setAttribute("role", "alert");
    notice.textContent = `GraphiQL could not start: ${error.message}. Load the page again.`;
  });
