"""What a run's page shows, and what the server says that it should: the two of them as the same shape, to be held side by side."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, Final

LABELS: Final = {
    "idle": "Not started", "pending": "Queued", "running": "Running", "success": "Succeeded", "error": "Failed",
    "skipped": "Skipped", "waiting": "Waiting",
}  # fmt: skip
DETAILS: Final = {
    "queued": "Queued", "retrying": "Retrying", "waiting": "Waiting", "asking": "Needs an answer",
    "cancelled": "Cancelled", "timed out": "Timed out", "lost": "Lost",
}  # fmt: skip
RUNS: Final = {"running": "Running", "waiting": "Waiting", "success": "Succeeded", "failed": "Failed"}
ENDED: Final = frozenset({"success", "failed", "cancelled"})

SCRIPT: Final = """
(() => {
  localStorage.setItem("flowscope.split.dock", "640");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const text = (thing) => thing?.textContent.trim() ?? "";
  const record = (things, key, value) => Object.fromEntries(things.map((thing) => [key(thing), value(thing)]));

  const cards = () => record(all(".rev-card[data-node]"), (card) => card.dataset.node, (card) => {
    const facts = text(card.querySelector(".rev-time")).split(" · ");
    const tries = facts.map((fact) => /^(\\d+) tries$|^try (\\d+)$/.exec(fact)).find(Boolean);
    return [card.dataset.status, Number(tries?.[1] ?? tries?.[2] ?? 1), facts.find((fact) => / of /.test(fact)) ?? ""];
  });
  const outline = () => record(all("[role=treeitem]"), (line) => line.id.slice("rev-outline-".length),
    (line) => line.getAttribute("aria-label").split(": ")[1].split(", ")[1]);
  const counts = () => record(all(".rev-count"), (part) => text(part.querySelector(".rev-count-word")),
    (part) => Number(text(part.querySelector("b"))));
  const timeline = () => record(all(".rev-timeline-row"), (row) => row.id.slice("row-".length), (row) => {
    const heat = /^(\\d+) \\w+, (\\d+) failed/.exec(text(row.querySelector("svg title")));
    return [row.getAttribute("aria-label").split(", ")[1], all(".rev-bar-run", row).length,
      Number(heat?.[1] ?? 0), Number(heat?.[2] ?? 0)];
  });
  const logs = () => {
    const said = {};
    for (const line of all(".rev-line"))
      (said[text(line.querySelector(".rev-line-node"))] ??= []).push(text(line.querySelector(".rev-line-text")) || text(line));
    return record(Object.entries(said), ([node]) => node, ([, lines]) => lines.join("\\n"));
  };
  const read = (panel) => {
    const light = document.querySelector("[data-light]");
    return {
      light: [light?.dataset.light, text(light)],
      run: text(document.querySelector("header .rev-badge")),
      events: Number(text(document.querySelector("[data-tab=Events] .rev-tab-count"))),
      counts: counts(), cards: cards(), outline: outline(),
      ...(panel === "Logs" ? { logs: logs() } : { timeline: timeline() }),
      trouble: all("[role=alert]").map(text),
    };
  };
  const isRecord = (value) => value && typeof value === "object" && !Array.isArray(value);
  const differences = (shown, wanted, name = "") => {
    if (isRecord(shown) && isRecord(wanted))
      return [...new Set([...Object.keys(name && shown), ...Object.keys(wanted)])].flatMap((key) =>
        differences(shown[key], wanted[key], `${name} ${key}`));
    const [is, should] = [shown, wanted].map((part) => JSON.stringify(part));
    return is === should ? [] : [`${name}: shown ${is}, should be ${should}`];
  };

  /** Wait until all that is wanted is shown; what is not after so long. */
  window.shows = async (panel, wanted, limit) => {
    document.querySelector(`[data-tab=${panel}]`)?.click();
    for (const end = Date.now() + limit; ; ) {
      const wrong = differences(read(panel), wanted);
      if (!wrong.length || Date.now() > end) return wrong;
      await new Promise((next) => setTimeout(next, 50));
    }
  };

  /** What the light said when, while somebody could see it. */
  let looks = [];
  setInterval(() => {
    const light = document.querySelector("[data-light]")?.dataset.light;
    if (light && !document.hidden) looks.push([Date.now(), light]);
  }, 100);
  window.takeLooks = () => looks.splice(0);
})();
"""


def expected(execution: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """Of an execution and its journal, as the API tells them."""
    codes = {node["nodeId"]: _code(node) for node in execution["nodes"]}
    word = "Up to date" if execution["status"] in ENDED else "Live"
    return {
        "light": ["live", f"{word} · seq {execution['seq']}"],
        "run": RUNS[execution["status"]],
        "events": execution["seq"],
        "counts": dict(Counter(LABELS[code] for code in codes.values())),
        "cards": {node["nodeId"]: _card(node, codes[node["nodeId"]]) for node in execution["nodes"]},
        "outline": {
            node["nodeId"]: DETAILS.get(node.get("detail", ""), LABELS[codes[node["nodeId"]]])
            for node in execution["nodes"]
        },
        "timeline": {node: [codes[node], *bars] for node, bars in _bars(codes, events).items()},
        "trouble": [],
    }


def _code(node: dict[str, Any]) -> str:
    waits = node["status"] == "pending" and node.get("detail") in ("waiting", "asking", "paused")
    return "waiting" if waits else str(node["status"])


def _card(node: dict[str, Any], code: str) -> list[Any]:
    count = node.get("iterations") or {}
    of = f"{count['done'] + count['failed']} of {count['total']}" if count.get("total") and code != "idle" else ""
    return [code, 1 if code == "idle" else node.get("attempts", 1), of]


def _bars(codes: dict[str, str], events: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Of each node: bars of attempts, runs in bodies or iterations, and how many of these failed."""
    bars = {node: [0, 0, 0] for node in codes}
    for event in events:
        node, kind = event.get("nodeId"), event["type"]
        if node is None:
            continue
        inside = bool(event.get("path"))
        if kind == "IterationStarted" or (kind == "NodeStarted" and inside):
            bars[node][1] += 1
        elif kind == "IterationFailed" or (kind in ("NodeFailed", "NodeLost") and inside):
            bars[node][2] += 1
    for node in codes:
        bars[node][0] = _attempts(node, events)
    return bars


def _attempts(node: str, events: list[dict[str, Any]]) -> int:
    """Bars of attempts at the top level that have run; of a container whose server stopped, one before and one after. An
    attempt that only waited, or that died with its process in the instant in which it began, is drawn as a wait or as the
    time without a server."""
    drawn = 0
    began = last = 0.0
    waited = stopped = False
    for event in events:
        kind, at = event["type"], event["at"]
        if kind == "ExecutionRecovered" and began:
            drawn += last > began
            began, stopped = at, True
        last = at
        if event.get("nodeId") != node or event.get("path"):
            continue
        if kind == "NodeStarted":
            began, waited, stopped = at, False, False
        elif kind == "NodeSuspended" and began:
            drawn += at > began
            began, waited = 0, True
        elif kind in ("NodeSucceeded", "NodeFailed", "NodeCancelled", "NodeLost") and began:
            drawn += not (stopped and kind == "NodeLost")
            began = 0
    return drawn + (began > 0 and not waited)


def said(lines: list[dict[str, Any]], titles: dict[str, str]) -> dict[str, str]:
    """The kept log, as `logs` on the screen: what each node said, streamed pieces of one attempt joined."""
    joined: list[tuple[str, str, tuple[Any, ...]]] = []
    for line in lines:
        key = (line.get("kind", "log"), line["nodeId"], line.get("path", ""), line.get("attempt", 1))
        if key[0] == "stream" and joined and joined[-1][2] == key:
            joined[-1] = (joined[-1][0], joined[-1][1] + line["text"], key)
        else:
            joined.append((titles[line["nodeId"]], line["text"], key))
    found: defaultdict[str, list[str]] = defaultdict(list)
    for title, text, _ in joined:
        found[title].append(text.strip())
    return {title: "\n".join(texts) for title, texts in found.items()}
