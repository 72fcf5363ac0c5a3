// The mutants that docs/mutants.md explains: "- `code` to `other`, `code` to nothing: why." below the path of their file.
import { readFileSync } from 'node:fs'

const CHANGE = /`([^`]+)` to (?:`([^`]+)`|nothing)/g

/** All texts that a line can become if one occurrence of a code in it is replaced. */
function * replaceOnce (line, code, other) {
  for (let at = line.indexOf(code); at >= 0; at = line.indexOf(code, at + 1)) yield line.slice(0, at) + other + line.slice(at + code.length)
}

function readChanges (file) {
  const section = readFileSync('docs/mutants.md', 'utf8').split(/^### /m).find((text) => text.startsWith(`\`${file}\`\n`)) ?? ''
  return section.split('\n').filter((line) => line.startsWith('- ')).flatMap((line) => [...line.matchAll(CHANGE)])
}

/** Returns a function: whether a changed line of the file is explained. Without indentation. */
export function createExplainer (file) {
  const changes = readChanges(file)
  return ({ before, after }) => changes.some(([, code, other = '']) => [...replaceOnce(before, code, other)].includes(after))
}
