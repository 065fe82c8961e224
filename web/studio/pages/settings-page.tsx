/** The settings: what workflows read beside their documents, what starts them, who may come, and what this server is. */

import { Link, useParams } from "@tanstack/react-router";
import { type ComponentType, useEffect, useRef } from "react";
import { AboutSection } from "../settings/about.tsx";
import { CredentialsSection } from "../settings/credentials.tsx";
import { KeysSection } from "../settings/keys.tsx";
import { SecretsSection } from "../settings/secrets.tsx";
import { SECTIONS, type SectionId } from "../settings/sections.ts";
import { TriggersSection } from "../settings/triggers.tsx";
import { VariablesSection } from "../settings/variables.tsx";
import { TopBar } from "../top-bar.tsx";

const CONTENTS: Record<SectionId, ComponentType> = {
  secrets: SecretsSection,
  credentials: CredentialsSection,
  variables: VariablesSection,
  triggers: TriggersSection,
  keys: KeysSection,
  about: AboutSection,
};

export function SettingsPage() {
  const { section } = useParams({ from: "/settings/$section" });
  const found = SECTIONS.find((one) => one.id === section);
  const Content = found && CONTENTS[found.id];
  const sections = useRef<HTMLElement>(null);
  useEffect(() => {
    sections.current
      ?.querySelector(`[href$="/${section}"]`)
      ?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [section]);
  useEffect(() => {
    document.title = `${found?.title ?? "Nothing here"} · Settings · flowscope`;
  }, [found]);
  return (
    <>
      <TopBar>
        <h1 className="font-semibold">Settings</h1>
      </TopBar>
      <div className="flex min-h-0 flex-1 flex-col md:flex-row">
        <nav
          ref={sections}
          aria-label="Sections of the settings"
          className="flex flex-none gap-1 overflow-x-auto border-line bg-panel p-2 max-md:border-b md:w-48 md:flex-col md:border-r md:p-3"
        >
          {SECTIONS.map(({ id, title }) => (
            <Link
              key={id}
              to="/settings/$section"
              params={{ section: id }}
              className="rounded-lg px-3 py-1.5 whitespace-nowrap text-muted hover:bg-hover hover:text-text [&.active]:bg-accent-soft [&.active]:text-accent"
            >
              {title}
            </Link>
          ))}
        </nav>
        <main className="min-h-0 min-w-0 flex-1 overflow-auto">
          <div className="mx-auto max-w-4xl p-4 sm:p-6">
            {Content ? <Content /> : <p className="text-muted">There is no such section.</p>}
          </div>
        </main>
      </div>
    </>
  );
}
