/** The name under which something is kept, as expressions can write it. */

import { PlainFieldView } from "../../inspector/plain-field.tsx";

interface NameFieldProps {
  readonly name: string;
  readonly help: string;
  readonly fault: string;
  change(name: string): void;
}

export function NameField({ name, help, fault, change }: NameFieldProps) {
  return (
    <PlainFieldView
      field={{ name: "name", label: "Name", kind: "text", required: true, help, options: [] }}
      value={name}
      fault={fault}
      change={(next) => change(String(next))}
    />
  );
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** What is wrong with it; nothing is "". */
export function nameFault(name: string): string {
  if (name === "") return "It needs a name";
  return NAME.test(name) ? "" : "Letters, digits and _, 64 at most, and no digit first";
}
