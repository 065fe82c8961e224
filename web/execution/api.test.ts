import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it, vi } from "vitest";
import { Api } from "./api.ts";

let server: Server | null = null;

afterEach(() => {
  vi.useRealTimers();
  server?.closeAllConnections();
  server?.close();
});

/** A server that does that with every request. */
async function serve(answer: (response: ServerResponse) => void): Promise<Api> {
  const made = createServer((_, response) => answer(response));
  server = made;
  await new Promise<void>((ready) => made.listen(0, "127.0.0.1", ready));
  return new Api(`http://127.0.0.1:${(made.address() as AddressInfo).port}`);
}

it("takes an answer that is cut off for none", async () => {
  const api = await serve((response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
    response.write('{"events":[');
    setImmediate(() => response.destroy());
  });
  await expect(api.get("/api/anything")).rejects.toMatchObject({ status: 0, code: "UNREACHABLE" });
});

it("says what would not arrive if the page went away: beyond 64 KiB, whatever is on its way counted", async () => {
  const held: ServerResponse[] = [];
  const api = await serve((response) => held.push(response));
  const sent: Promise<unknown>[] = [];
  const send = (body: string) => sent.push(api.send("PUT", "/api/anything", body));
  send("x".repeat(65_534)); // and two quotation marks
  expect(api.endsWithPage).toBe(false);
  send("x");
  expect(api.endsWithPage).toBe(true);
  await vi.waitFor(() => expect(held).toHaveLength(2));
  for (const response of held.splice(0)) response.end("null");
  await Promise.all(sent);
  expect(api.endsWithPage).toBe(false);
  send("€".repeat(22_000));
  expect(api.endsWithPage).toBe(true);
  await vi.waitFor(() => expect(held).toHaveLength(1));
  held[0].end("null");
  await Promise.all(sent);
});

it("does not wait for ever on a line that is dead", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  let asked = () => {};
  const arrived = new Promise<void>((next) => {
    asked = next;
  });
  const api = await serve(() => asked());
  const answer = expect(api.get("/api/anything")).rejects.toMatchObject({ status: 0, code: "UNREACHABLE" });
  await arrived;
  vi.advanceTimersByTime(10_000);
  await answer;
});
