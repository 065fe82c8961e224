import { expect, test } from "vitest";
import type { ExecutionRow } from "../../execution/api.ts";
import { filtersOf, queryOf, statusesOf, withStatus } from "./filters.ts";
import { merged } from "./run-list.ts";

test("a URL's filters survive the way there and back, and nonsense is left out", () => {
  const search = { status: "failed,running", workflow: "w", search: "no such", since: "24h", called: "yes" };
  expect(filtersOf(search)).toEqual({ ...search, status: "running,failed" });
  expect(filtersOf(filtersOf(search))).toEqual(filtersOf(search));
  expect(filtersOf({ status: "hungry", since: "yesterday", search: "", called: "no" })).toEqual({});
  expect(filtersOf({ search: 12 })).toEqual({ search: "12" });
});

test("statuses are put on and off", () => {
  const one = withStatus({}, "failed");
  expect(statusesOf(one)).toEqual(["failed"]);
  const two = withStatus(one, "running");
  expect(two.status).toBe("running,failed");
  expect(withStatus(withStatus(two, "failed"), "running")).toEqual({});
});

test("the query asks for the same until the minute is over", () => {
  const now = Date.parse("2026-01-02T10:30:40Z");
  expect(queryOf({ since: "1h", status: "failed" }, now)).toEqual({
    called: false,
    status: ["failed"],
    startedAfter: "2026-01-02T09:30:00.000Z",
  });
  expect(queryOf({ since: "1h" }, now + 10_000)).toEqual(queryOf({ since: "1h" }, now));
  expect(queryOf({}, now)).toEqual({ called: false });
  expect(queryOf({ called: "yes" }, now)).toEqual({ called: true });
});

const row = (n: number, status = "success") =>
  ({ executionId: `e${n}`, startedAt: `2026-01-01T00:00:0${n}Z`, status }) as ExecutionRow;

test("the newest page goes over what was read before", () => {
  const pages = [row(3, "running"), row(2), row(1)];
  expect(merged(undefined, pages)).toEqual(pages);
  const ids = (rows: ExecutionRow[]) => rows.map((one) => one.executionId);
  expect(ids(merged([row(5), row(4)], pages, 2))).toEqual(["e5", "e4", "e3", "e2", "e1"]);
  expect(merged([row(4), row(3)], pages, 2)[1].status).toBe("success");
  // A page that is not full is all there is.
  expect(ids(merged([row(3)], pages, 2))).toEqual(["e3"]);
  expect(merged([], pages, 2)).toEqual([]);
});
