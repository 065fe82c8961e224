/** The name of a kept credential: one of those there are and fit. Who may not read which there are writes it. */

import { useCredentials } from "../../execution/react/kept.ts";
import { ExpressionInput } from "./expression-input.tsx";
import { useSettings } from "./settings-context.ts";

interface CredentialInputProps {
  readonly id: string;
  readonly value: string;
  readonly types: readonly string[];
  readonly optional: boolean;
  readonly invalid: boolean;
  readonly describedBy: string;
  readonly templated: boolean;
  change(name: string): void;
}

export function CredentialInput({ types, optional, ...shared }: CredentialInputProps) {
  const { id, value, invalid, describedBy, change } = shared;
  const { api, readOnly } = useSettings();
  const credentials = useCredentials(api);
  if (!credentials) return <ExpressionInput {...shared} />;
  const fitting = credentials.filter((one) => types.includes(one.type));
  const there = credentials.find((one) => one.name === value);
  const fits = value === "" || fitting.some((one) => one.name === value);
  const said = fits
    ? ""
    : there
      ? `${value} is of the type ${there.type}, which does not fit here`
      : `No credential named ${value} is kept here`;
  return (
    <>
      <select
        id={id}
        className="rev-input"
        disabled={readOnly}
        aria-invalid={invalid || !fits}
        aria-describedby={`${id}-said ${describedBy}`}
        value={value}
        onChange={(event) => change(event.target.value)}
      >
        {(optional || value === "") && <option value="">{optional ? "None" : "Choose…"}</option>}
        {!fits && <option value={value}>{value}</option>}
        {fitting.map(({ name, type }) => (
          <option key={name} value={name}>
            {types.length > 1 ? `${name} (${type})` : name}
          </option>
        ))}
      </select>
      <p id={`${id}-said`} className="flex flex-wrap justify-between gap-x-2 text-xs text-error-ink">
        {said}
        {!readOnly && (
          <a
            className="text-accent underline"
            target="_blank"
            rel="noreferrer"
            href={`${api.base}/settings/credentials?add=${types[0]}`}
          >
            Create one
          </a>
        )}
      </p>
    </>
  );
}
