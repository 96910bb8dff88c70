"use strict";
// Everything from Runs is inserted as text, never as markup: titles and answers are untrusted.
(async () => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, attributes = {}, ...children) => {
    const svg = ["svg", "g", "path", "rect", "line", "text", "title"].includes(tag);
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null));
    return element;
  };
  const number = (value, digits = 4) => (value === null || value === undefined ? "–" : value.toFixed(digits));
  const countOf = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  const signed = (value, digits = 4) =>
    (value === null ? "–" : (value > 0 ? "+" : value < 0 ? "−" : "±") + Math.abs(value).toFixed(digits));

  const packed = Uint8Array.from(atob($("data").textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const { runs, comparison } = await new Response(stream).json();
  const PAGE = 100;

  // ---- derived values of each Case for the table ---------------------------------------------------------------
  const minus = (a, b) => (a === null || b === null || a === undefined || b === undefined ? null : a - b);
  for (const run of runs) {
    run.several = run.cases.some((case_) => case_.relevant.length + case_.missed.length > 1);
    run.byId = new Map(run.cases.map((case_) => [case_.id, case_]));
    for (const case_ of run.cases) {
      case_.change = minus(case_.value, case_.recallValue);
      case_.predicted = case_.scores[0] ?? null;
      // Not for measures of order, such as AUC: there a prediction need not be on the scale of the ratings.
      case_.error = run.rating && run.lowerIsBetter ? minus(case_.predicted, case_.truth) : null;
      case_.text = [case_.user, case_.id, ...case_.answers, ...[...case_.recall, ...case_.history.map(([item]) => item)]
        .map((item) => run.titles[item])].join("\n").toLowerCase();
    }
  }
  /** The Run that another is compared with: the chosen one; or else the first, as in the head of the page, and for the
   * first the second. */
  const otherRun = (run) => {
    const chosen = runs[Number(state.with || NaN)];
    return runs.length < 2 ? null : chosen && chosen !== run ? chosen : runs[run === runs[0] ? 1 : 0];
  };
  const other = (run, case_) => otherRun(run)?.byId.get(case_.id) ?? null;
  const versus = (run, case_) => {
    const found = other(run, case_);
    return found && minus(case_.value, found.value);
  };

  // ---- state: kept in the URL, so that a selection can be shared -------------------------------------------------
  const state = { run: String(runs.length - 1), with: "", outcome: "", reason: "", only: "", q: "", sort: "", up: "1", case: "" };
  const defaults = { ...state };
  const NO_FILTER = { outcome: "", reason: "", only: "", q: "" };
  /** Take the state from the URL, and say what it names that is not here: it may come from another report. */
  const read = () => {
    const given = [...new URLSearchParams(location.hash.slice(1))];
    Object.assign(state, defaults, Object.fromEntries(given.filter(([name]) => Object.hasOwn(defaults, name))));
    const among = {
      run: (value) => runs.some((_, place) => String(place) === value), outcome: (value) => run().outcomes[value] > 0,
      reason: (value) => Object.hasOwn(run().reasons, value), only: (value) => only().some(([one]) => one === value),
      sort: (value) => columns().some((one) => one.key === value), q: () => true, up: () => true, case: () => true,
    };
    among.with = among.run;
    const unknown = given.filter(([name, value]) => value && !(Object.hasOwn(among, name) && among[name](value)));
    for (const [name] of unknown) if (Object.hasOwn(defaults, name)) state[name] = defaults[name];
    if (given.length === 1 && !given[0][1] && !Object.hasOwn(defaults, given[0][0])) unknown.push(given[0]);
    $("stale").textContent = unknown.length
      ? `Not in this report, and ignored: ${unknown.map((pair) => pair.filter(Boolean).join("=")).join(", ")}. Its address may be that of another report.` : "";
  };
  const address = (change) =>
    "#" + new URLSearchParams(Object.entries({ ...state, ...change }).filter(([name, value]) => value !== defaults[name]));
  /** Change the state. Opening a Case is a step of its own, so that Back closes it. */
  const set = (change) => {
    const opens = change.case && change.case !== state.case;
    Object.assign(state, change);
    history[opens ? "pushState" : "replaceState"](null, "", address({}));
    $("stale").textContent = "";
    draw();
  };
  const run = () => runs[Number(state.run)] ?? runs.at(-1);

  // A rank is a pair: the first and last place of the items tied for it.
  const middle = (rank) => rank && (rank[0] + rank[1]) / 2;
  const places = (rank) => (rank === null ? "–" : rank[0] === rank[1] ? String(rank[0]) : rank.join("–"));
  const SEVERITY = ["error", "unparsed", "repaired", "ok"];
  const answered = (case_) => SEVERITY.indexOf(case_.outcome) > 1;
  /** The tokens of a Case; null where nothing is known of those of its answers: they came from a file, say. */
  const tokensOf = (case_) => case_.tokens[0] + case_.tokens[1] || (case_.answers.length ? null : 0);
  const columns = () => [
    { key: "id", name: "case", of: (case_) => case_.id },
    { key: "outcome", name: "outcome", of: (case_) => SEVERITY.indexOf(case_.outcome), show: (case_) => case_.outcome },
    ...(run().rating
      ? [{ key: "truth", name: "true rating", of: (case_) => case_.truth, digits: 1 },
         { key: "predicted", name: "predicted rating", of: (case_) => case_.predicted, digits: 2 },
         ...(run().lowerIsBetter ? [{ key: "error", name: "error (predicted − true)", show: (case_) => signed(case_.error, 2),
           of: (case_) => (answered(case_) ? case_.error === null ? null : Math.abs(case_.error) : Infinity) }] : [])]
      : [{ key: "recallRank", name: "rank in recall order", of: (case_) => middle(case_.recallRank), show: (case_) => places(case_.recallRank) },
         { key: "rank", name: run().several ? "best rank of a relevant item" : "rank of the relevant item", of: (case_) => middle(case_.rank), show: (case_) => places(case_.rank) }]),
    ...(run().rating ? [] : [{ key: "value", name: run().headline ?? "value", of: (case_) => case_.value, digits: 4 },
      { key: "change", name: "difference from recall order", of: (case_) => case_.change, sign: true }]),
    ...(runs.length < 2 ? []
      : [{ key: "versus", name: `difference from ${otherRun(run()).name}`, of: (case_) => versus(run(), case_), sign: true }]),
    { key: "history", name: "history", of: (case_) => case_.history.length, digits: 0 },
    { key: "tokens", name: "tokens", of: tokensOf, digits: 0 },
  ];
  const only = () => [
    ["", "all Cases"],
    ...(run().rating ? [] : [["lost", "worse than recall order"], ["won", "better than recall order"],
      ["missed", "a relevant item missed by recall"]]),
    ...(runs.length < 2 ? [] : [["different", `different from ${otherRun(run()).name}`], ["worse", `worse than ${otherRun(run()).name}`]]),
  ];
  const passes = {
    lost: (case_) => case_.change < 0,
    won: (case_) => case_.change > 0,
    missed: (case_) => case_.missed.length > 0,
    different: (case_) => Boolean(versus(run(), case_)),
    worse: (case_) => versus(run(), case_) * (run().lowerIsBetter ? -1 : 1) < 0,
  };
  /** The column to sort by, and whether upwards. By default failures come first, then the largest errors or losses. */
  const order = () => {
    const named = (key) => columns().find((one) => one.key === key);
    if (named(state.sort)) return [named(state.sort), Boolean(state.up)];
    return named("error") ? [named("error"), false] : [named("change") ?? named("outcome"), true];
  };
  const chosen = () => {
    const [column, up] = order();
    const direction = up ? 1 : -1;
    const first = (case_) => (!state.sort && ["error", "unparsed"].includes(case_.outcome) ? 0 : 1);
    const wanted = state.q.toLowerCase();
    return run().cases
      .filter((case_) => (!state.outcome || case_.outcome === state.outcome)
        && (!state.reason || `${case_.outcome}: ${case_.reason}` === state.reason)
        && (!passes[state.only] || passes[state.only](case_)) && (!wanted || case_.text.includes(wanted)))
      .sort((one, two) => {
        const [a, b] = [column.of(one), column.of(two)];
        if (first(one) !== first(two)) return first(one) - first(two);
        if (a === b || (a === null && b === null)) return 0;
        if (a === null || b === null) return a === null ? 1 : -1; // missing values sort last
        return (a < b ? -1 : 1) * direction;
      });
  };

  // ---- the parts of the page ------------------------------------------------------------------------------------
  const toggle = (text, key, pressed, change, attributes = {}) => {
    const button = make("button", { type: "button", "aria-pressed": pressed, "data-key": key, ...attributes }, text);
    button.addEventListener("click", () => set(change));
    return button;
  };
  const drawOutcomes = () => {
    $("runs").replaceChildren(...(runs.length < 2 ? [] : runs.map((one, place) =>
      toggle(one.name, `run ${place}`, one === run(), { run: String(place), outcome: "", reason: "" }))));
    $("versus").hidden = runs.length < 3;
    $("with").replaceChildren(...runs.flatMap((one, place) => (one === run() ? []
      : [make("option", { value: String(place), ...(one === otherRun(run()) ? { selected: "" } : {}) }, one.name)])));
    const counts = Object.entries(run().outcomes).filter(([, count]) => count);
    $("bar").replaceChildren(...counts.map(([outcome, count]) => {
      const pressed = state.outcome === outcome;
      const button = toggle(`${outcome} ${count}`, outcome, pressed, { outcome: pressed ? "" : outcome, reason: "" }, { class: outcome });
      button.style.flex = `${count} 1 0`;
      return button;
    }));
    $("reasons").replaceChildren(...Object.entries(run().reasons).map(([reason, count]) =>
      toggle(`${reason} (${countOf(count, "Case")})`, reason, state.reason === reason, { reason: state.reason === reason ? "" : reason })));
  };
  let shown = PAGE;
  const cell = (column, case_) => {
    const value = (column.show ?? column.of)(case_);
    if (column.key === "id") {
      const link = make("a", { href: address({ case: case_.id }), "data-case": case_.id }, case_.id);
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // opens in a new tab or window
        event.preventDefault();
        set({ case: case_.id });
        $("h-story").focus();
      });
      return make("td", {}, link);
    }
    if (column.key === "outcome") return make("td", { class: "left" }, make("span", { class: `outcome ${value}` }, value));
    return make("td", {}, column.show ? value : value === null ? "–" : column.sign ? signed(value) : number(value, column.digits));
  };
  const NUMBER = /^[+−-]?[\d.,]+( to [+−-]?[\d.,]+)?\*?$/;
  /** Rows as the address of a CSV file. Minus signs become those of programs, and no cell is a formula in a spreadsheet. */
  const csv = (rows) => {
    const safe = (text) => (NUMBER.test(text) ? text.replaceAll("−", "-") : /^[=+@\t\r-]/.test(text) ? `'${text}` : text);
    const quoted = (value) => `"${safe(String(value ?? "")).replaceAll('"', '""')}"`;
    return "data:text/csv;charset=utf-8," + encodeURIComponent(rows.map((row) => row.map(quoted).join(",")).join("\n"));
  };
  /** Give each result table below an element a link to its data. Columns of pictures are left out. */
  const addDownloads = (within) => {
    for (const table of within.querySelectorAll(".wide > table:not(#cases)")) {
      const rows = [...table.rows].map((row) => [...row.cells]);
      const kept = rows[0].map((_, place) => !rows.some((row) => row[place].querySelector("svg")));
      const title = [...table.closest("section, header").querySelectorAll("h1, h2, h3")]
        .filter((one) => one.compareDocumentPosition(table) & Node.DOCUMENT_POSITION_FOLLOWING).map((one) => one.tagName === "H1" ? "metrics" : one.textContent);
      const names = [...new Set([title[0], ...runs.map((one) => one.name).filter((one) => title.includes(one)), title.at(-1)])];
      const name = names.join(" ").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 80);
      table.after(make("a", { class: "csv", download: `${name}.csv`, "aria-label": `Download the table ${title.slice(-1)} (CSV)`,
        href: csv(rows.map((row) => row.filter((_, place) => kept[place]).map((cell) => cell.textContent))) }, "CSV"));
    }
  };
  const drawCases = () => {
    const found = chosen();
    const [by, up] = order();
    const heads = columns().map((column) => {
      const sorted = column.key === by.key;
      const head = make("th", { scope: "col", class: column.key === "outcome" ? "left" : "", "aria-sort": sorted ? (up ? "ascending" : "descending") : "none" });
      const button = make("button", { type: "button", "data-key": `by ${column.key}` }, column.name + (sorted ? (up ? " ▲" : " ▼") : ""));
      button.addEventListener("click", () => set({ sort: column.key, up: sorted && up ? "" : "1" }));
      head.append(button);
      return head;
    });
    $("cases").tHead.replaceChildren(make("tr", {}, ...heads));
    $("cases").tBodies[0].replaceChildren(...found.slice(0, shown).map((case_) =>
      make("tr", case_.id === state.case ? { "aria-current": "true" } : {}, ...columns().map((column) => cell(column, case_)))));
    $("count").textContent = found.length ? `${found.length} of ${countOf(run().cases.length, "Case")}`
      : "No Case matches. Clear the filters to see all.";
    $("clear").disabled = Object.entries(NO_FILTER).every(([name, value]) => state[name] === value);
    $("more").hidden = found.length <= shown;
    $("csv").href = csv([columns().map((column) => column.name), ...found.map((case_) => columns().map((column) => (column.show ?? column.of)(case_)))]);
    $("only").replaceChildren(...only().map(([value, text]) =>
      make("option", value === state.only ? { value, selected: "" } : { value }, text)));
    if (document.activeElement !== $("search")) $("search").value = state.q;
  };

  /** A title and a remark; `bdi` keeps a right-to-left title from reordering its surroundings. */
  const titled = (one, item, said = "") => [make("bdi", {}, one.titles[item]), said];
  /** The mark of each relevant item of a Case, by its number; it says the gain if gains differ. */
  const marks = (case_) => new Map(case_.relevant.map((item, place) => [item, case_.marks[place] ?? "◀ relevant"]));
  const list = (tag, items, relevant, describe) => make(tag, {}, ...items.map((item) =>
    make("li", relevant.has(item) ? { class: "relevant", "data-mark": relevant.get(item) } : {}, ...describe(item))));
  const column = (name, content) => make("div", {}, make("h3", {}, name), content);
  /** How a Run ranked a Case; item numbers are per Run. */
  const ranking = (one, case_) => {
    const score = (item) => case_.scores[case_.placed.indexOf(item)] ?? null;
    const withScore = (item) => titled(one, item, score(item) === null ? "" : ` (${number(score(item), 3)})`);
    const unplaced = case_.recall.length - case_.placed.length;
    const left = !answered(case_) ? " (no readable answer: counted as worst)" : unplaced ? ` (${unplaced} not placed: tied last)` : "";
    return column((runs.length < 2 ? "Ranking" : `Ranking: ${one.name}`) + left,
      list("ol", case_.placed, marks(case_), withScore));
  };
  /** The order in which each Run showed the candidates; one column if two Runs showed the same. */
  const promptOrders = (pairs) => {
    const asked = pairs.filter(([, case_]) => case_.answers.length);
    const titles = asked.map(([one, case_]) => case_.shown.map((item) => one.titles[item]).join("\n"));
    const same = asked.length > 1 && titles[0] === titles[1];
    return (same ? asked.slice(0, 1) : asked).map(([one, case_]) =>
      column("Order in the prompt" + (runs.length < 2 ? "" : same ? " (both Runs)" : `: ${one.name}`),
        list("ol", case_.shown, marks(case_), (item) => titled(one, item))));
  };
  const READ_AS = {
    exact: "✓", item_id: "✓", identifier: "✓", normalised: "✓ written differently", fuzzy: "✓ misspelt", loose: "✓ loosely",
    duplicate: "already named", not_a_candidate: "not a candidate", ambiguous: "ambiguous", truncated: "cut off",
  };
  /** The answer with the parts that were read marked. Positions are in characters (code points). */
  const marked = (answer, read) => {
    const signs = [...answer];
    const text = (from, to) => signs.slice(from, to).join("");
    const end = (place) => (place < 0 ? 0 : read[place][1]);
    return make("pre", {}, ...read.flatMap(([from, to, how], place) =>
      [text(end(place - 1), from), make("mark", { class: how, "data-read": READ_AS[how] ?? how }, make("bdi", {}, text(from, to)))]),
      text(end(read.length - 1)));
  };
  /** A button that copies an element's text, or selects it if the page has no access to the clipboard. */
  const copier = (element, what) => {
    const said = make("span", { role: "status", class: "hint" });
    const button = make("button", { type: "button", "aria-label": `Copy ${what}` }, "Copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(element.textContent);
        said.textContent = "Copied.";
      } catch {
        getSelection().selectAllChildren(element);
        said.textContent = "Selected. Press Ctrl+C or ⌘C to copy it.";
      }
    });
    return make("span", { class: "copy" }, button, " ", said);
  };
  /** Decode the role and text of each message of each call, or the reason why they are unknown. A message is encoded
   * relative to the one at its place in the previous call. */
  const messages = (sent) => {
    let before = [];
    return sent.map((call) => {
      before = typeof call === "string" ? [] : call.map(([role, shared, rest], place) =>
        [role, [...(before[place]?.[1] ?? "")].slice(0, shared).join("") + rest]);
      return typeof call === "string" ? call : before;
    });
  };
  const sentMessage = ([role, content], call) => {
    const pre = make("pre", {}, content);
    return make("div", {}, make("h4", {}, role, " ", copier(pre, `${role} message of call ${call}`)), pre);
  };
  const whatWasSent = (case_) => {
    const calls = case_.answers.length;
    const left = calls - case_.sent.length;
    const note = (text) => make("p", { class: "hint" }, text);
    return make("details", { id: "sent" }, make("summary", {}, `What was sent (${countOf(calls, "call")})`),
      ...messages(case_.sent).flatMap((call, place) => [
        calls > 1 ? make("h3", {}, `Call ${place + 1}`) : null,
        ...(typeof call === "string" ? [note(`Unknown. ${call}`)] : call.map((message) => sentMessage(message, place + 1)))]),
      left ? note(`${left === 1 ? "The last call is" : `The last ${left} calls are`} not shown, to keep the page small.`) : null);
  };
  const facts = (pairs) => make("dl", {}, ...pairs.filter(([, value]) => value !== "").flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, value)]));
  const counts = (given) => Object.entries(given).map(([name, count]) => `${name} ${count}`).join(" · ");
  /** The raw answers of a Run, with what was read in them marked. */
  const answers = (one, case_) => make("div", { class: "answers" }, ...case_.answers.flatMap((answer, place) => [
    make("h3", {}, `Answer${case_.answers.length > 1 ? ` ${place + 1}` : ""}${runs.length > 1 ? ` of ${one.name}` : ""} (finish reason: ${case_.finish[place]})`),
    answer === null ? make("p", {}, "There is no answer.") : marked(answer, case_.read[place]),
  ]));
  const predictedText = (case_) => (case_.predicted === null ? "no predicted rating" : `predicted rating ${number(case_.predicted, 2)}`);
  /** What is to be known of a predicted rating, in place of a ranking. */
  const rated = (case_) => [
    ["item to rate", make("bdi", {}, run().titles[case_.recall[0]])],
    ["predicted rating", number(case_.predicted, 2)],
    ["true rating", case_.truth === null ? "unknown" : String(case_.truth)],
    ["error", !run().lowerIsBetter || case_.truth === null ? "" : case_.error === null
      ? `no readable answer, counted as worst: an error of ${number(case_.value, 2)}` : `${signed(case_.error, 2)} (predicted − true)`],
  ];
  const drawStory = () => {
    const case_ = run().byId.get(state.case);
    $("story").hidden = !state.case;
    if (!case_) {
      $("h-story").textContent = `${run().name} has no Case ${state.case}`;
      $("story-body").replaceChildren();
      return;
    }
    const relevant = marks(case_);
    $("h-story").textContent = case_.id === case_.user ? `User ${case_.user}` : `User ${case_.user}, Case ${case_.id}`;
    const newest = [...case_.history].reverse();
    const theirs = other(run(), case_);
    $("story-body").replaceChildren(
      facts([
        ["outcome", case_.outcome + (case_.reason ? `: ${case_.reason}` : "")],
        ["repairs", counts(case_.repairs)], ["titles matched", counts(case_.matches)],
        ...(run().rating ? rated(case_)
          : [[run().headline ?? "", number(case_.value) + (case_.recallValue === null ? "" : `; recall order ${number(case_.recallValue)}`)]]),
        ["missed by recall", case_.missed.join(", ")],
        [otherRun(run())?.name ?? "", theirs ? `${theirs.outcome}, ${run().rating ? predictedText(theirs) : number(theirs.value)}` : ""],
        ["calls", `${case_.answers.length}, ` + (tokensOf(case_) === null ? "tokens not known"
          : `${case_.tokens[0]} prompt and ${countOf(case_.tokens[1], "completion token")}`) + (case_.seconds ? `, ${case_.seconds} s` : "")],
      ]),
      ...(case_.answers.length ? [whatWasSent(case_)] : []),
      theirs ? make("div", { class: "columns" }, answers(run(), case_), answers(otherRun(run()), theirs)) : answers(run(), case_),
      ...(run().rating ? [] : [make("div", { class: "columns" },
        column("Recall order", list("ol", case_.recall, relevant, (item) => titled(run(), item))),
        ...promptOrders([[run(), case_], ...(theirs ? [[otherRun(run()), theirs]] : [])]),
        ranking(run(), case_), ...(theirs ? [ranking(otherRun(run()), theirs)] : []))]),
      make("h3", {}, `History, newest first (${newest.length})`),
      make("ul", { class: "history" }, ...newest.map(([item, rating]) => make("li", {}, ...titled(run(), item, rating === null ? "" : ` (${rating})`)))),
    );
  };

  const text = (x, y, content, anchor = "middle") => make("text", { x, y, "text-anchor": anchor }, content);
  const svg = (width, height, label, ...children) =>
    make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...children);
  const ROUNDING = 5e-9; // values have nine decimals here
  /** The mean difference of each user, over the Cases that all Runs have: what `llmrank compare` counts. */
  const ofUsers = (difference) => {
    const users = new Map();
    for (const case_ of run().cases.filter((one) => runs.every((other) => other.byId.has(one.id)))) {
      const value = difference(case_);
      if (value !== null) users.set(case_.user, [...(users.get(case_.user) ?? []), value]);
    }
    return [...users.values()].map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  };
  const drawDifferences = () => {
    const paired = runs.length > 1;
    // By RMSE, users are compared by their squared errors: by absolute ones, the other Run may be better.
    const lost = (case_) => minus(case_.compared, other(run(), case_).compared);
    const values = ofUsers((case_) => (!paired ? case_.change : run().rating ? lost(case_) : versus(run(), case_)));
    const against = paired ? otherRun(run()).name : "recall order";
    $("h-differences").parentElement.hidden = values.length === 0;
    if (!values.length) return;
    const above = values.filter((value) => value > ROUNDING).length;
    const below = values.filter((value) => value < -ROUNDING).length;
    const [wins, losses] = run().lowerIsBetter ? [below, above] : [above, below];
    const equal = values.length - wins - losses;
    $("differences-said").textContent = `${run().name} minus ${against}, ${run().compared} of each user: `
      + `${run().name} is better for ${countOf(wins, "user")}, equal for ${equal}, worse for ${losses}.`;
    const [width, height, bins] = [560, 180, 21];
    const reach = above + below ? Math.max(...values.map(Math.abs)) : 1;
    const counted = Array(bins).fill(0);
    for (const value of values) counted[Math.min(bins - 1, Math.floor(((value + reach) / (2 * reach)) * bins))] += 1;
    $("near-zero").textContent = counted[(bins - 1) / 2] > equal ? "The middle bar also holds differences near 0." : "";
    const most = Math.max(...counted);
    const step = (width - 20) / bins;
    $("histogram").replaceChildren(svg(width, height, $("differences-said").textContent,
      ...counted.map((count, place) => make("rect", {
        class: "bar", x: 10 + place * step, width: step - 1, y: 150 - (130 * count) / most, height: (130 * count) / most,
      }, make("title", {}, String(count)))),
      ...counted.map((count, place) => (count ? text(10 + (place + 0.5) * step, 146 - (130 * count) / most, String(count)) : null)),
      make("line", { class: "axis", x1: 10, x2: width - 10, y1: 150, y2: 150 }),
      text(10, 168, signed(-reach), "start"), text(width / 2, 168, "0"), text(width - 10, 168, signed(reach), "end")));
  };
  const LINES = 6; // styles of the baselines in page.css
  const drawCurves = () => {
    const kinds = Object.entries(run().curves);
    const unread = (run().outcomes.unparsed ?? 0) + (run().outcomes.error ?? 0);
    $("depth").hidden = kinds.length === 0;
    $("curves").replaceChildren(...kinds.map(([kind, points]) => {
      const [width, height, left, bottom] = [420, 240, 40, 200];
      const top = Math.max(...points.flatMap((one) => [one.value, one.ci95?.[1], ...Object.values(one.baselines)].filter((value) => value != null)), 1e-9);
      const x = (place) => left + (place * (width - left - 10)) / (points.length - 1);
      const y = (value) => bottom - (value / top) * (bottom - 15);
      const path = (values) => values.map((value, place) => `${place ? "L" : "M"}${x(place).toFixed(1)} ${y(value ?? 0).toFixed(1)}`).join("");
      const names = Object.keys(points[0].baselines);
      const last = points[points.length - 1];
      const band = points.every((one) => one.ci95)
        ? path(points.map((one) => one.ci95[0])) + points.map((one, place) => [place, one.ci95[1]]).reverse()
          .map(([place, value]) => `L${x(place).toFixed(1)} ${y(value).toFixed(1)}`).join("") + "Z" : null;
      const line = (name, values) =>
        make("path", { class: name ? `beside line${names.indexOf(name) % LINES}` : "value", d: path(values) });
      const sample = (name) => make("svg", { viewBox: "0 0 36 10", class: "sample", "aria-hidden": "true" },
        make("path", { class: name ? `beside line${names.indexOf(name) % LINES}` : "value", d: "M0 5L36 5" }));
      return make("figure", {}, svg(width, height, `${kind} at cut-offs 1 to ${last.k}, with 95% interval`,
        band && make("path", { class: "band", d: band }),
        ...names.map((name) => line(name, points.map((one) => one.baselines[name]))),
        line("", points.map((one) => one.value)),
        make("line", { class: "axis", x1: left, x2: width - 10, y1: bottom, y2: bottom }),
        make("line", { class: "axis", x1: left, x2: left, y1: bottom, y2: 15 }),
        text(left, bottom + 16, "1"), text(width - 10, bottom + 16, String(last.k), "end"),
        text((left + width) / 2, bottom + 16, "cut-off k"), text(left + 6, 9, `${kind}@k`, "start"),
        text(left - 4, 18, number(top, 2), "end"), text(left - 4, bottom, "0", "end")),
        make("ul", { class: "legend" }, ...["", ...names].map((name) => make("li", {}, sample(name), name ? name.replaceAll("_", " ") : run().name))),
        make("figcaption", {}, `${kind}@k of all Cases of the Run, for k from 1 to ${last.k}; the band is the 95% interval.`
          + (kind === "HR" && unread && last.value >= last.baselines.ceiling - ROUNDING
            ? " An unreadable answer counts as last place, so HR at the full length reaches the ceiling." : "")));
    }));
  };
  const drawSettings = () => {
    const parts = [];
    if (comparison) {
      const differing = Object.entries(comparison.settings);
      parts.push(make("h3", {}, "Settings that differ"), differing.length ? make("div", { class: "wide", tabindex: "0" }, make("table", {},
        make("thead", {}, make("tr", {}, make("td", {}), ...runs.map((one) => make("th", { scope: "col", class: "left" }, one.name)))),
        make("tbody", {}, ...differing.map(([name, values]) =>
          make("tr", {}, make("th", { scope: "row" }, name), ...values.map((value) => make("td", { class: "text" }, value)))))))
        : make("p", {}, "None."));
      if (comparison.template) {
        parts.push(make("h3", {}, "Differences between the templates"), make("pre", {}, ...comparison.template.split("\n").map((line) =>
          make("span", { class: line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "" }, line + "\n"))));
      }
    }
    for (const [name, template] of Object.entries(run().templates)) {
      parts.push(make("details", {}, make("summary", {}, `The ${name.replace("_", " ")}`), make("pre", {}, template)));
    }
    parts.push(make("details", {}, make("summary", {}, `All settings of ${run().name}`), facts(Object.entries(run().settings))));
    $("settings").replaceChildren(...parts);
    addDownloads($("settings"));
  };

  const draw = () => {
    const key = document.activeElement?.dataset.key;
    drawOutcomes(); drawCases(); drawStory(); drawDifferences(); drawCurves(); drawSettings();
    // The pressed button was redrawn: restore the keyboard focus.
    if (key) [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key)?.focus();
  };
  const focusLink = (id) => [...document.querySelectorAll("[data-case]")].find((one) => one.dataset.case === id)?.focus();
  /** Draw the state in the URL and focus the story of its Case; if one was closed, focus its link. */
  const open = () => {
    const closed = state.case;
    read();
    draw();
    if (state.case) $("h-story").focus();
    else if (closed) focusLink(closed);
  };
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !state.case) return;
    const closed = state.case;
    set({ case: "" });
    focusLink(closed);
  });
  $("search").addEventListener("input", () => set({ q: $("search").value }));
  $("with").addEventListener("change", () => set({ with: $("with").value }));
  $("clear").addEventListener("click", () => set(NO_FILTER));
  $("only").addEventListener("change", () => set({ only: $("only").value }));
  $("more").addEventListener("click", () => { shown += PAGE; drawCases(); });
  window.addEventListener("hashchange", open);
  addDownloads(document);
  $("app").hidden = $("last").hidden = false;
  open();
})();
