/** Light or dark, and whether things may move: what the server says, what the system wants, what the person chose. */

export type Theme = "light" | "dark";

const CHOICE = "flowscope.theme";

/** `static` is light; `dynamic` follows the system until somebody chooses. */
export function preferredTheme(colorTheme: "dynamic" | "static"): Theme {
  const chosen = localStorage.getItem(CHOICE);
  if (chosen === "light" || chosen === "dark") return chosen;
  if (colorTheme === "static") return "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(CHOICE, theme);
}

export function applyTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}

export function reducedMotion(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
