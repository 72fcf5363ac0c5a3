// The corrections that the runner of the original's tests knows, and the table of them in the migration guide.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { readPage, root } from '../../docs/snippets.js'
import { compareOutcomes } from './compare.js'

interface Correction {
  readonly file: string
  readonly title: string
  /** The row of the table of differences. */
  readonly difference: string
  readonly reason: string
  /** A part of the message with which the test fails. */
  readonly found: string
}

const { version, corrections }: { version: string, corrections: Correction[] } =
  JSON.parse(readFileSync(new URL('test/compat/original/corrections.json', root), 'utf8'))
const page = readPage('docs/migration.md')

function readRows (header: string): string[] {
  const [, rows] = page.split(`\n${header}\n`)[1].split(/^\|[-|]+\|\n/m)
  return rows.split('\n\n')[0].split('\n')
}

t.test('the migration guide has the corrections, row by row', async (t) => {
  const rows = corrections.map(({ file, title, difference, reason }) => `| \`${file}\`: ${title} | ${difference} | ${reason} |`)
  t.strictSame(readRows('| test of the original | difference | reason |'), rows)
})

t.test('each correction belongs to a difference of the guide', async (t) => {
  const differences = readRows('| | original | `fastify-sluice/compat` |').map((row) => row.split(' | ')[0].slice(2))
  for (const { title, difference } of corrections) t.ok(differences.includes(difference), `${title}: ${difference}`)
})

t.test('the corrections are those of the version in the guide', async (t) => {
  t.match(page, `The versions are ${version}, `)
  t.match(page, `--branch v${version} `)
  t.match(page, ` these ${corrections.length} `)
})

const LISTED = { file: 'a.test.js', title: 'suite > listed', found: 'got NaN' }
const outcome = (title: string, error?: string) => ({ file: 'a.test.js', title, hasPassed: error === undefined, error: String(error) })

t.test('only listed failures are accepted', async (t) => {
  const expected: ReadonlyArray<readonly [outcomes: object[], differences: RegExp[]]> = [
    [[outcome('suite > listed', 'max: got NaN'), outcome('other')], []],
    [[outcome('suite > listed', 'max: got NaN'), outcome('other', 'it broke')], [/^fails, and is no documented correction: a.test.js: other\n {2}it broke$/]],
    [[outcome('suite > listed')], [/^passes, but is listed as a correction: a.test.js: suite > listed$/]],
    [[outcome('suite > listed', 'got 500')], [/^fails with another result than "got NaN": a.test.js: suite > listed\n {2}got 500$/]],
    [[outcome('listed', 'max: got NaN')], [/^fails, and is no/, /^is listed as a correction, but does not exist: a.test.js: suite > listed$/]],
    [[{ ...outcome('suite > listed', 'max: got NaN'), file: 'b.test.js' }], [/^fails, and is no/, /does not exist/]]
  ]
  for (const [outcomes, differences] of expected) {
    const found = compareOutcomes(outcomes, [LISTED])
    t.equal(found.length, differences.length)
    t.match(found, differences)
  }
})
