// Each item of docs/guarantees.md names the tests that hold it, and no proof is left out.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readPage } from './snippets.js'

const ITEM = /^- \*\*(?:Promise|Assumption|Exception|Tight)\*\*, (?:exhaustive|sampled|recorded|argued|by example)[^:]*: [^[]+\. (\[.+\]\(\S+\)(?:, \[.+\]\(\S+\))*)$/
const LINK = /\[(.+?)\]\(\.\.\/((?:test|models)\/[^)]+)\)/g

/** Rooms of tests that hold a guarantee each, and not how the code does it. */
const PROOFS = ['test/algorithms', 'test/histories', 'test/models', ...['cluster', 'failures', 'fleet', 'sentinel'].map((room) => `test/integration/${room}`)]

const sections = readPage('docs/guarantees.md').split(/^## /m).slice(1)
const linked = new Set<string>()

for (const section of sections) {
  const [title, ...lines] = section.split('\n')
  // A formula has an indent, and counts are in a table.
  const items = lines.filter((line) => line !== '' && !line.startsWith('    ') && !line.startsWith('|'))

  t.test(`${title}: each item names the tests that hold it`, async (t) => {
    for (const item of items) {
      t.match(item, ITEM, item.slice(0, 60))
      for (const [, name, file] of item.matchAll(LINK)) {
        linked.add(file)
        t.ok(readFileSync(file, 'utf8').includes(name), `${file} has "${name}"`)
      }
    }
  })

  t.test(`${title}: what is promised, what it rests on, what breaks it, and a case that reaches it`, async (t) => {
    t.ok(lines.some((line) => line.startsWith('    ')), 'a formula')
    for (const kind of ['Promise', 'Assumption', 'Exception', 'Tight']) {
      t.ok(items.some((item) => item.startsWith(`- **${kind}**`)), kind)
    }
  })
}

t.test('no proof is left out', async (t) => {
  const files = PROOFS.flatMap((room) => readdirSync(room, { recursive: true, encoding: 'utf8' }).map((name) => join(room, name)))
  for (const file of files.filter((name) => name.endsWith('.test.ts'))) t.ok(linked.has(file), file)
})
