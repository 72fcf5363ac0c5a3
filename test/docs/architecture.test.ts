// docs/architecture.md names files and rooms: those that are there, and all of them.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { pageAt, root } from './snippets.js'

const page = pageAt('docs/architecture.md')
const lib = new URL('lib/', root)

function exists (path: string): boolean {
  return ['', 'lib/', 'lib/cli/', 'lib/policies/', 'lib/algorithms/', 'lib/response/', 'lib/clients/', 'lib/stores/', 'lib/stores/redis/', 'lib/stores/redis/scripts/'].some((folder) => existsSync(new URL(folder + path, root)))
}

t.test('every file that is named is there', async (t) => {
  const named = new Set(Array.from(page.matchAll(/`([\w./-]+\.(?:ts|lua|json|toml|example|md))`/g), ([, path]) => path))
  t.ok(named.size > 30)
  for (const path of named) t.ok(exists(path.replace('*', 'token-bucket')), path)
})

t.test('every room of lib has a row, which says whose code it runs as the test of imports does', async (t) => {
  const rows = new Map(Array.from(page.matchAll(/^\| `([a-z-]+)` \| .+ \| (.+) \|$/gm), ([, room, imports]) => [room, imports]))
  const rooms = readdirSync(lib, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name)
  t.strictSame(new Set(rows.keys()), new Set(rooms))
  const table = readFileSync(new URL('test/layering.test.ts', root), 'utf8')
  for (const [room, imports] of rows) {
    const [, values] = new RegExp(`^  '?${room}'?: \\{ values: \\[(.*?)\\]`, 'm').exec(table) ?? []
    const listed = Array.from(imports.matchAll(/`(\w+)`/g), ([, name]) => name)
    t.strictSame(new Set(listed), new Set(Array.from(values.matchAll(/'(\w+)'/g), ([, name]) => name)), room)
  }
})

t.test('every script of Redis has its twin on the page, or is what they stand on', async (t) => {
  const shared = new Set(['algorithms', 'bucket', 'call', 'take-token-buckets'])
  for (const file of readdirSync(new URL('stores/redis/scripts', lib))) {
    if (!shared.has(file.replace('.lua', ''))) t.match(page, `\`${file}\``)
  }
})
