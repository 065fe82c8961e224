/** The bar of 48 pixels: where one is, what is happening, what can be done. */

import { Command, Moon, Search, Sun } from "lucide-react";
import { type ReactNode, useState } from "react";
import { applyTheme, chooseTheme, type Theme } from "../theme/theme.ts";
import { openCommandMenu } from "./command-menu.tsx";
import { useCommands } from "./commands.ts";

export function TopBar({ children, actions }: { children: ReactNode; actions?: ReactNode }) {
  return (
    <header className="flex h-12 shrink-0 items-center gap-3 border-b border-line bg-panel px-4 max-sm:gap-1.5 max-sm:px-2">
      <div className="flex min-w-0 flex-1 items-center gap-3">{children}</div>
      <button
        type="button"
        onClick={openCommandMenu}
        className="rev-button w-64 justify-start text-faint max-lg:w-auto max-sm:hidden"
        aria-label="Search or run a command"
      >
        <Search size={14} aria-hidden />
        <span className="flex-1 text-left font-normal max-lg:hidden">Search or run a command</span>
        <kbd className="rev-key max-lg:hidden">Ctrl K</kbd>
      </button>
      <button
        type="button"
        onClick={openCommandMenu}
        className="rev-button rev-button-icon sm:hidden"
        aria-label="Commands"
      >
        <Command size={15} aria-hidden />
      </button>
      <ThemeSwitch />
      {actions}
    </header>
  );
}

function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(
    document.documentElement.dataset.theme === "dark" ? "dark" : "light",
  );
  const other: Theme = theme === "dark" ? "light" : "dark";
  const change = () => {
    chooseTheme(other);
    applyTheme(other);
    setTheme(other);
  };
  const title = `Switch to ${other} theme`;
  useCommands(() => [{ id: "theme", title, group: "Studio", run: change }]);
  return (
    <button
      type="button"
      onClick={change}
      className="rev-button rev-button-icon max-sm:hidden"
      aria-label={title}
      title={title}
    >
      {theme === "dark" ? <Sun size={15} aria-hidden /> : <Moon size={15} aria-hidden />}
    </button>
  );
}
