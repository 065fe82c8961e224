/** The sections of the settings, in the order in which they are shown. */

export const SECTIONS = [
  { id: "secrets", title: "Secrets", words: "passwords tokens" },
  { id: "credentials", title: "Credentials", words: "logins passwords accounts" },
  { id: "variables", title: "Variables", words: "values vars" },
  { id: "triggers", title: "Triggers", words: "webhooks schedules forms cron active" },
  { id: "keys", title: "API keys", words: "access scopes" },
  { id: "about", title: "About", words: "version limits health journal" },
] as const;

export type SectionId = (typeof SECTIONS)[number]["id"];
