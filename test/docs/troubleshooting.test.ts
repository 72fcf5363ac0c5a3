import t from 'tap'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/troubleshooting.md')
const [, ...entries] = page.split(/^## /m)

t.test('every entry has a cause, a check and a cure, in this order', async (t) => {
  t.ok(entries.length >= 15)
  for (const entry of entries) {
    const [symptom] = entry.split('\n')
    t.match(entry, /\n\n\*\*Cause\.\*\* [^]+\\\n\*\*Check\.\*\* [^]+\\\n\*\*Cure\.\*\* [^]+\.\n/, symptom)
  }
})

t.test('what to begin with tells whom a request counted for, and what holds for a route', async (t) => {
  const app = await createSnippetApp(t, page, 'Troubleshooting', { isOperator: async () => {} })
  const headers = { 'x-forwarded-for': '6.6.6.6' }
  t.strictSame((await app.inject({ url: '/whoami', headers })).json(), {
    outcome: 'allowed', client: 'ip:127.0.0.1', tier: 'anonymous', limitName: 'default', remaining: 99, forwarded: '6.6.6.6'
  })
  t.match((await app.inject({ url: '/limits', query: { route: 'GET /whoami' } })).json(), { state: 'limited', policies: [{ name: 'default' }] })
  t.strictSame(parseSnippets(page).map(({ heading }) => heading), ['Troubleshooting'])
})

t.test('a cost that reads the body too early is 1, and told', async (t) => {
  t.match(page, 'the request costs 1, and that is logged')
  const app = await createSnippetApp(t, '# x\n```js\napp.post(\'/\', { config: { rateLimit: { cost: (request) => request.body.rows.length } } }, async (request) => request.rateLimit.remaining)\n```\n', 'x')
  t.equal((await app.inject({ method: 'POST', url: '/', payload: { rows: [1, 2, 3] } })).json(), 99)
})
