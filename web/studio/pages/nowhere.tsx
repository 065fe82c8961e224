import { Link } from "@tanstack/react-router";
import { TopBar } from "../top-bar.tsx";

export function Nowhere() {
  return (
    <>
      <TopBar>
        <h1 className="font-semibold">Nothing here</h1>
      </TopBar>
      <main className="grid flex-1 place-items-center text-center">
        <p className="text-muted">
          There is no such page.{" "}
          <Link to="/workflows" className="text-accent underline">
            Go to the workflows
          </Link>
        </p>
      </main>
    </>
  );
}
