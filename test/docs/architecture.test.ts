// docs/architecture.md names files and rooms: those that are there, and all of them.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { readPage, root } from './snippets.js'

const page = readPage('docs/architecture.md')
const lib = new URL('lib/', root)

function exists (path: string): boolean {
  return ['', 'lib/', 'lib/cli/', 'lib/policies/', 'lib/algorithms/', 'lib/response/', 'lib/clients/', 'lib/stores/', 'lib/stores/redis/', 'lib/stores/redis/scripts/'].some((folder) => existsSync(new URL(folder + path, root)))
}

t.test('every file that is named is there', async (t) => {
  const named = new Set(Array.from(page.matchAll(/`([\w./-]+\.(?:ts|lua|json|toml|example|md))`/g), ([, path]) => path))
  t.ok(named.size > 30)
  for (const path of named) t.ok(exists(path.replace('*', 'token-bucket')), path)
})

t.test('the rooms stand in the order of the test of imports, from the top down', async (t) => {
  const rooms = Array.from(page.matchAll(/^\| `([a-z/-]+)` \| .+ \|$/gm), ([, room]) => room)
  const table = readFileSync(new URL('test/layering.test.ts', root), 'utf8')
  const [, rows] = /const ROOMS: [^=]+= \{\n(.*?)\n\}/s.exec(table) ?? []
  t.strictSame(rooms, Array.from(rows.matchAll(/^ {2}'?([a-z/-]+)'?: \{/gm), ([, room]) => room).reverse())
})

t.test('every script of Redis has its twin on the page, or is what they stand on', async (t) => {
  const shared = new Set(['algorithms', 'bucket', 'call', 'take-token-buckets'])
  for (const file of readdirSync(new URL('stores/redis/scripts', lib))) {
    if (!shared.has(file.replace('.lua', ''))) t.match(page, `\`${file}\``)
  }
})
