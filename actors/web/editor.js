// The editor of a text. It stands in a shadow root: there its styles are style sheets, which the page's policy allows.

import * as cm from "/vendor/codemirror.js";

const { tags } = cm;
const words = (text) => Object.fromEntries(text.split(" ").map((word) => [word, true]));
const PHP = cm.clike({
  name: "php",
  keywords: words("abstract as break case catch class clone const continue default do echo else elseif extends final finally fn for foreach function global if implements instanceof interface match namespace new private protected public readonly return static switch throw trait try use while yield"),
  atoms: words("true false null"), multiLineStrings: true,
  hooks: { $: (stream) => { stream.eatWhile(/[\w$]/); return "variable-2"; }, "#": (stream) => { stream.skipToEnd(); return "comment"; } },
});
const LANGUAGES = { python3: cm.python, node: cm.javascript, browser: cm.javascript, sbcl: cm.commonLisp, go: cm.go, rust: cm.rust, ruby: cm.ruby, php: PHP };

const colours = cm.HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--accent)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--ok)" },
  { tag: [tags.number, tags.atom, tags.bool, tags.null], color: "var(--warn)" },
  { tag: tags.comment, color: "var(--dim)", fontStyle: "italic" },
  { tag: [tags.definition(tags.variableName), tags.function(tags.variableName)], fontWeight: "bold" },
]);
const looks = cm.EditorView.theme({
  "&": { height: "100%", fontSize: "12.5px", color: "var(--fg)", backgroundColor: "var(--card)" },
  ".cm-scroller": { fontFamily: 'ui-monospace, "DejaVu Sans Mono", monospace' },
  ".cm-gutters": { backgroundColor: "var(--bg)", color: "var(--dim)", borderRight: "1px solid var(--line)" },
  ".cm-content": { caretColor: "var(--fg)" },
  ".cm-cursor": { borderLeftColor: "var(--fg)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 9%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)" }, // the library's are images in the style sheet, which the policy refuses
  ".cm-lint-marker-error": { content: "normal", backgroundColor: "var(--bad)", borderRadius: "50%", width: ".7em", height: ".7em", marginTop: ".3em" },
  ".cm-deletedChunk": { color: "var(--fg)" },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--card)", color: "var(--fg)", border: "1px solid var(--line)" },
});

/** A line's range in the text; the nearest line there is. */
function lineOf(state, number) {
  return state.doc.line(Math.max(1, Math.min(state.doc.lines, number)));
}

export class Editor {
  /** `changed(text)` after every edit by the user, `apply()` on Ctrl-Enter and Ctrl-S. */
  constructor(parent, { label, runtime, text, changed, apply }) {
    this.difference = new cm.Compartment();
    const language = LANGUAGES[runtime];
    const apply_ = () => {
      apply();
      return true;
    };
    const root = parent.shadowRoot ?? parent.attachShadow({ mode: "open" });
    root.replaceChildren();
    this.view = new cm.EditorView({
      parent: root,
      root,
      state: cm.EditorState.create({
        doc: text,
        extensions: [
          cm.lineNumbers(), cm.history(), cm.drawSelection(), cm.indentOnInput(), cm.bracketMatching(), cm.highlightActiveLine(), cm.search({ top: true }), cm.lintGutter(),
          cm.keymap.of([{ key: "Mod-s", run: apply_ }, { key: "Mod-Enter", run: apply_ }, ...cm.defaultKeymap, ...cm.historyKeymap, ...cm.searchKeymap]),
          language ? cm.StreamLanguage.define(language) : [], cm.syntaxHighlighting(colours), looks, this.difference.of([]),
          cm.EditorState.tabSize.of(4), cm.EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
          cm.EditorView.updateListener.of((update) => update.docChanged && changed(update.state.doc.toString())),
        ],
      }),
    });
  }

  get text() {
    return this.view.state.doc.toString();
  }

  replace(text) {
    if (text !== this.text) this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
  }

  /** `[{line, text}]`, lines from 1. */
  problems(found) {
    const { state } = this.view;
    this.view.dispatch(cm.setDiagnostics(state, found.map(({ line, text }) => ({ from: lineOf(state, line).from, to: lineOf(state, line).to, severity: "error", message: text }))));
  }

  /** What differs from another text; null: nothing is shown. */
  compare(original) {
    this.view.dispatch({ effects: this.difference.reconfigure(original === null ? [] : cm.unifiedMergeView({ original, mergeControls: false, highlightChanges: true })) });
  }

  goto(line) {
    const { from } = lineOf(this.view.state, line);
    this.view.dispatch({ selection: { anchor: from }, effects: cm.EditorView.scrollIntoView(from, { y: "center" }) });
    this.view.focus();
  }

  end() {
    this.view.destroy();
  }
}
