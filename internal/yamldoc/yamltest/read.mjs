// Reads a list of YAML texts from standard input as JSON and writes what each
// of them holds, or what is wrong with it.
import { readFileSync } from "node:fs";
import { isScalar, parseAllDocuments, visit } from "yaml";

function read(text) {
  const documents = [...parseAllDocuments(text, { version: "1.2", schema: "core", merge: true, uniqueKeys: false, logLevel: "silent" })];
  const empty = (d) => d.contents === null || (isScalar(d.contents) && d.contents.source.trim() === "" && d.contents.type === "PLAIN");
  const full = documents.filter((d) => !empty(d));
  const broken = (full.length > 0 ? full : documents).find((d) => d.errors.length > 0);
  if (broken) return { error: broken.errors[0].message };
  if (full.length === 0) return { value: null };
  if (full.length > 1) return { error: "more than one document" };
  const [document] = full;
  let odd = "";
  visit(document, {
    Pair(_, { key }) {
      if (key === null || (isScalar(key) && key.source === "" && key.type === "PLAIN") || !isScalar(key)) odd = "a key that is not text";
      else if (key.type === "PLAIN") key.value = key.source; // a key is text, whatever it looks like
    },
    Node(_, node) {
      if (node.tag) odd = "a tag";
      if (isScalar(node) && typeof node.value === "number" && !Number.isFinite(node.value)) odd = "a number that is not finite";
    },
  });
  if (odd) return { error: odd };
  return { value: document.toJS({ maxAliasCount: -1 }) };
}

const texts = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(texts.map((text) => {
  try {
    return read(text);
  } catch (e) {
    return { error: String(e) };
  }
})));
