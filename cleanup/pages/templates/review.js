"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const made = new Date(data.made);

/* Control characters and those that turn text around are shown as escapes: a name must not look like another one. */
const visible = (text) =>
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (found) => "\\u" + found.charCodeAt(0).toString(16).padStart(4, "0"));

const make = (name, properties = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "scope") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children);
  return element;
};

const text = (words) => make("bdi", { textContent: visible(words) });

const ageOf = (draft) => {
  if (!draft.updated_at) return "unknown";
  const days = Math.floor((made - new Date(draft.updated_at)) / 86400000);
  return days < 1 ? "less than a day ago" : days === 1 ? "a day ago" : `${days} days ago`;
};

for (const draft of data.drafts) {
  draft.ticked = !draft.publishing;
  draft.label = draft.name || draft.branch || draft.draft;
  draft.sections = draft.changes && [...new Set(draft.changes.map((change) => change.section))].join(", ");
  const lost = draft.changes && !draft.sections ? "nothing" : draft.sections;
  draft.words = [draft.label, draft.branch, draft.editor, draft.agent, draft.draft, lost]
    .join("\n").toLowerCase();
}

/* Which words differ: the longest common subsequence, after what both have at their beginning and end. */
const words = (value) => value.match(/\s+|[^\s]+/g) || [];

const differing = (before, after) => {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < before.length - start && end < after.length - start
         && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const old = before.slice(start, before.length - end), now = after.slice(start, after.length - end);
  const kept = [old.map(() => false), now.map(() => false)];
  if (old.length * now.length <= 4000000) {
    const width = now.length + 1, lengths = new Uint32Array((old.length + 1) * width);
    for (let i = old.length - 1; i >= 0; i -= 1)
      for (let j = now.length - 1; j >= 0; j -= 1)
        lengths[i * width + j] = old[i] === now[j] ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    for (let i = 0, j = 0; i < old.length && j < now.length;) {
      if (old[i] === now[j]) { kept[0][i] = kept[1][j] = true; i += 1; j += 1; }
      else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i += 1;
      else j += 1;
    }
  }
  const ends = (side) => [...Array(start).fill(true), ...side, ...Array(end).fill(true)];
  return [ends(kept[0]), ends(kept[1])];
};

const CONTEXT = 24, LONG = 3 * CONTEXT;

/* Runs of words that are the same on both sides, or not. Long ones that are the same are cut while it is folded. */
const runs = (parts, same, folded) => {
  const found = [];
  for (let start = 0, next = 0; start < parts.length; start = next) {
    while (next < parts.length && same[next] === same[start]) next += 1;
    let run = parts.slice(start, next).join("");
    if (folded && same[start] && next - start > LONG) {
      const head = start === 0 ? "" : parts.slice(start, start + CONTEXT).join("");
      const tail = next === parts.length ? "" : parts.slice(next - CONTEXT, next).join("");
      run = `${head} … ${tail}`;
    }
    found.push([run, same[start]]);
  }
  return found;
};

const side = (title, value, parts, same, mark) => {
  const shown = make("pre");
  const box = make("div", {}, make("h4", { textContent: title }), shown);
  if (value === null) {
    shown.append(make("span", { className: "soft", textContent: "(nothing)" }));
    return box;
  }
  const show = (folded) => shown.replaceChildren(...runs(parts, same, folded).map(
    ([run, isSame]) => isSame ? visible(run) : make(mark, { textContent: visible(run) })));
  show(true);
  if (runs(parts, same, true).some(([run], place) => run !== runs(parts, same, false)[place][0])) {
    const unfold = make("button", { type: "button", textContent: "Show all", "aria-expanded": "false" });
    unfold.addEventListener("click", () => {
      const opens = unfold.getAttribute("aria-expanded") === "false";
      show(!opens);
      unfold.textContent = opens ? "Show changes only" : "Show all";
      unfold.setAttribute("aria-expanded", String(opens));
    });
    box.append(unfold);
  }
  return box;
};

const changeOf = (change) => {
  const before = words(change.before || ""), after = words(change.after || "");
  const [old, now] = differing(before, after);
  const where = change.path ? `${change.section}: ${change.path}` : change.section;
  return make("div", { className: "change" },
    make("h3", {}, text(where)),
    make("div", { className: "sides" },
      side("What it was made from", change.before, before, old, "del"),
      side("This draft", change.after, after, now, "ins")));
};

const cell = (label, child, className = "") => make("td", { "data-label": label, className }, child);

const rowOf = (draft) => {
  const box = make("input", {
    type: "checkbox", checked: draft.ticked, disabled: draft.publishing,
    "aria-label": `${visible(draft.label)} goes`,
  });
  box.addEventListener("change", () => { draft.ticked = box.checked; count(); });
  draft.box = box;
  let lost = make("span", { className: "soft", textContent: draft.changes ? "nothing" : "not compared" });
  const row = make("tr");
  if (draft.publishing) lost = make("span", { className: "warn", textContent: "being published" });
  else if (draft.sections) {
    lost = make("button", { type: "button", "aria-expanded": "false" }, text(draft.sections));
    lost.addEventListener("click", () => {
      if (draft.detail) {
        draft.detail.remove();
        draft.detail = null;
      } else {
        draft.detail = make("tr", {}, make("td", { colSpan: 7, className: "more" }, ...draft.changes.map(changeOf)));
        row.after(draft.detail);
      }
      row.classList.toggle("open", draft.detail !== null);
      lost.setAttribute("aria-expanded", String(draft.detail !== null));
    });
  }
  const name = make("div", {}, text(draft.label));
  if (draft.branch && draft.branch !== draft.label) name.append(make("div", { className: "soft" }, text(draft.branch)));
  name.append(make("div", { className: "soft id" }, text(draft.draft)));
  row.append(
    cell("", box), cell("", name), cell("Agent", make("span", { className: "id", textContent: draft.agent })),
    cell("Last editor", text(draft.editor)),
    cell("Last edit", make("time", { dateTime: draft.updated_at, title: draft.updated_at, textContent: ageOf(draft) })),
    cell("Edits", draft.edits === null ? "" : String(draft.edits), "number"), cell("Would be lost", lost));
  draft.row = row;
  return row;
};

const count = () => {
  const ticked = data.drafts.filter((draft) => draft.ticked).length;
  const shown = data.drafts.filter((draft) => !draft.row.hidden).length;
  byId("count").textContent = `${ticked} ticked, ${shown} of ${data.drafts.length} shown`;
  byId("save").disabled = ticked === 0;
};

const filter = () => {
  const wanted = byId("filter").value.trim().toLowerCase();
  for (const draft of data.drafts) {
    draft.row.hidden = !draft.words.includes(wanted);
    if (draft.detail) draft.detail.hidden = draft.row.hidden;
  }
  count();
};

const sort = (button) => {
  const head = button.parentElement, key = button.dataset.sort;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of document.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (draft) => draft[key] ?? "";
  const compare = (a, b) => key === "edits" ? (a.edits ?? -1) - (b.edits ?? -1) : value(a) < value(b) ? -1 : +(value(a) > value(b));
  data.drafts.sort((a, b) => (down ? -1 : 1) * compare(a, b));
  byId("drafts").append(...data.drafts.flatMap((draft) => draft.detail ? [draft.row, draft.detail] : [draft.row]));
};

const tickAll = (ticked) => {
  for (const draft of data.drafts) {
    if (draft.publishing || draft.row.hidden) continue;
    draft.ticked = draft.box.checked = ticked;
  }
  count();
};

/* A cell that a spreadsheet does not run: a formula gets a ' in front. Ids and times are written as they are. */
const csvCell = (value, column) => {
  const safe = !["agent", "draft", "updated_at"].includes(column) && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

const csv = () => {
  const rows = data.drafts.filter((draft) => draft.ticked)
    .map((draft) => data.columns.map((column) => csvCell(draft[column], column)));
  return [data.columns, ...rows].map((row) => row.join(",") + "\n").join("");
};

const save = async () => {
  const bytes = new TextEncoder().encode(csv());
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hash = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const name = `drafts-${data.made.slice(0, 10)}.csv`;
  const link = make("a", { href: URL.createObjectURL(new Blob([bytes], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  const ticked = data.drafts.filter((draft) => draft.ticked).length;
  byId("what").textContent = `Saved as ${name}: ${ticked} drafts`;
  byId("hash").textContent = hash;
  byId("command").textContent = `${data.command} ${name} --sha256 ${hash}`;
  byId("saved").hidden = false;
  delete document.body.dataset.unsaved;
};

/* The first rows are there at once, the others come between two frames: laying out thousands takes seconds. */
const addRows = (rows) => {
  byId("drafts").append(...rows.splice(0, 200).filter((row) => !row.isConnected));
  if (rows.length > 0) setTimeout(() => addRows(rows));
};

addRows(data.drafts.map(rowOf));
count();
/* What was ticked is nowhere but here until the list is saved. */
addEventListener("change", (event) => { if (event.target.type === "checkbox") document.body.dataset.unsaved = "yes"; });
addEventListener("beforeunload", (event) => { if (document.body.dataset.unsaved) event.preventDefault(); });
byId("filter").addEventListener("input", filter);
byId("tick").addEventListener("click", () => tickAll(true));
byId("untick").addEventListener("click", () => tickAll(false));
byId("save").addEventListener("click", save);
byId("copy").addEventListener("click", () => navigator.clipboard.writeText(byId("command").textContent));
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => sort(button));
