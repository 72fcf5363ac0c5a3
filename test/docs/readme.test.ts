import { readFileSync } from 'node:fs'
import t from 'tap'
import { assertRefusal } from './quick-start.js'
import { createSnippetApp, readPage, root, parseSnippets } from './snippets.js'

const readme = readPage('README.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

t.test('the quick start answers its sixth login with the refusal that is shown', async (t) => {
  RUN.add('Quick start')
  await assertRefusal(t, readme, 'Quick start')
})

t.test('what it grows into holds for each tier and rule', async (t) => {
  RUN.add('Next steps')
  const app = await createSnippetApp(t, readme, 'Next steps')
  const limitOf = async (url: string, key = '') => (await app.inject({ url, headers: { 'x-api-key': key } })).headers['x-ratelimit-limit']
  t.equal(await limitOf('/'), '20')
  t.equal(await limitOf('/', 'k1'), '100')
  t.equal(await limitOf('/', 'k2'), '1000')
  t.equal(await limitOf('/', 'k3'), undefined)
  t.equal(await limitOf('/api/v1/search'), '5')
})

t.test('the versions in the table of peers are those that were looked at', async (t) => {
  for (const name of ['@fastify/rate-limit', 'rate-limiter-flexible']) {
    const { version }: { version: string } = JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, root), 'utf8'))
    t.match(readme, `| ${name} ${version} |`)
  }
})

t.test('each row of the table of peers has a cell for each of them', async (t) => {
  const [, table] = /^## Comparison$([^]*?)^## /m.exec(readme) ?? []
  const rows = table.split('\n').filter((line) => line.startsWith('|'))
  t.ok(rows.length > 15)
  for (const row of rows) t.equal(row.split(' | ').length + (row.startsWith('|---') ? 4 : 0), 5, row)
})

t.test('it stays short', async (t) => {
  t.ok(readme.split('\n').length <= 170)
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(readme).map(({ heading }) => heading)), RUN)
})
