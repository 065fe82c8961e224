/**
 * Code and JSON, in CodeMirror: loaded when the first one is shown. It lives in a shadow root, where its styles are
 * constructed sheets: the server's policy allows no style elements.
 */

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { python } from "@codemirror/lang-python";
import { defaultHighlightStyle, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import { useSettings } from "./settings-context.ts";

interface CodeEditorProps {
  readonly label: string;
  readonly language: "json" | "python" | "text";
  readonly value: string;
  change(text: string): void;
}

const LOOK = EditorView.theme({
  "&": {
    color: "var(--rev-text)",
    backgroundColor: "var(--rev-sunken)",
    fontSize: "12px",
    maxHeight: "420px",
  },
  ".cm-scroller": { fontFamily: "var(--rev-mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--rev-text)", minHeight: "96px" },
  ".cm-gutters": { backgroundColor: "var(--rev-sunken)", color: "var(--rev-faint)", border: "none" },
  "&.cm-focused": { outline: "2px solid var(--rev-focus)", outlineOffset: "-1px" },
});

/** Colour means status here, so code is told apart by weight and one accent. */
const INK = HighlightStyle.define([
  { tag: [tags.keyword, tags.bool, tags.null], color: "var(--rev-accent)", fontWeight: "600" },
  { tag: [tags.string], color: "var(--rev-muted)" },
  { tag: [tags.comment], color: "var(--rev-faint)", fontStyle: "italic" },
  { tag: [tags.propertyName], color: "var(--rev-accent)" },
]);

export function CodeEditor({ label, language, value, change }: CodeEditorProps) {
  const { readOnly } = useSettings();
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(change);
  latest.current = change;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the value goes in by the effect below, without a new editor
  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open" });
    const languages = language === "json" ? [json()] : language === "python" ? [python()] : [];
    const made = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: value,
        extensions: [
          lineNumbers(),
          history(),
          keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
          ...languages,
          syntaxHighlighting(INK),
          syntaxHighlighting(defaultHighlightStyle, { fallback: true }),
          LOOK,
          EditorView.lineWrapping,
          EditorState.readOnly.of(readOnly),
          EditorView.contentAttributes.of({ "aria-label": label }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
  }, [language, label, readOnly]);
  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.hasFocus || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the editor are not the canvas's
    <div
      ref={host}
      className="overflow-hidden rounded-lg border border-line-strong"
      onKeyDown={(event) => event.stopPropagation()}
    />
  );
}
