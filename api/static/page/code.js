// The same request as curl, Python and JavaScript.

import { copyFrom } from "../copying.js";

const element = (name) => document.getElementById(name);

/** Keeps the snippet as the choices are; `request()` returns `{base, options, address}`. */
export function show(request) {
  const tabs = [...document.querySelectorAll("#code [role=tab]")];
  const choose = (tab) => {
    for (const each of tabs) {
      each.setAttribute("aria-selected", String(each === tab));
      each.tabIndex = each === tab ? 0 : -1;
    }
    element("snippet").setAttribute("aria-labelledby", tab.id);
    draw();
  };
  const draw = () => {
    const { language } = tabs.find((tab) => tab.getAttribute("aria-selected") === "true").dataset;
    element("snippet").querySelector("code").textContent = SNIPPETS[language](request());
  };
  for (const tab of tabs) tab.addEventListener("click", () => choose(tab));
  document.querySelector("#code [role=tablist]").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
    next.focus();
    choose(next);
  });
  element("copy").addEventListener("click", () => copy());
  draw();
  return draw;
}

/** Copies the snippet, and says so on the button. */
export const copy = () =>
  copyFrom(element("snippet"), element("copy"), { selected: "Selected: copy it with Ctrl+C" });

const SNIPPETS = {
  curl: ({ base, options, address }) => {
    const query = new URLSearchParams({ wait: 10, ...options });
    const url = `'${base}classify?${query}'`;
    if (!address) return `curl -F image=@picture.jpg ${url}`;
    return `curl --json ${shell(JSON.stringify({ image_url: address }))} ${url}`;
  },
  python: ({ base, options, address }) => {
    const query = [["wait", 10], ...Object.entries(options)].map(([name, value]) => `"${name}": ${JSON.stringify(value)}`);
    const picture = address ? `json={"image_url": ${JSON.stringify(address)}}` : 'files={"image": open("picture.jpg", "rb")}';
    return [
      "import requests",
      "",
      "answer = requests.post(",
      `    "${base}classify",`,
      `    params={${query.join(", ")}},`,
      `    ${picture},`,
      ")",
      "answer.raise_for_status()",
      'for each in answer.json()["predictions"]:',
      "    print(f\"{each['probability']:.1%}  {each['label']}\")",
    ].join("\n");
  },
  javascript: ({ base, options, address }) =>
    [
      `import { Client } from "${base}static/client.js";`,
      "",
      `const client = new Client("${base}");`,
      address ? `const picture = ${JSON.stringify(address)};` : 'const picture = document.querySelector("input[type=file]").files[0];',
      `const answer = await client.classify(picture, ${JSON.stringify(options)});`,
      "console.log(answer.predictions);",
    ].join("\n"),
};

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
