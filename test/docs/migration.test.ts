import t from 'tap'
import Fastify, { type InjectOptions } from 'fastify'
import { buildFastifyRateLimit } from '../../lib/compat/build.js'
import { RateLimitError, RateLimitOptionsSchema, RouteRateLimitSchema } from '../../lib/index.js'
import { OptionsSchema } from '../../lib/compat/options.js'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { statuses } from '../fixtures/app.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { createSnippetApp, readPage, run, parseSnippets } from './snippets.js'

const page = readPage('docs/migration.md')

/** The headings whose snippets are run by a test below, and how many of them. */
const RUN: string[] = []

function snippetsUnder (heading: string): string[] {
  const codes = parseSnippets(page).filter((snippet) => snippet.heading === heading).map(({ code }) => code)
  RUN.push(...codes.map(() => heading))
  return codes
}

t.test('an application moves with one line', async (t) => {
  const [code] = snippetsUnder('One line')
  const clock = new ManualClock()
  const app = Fastify()
  t.teardown(() => app.close())
  await run(code, app, { rateLimit: buildFastifyRateLimit(buildRateLimitPlugin(clock), clock) })
  t.strictSame(await statuses(app, 6, '/login'), [200, 200, 429, 429, 429, 403])
  t.equal((await app.inject('/none')).statusCode, 404)
  t.equal((await app.inject('/none')).headers['x-ratelimit-remaining'], '98')
})

t.test('and then into the plugin\'s own words', async (t) => {
  snippetsUnder('Option by option')
  const app = await createSnippetApp(t, page, 'Option by option', { RateLimitError })
  t.strictSame(await statuses(app, 3, '/login'), [200, 200, 429])
  t.match((await app.inject('/login')).json(), { statusCode: 429, error: 'Too Many Requests', message: /exceeded$/ })
  t.match((await app.inject('/check')).json(), { isExceeded: false, remaining: 1 })
  await app.inject('/check')
  t.match((await app.inject('/check')).json(), { isExceeded: true, remaining: 0 })
  t.strictSame(new Set(await statuses(app, 5, { url: '/login', remoteAddress: '192.0.2.1' })), new Set([200]))
})

t.test('what was consumed is checked, and a login counts failures', async (t) => {
  const [first, second] = snippetsUnder('From rate-limiter-flexible')
  const clock = new ManualClock()
  const app = Fastify()
  t.teardown(() => app.close())
  await run(first, app, {}, clock)
  await run(second, app, {}, clock)
  t.strictSame((await statuses(app, 11)).slice(-2), [200, 429])
  const rows = (count: number): InjectOptions => ({ method: 'POST', url: '/rows', headers: { 'x-user': 'ada' }, payload: { rows: Array(count).fill(0) } })
  t.strictSame((await app.inject(rows(60))).json(), { remaining: 40 })
  t.match((await app.inject(rows(41))).json(), { waitMs: Number })
  t.strictSame((await app.inject(rows(40))).json(), { remaining: 0 }, 'what was refused cost nothing')

  const login = (password: string): InjectOptions => ({ method: 'POST', url: '/login', payload: { name: 'ada', password } })
  t.strictSame(new Set(await statuses(app, 10, login('right'))), new Set([200]))
  t.strictSame(await statuses(app, 6, login('wrong')), [401, 401, 401, 401, 401, 429])
  t.equal((await app.inject(login('right'))).statusCode, 429, 'blocked')
  t.equal((await app.inject({ ...login('right'), payload: { name: 'bob', password: 'right' } })).statusCode, 200, 'and nobody else')
})

t.test('requests that fail are given back', async (t) => {
  snippetsUnder('From express-rate-limit')
  const app = await createSnippetApp(t, page, 'From express-rate-limit')
  t.strictSame(new Set(await statuses(app, 10, '/fails')), new Set([500]))
  t.strictSame(await statuses(app, 6, '/works'), [200, 200, 200, 200, 200, 429])
  const { headers } = await app.inject('/works')
  t.ok(headers.ratelimit)
  t.ok(headers['x-ratelimit-reset'])
})

t.test('each option of the original has a row, and each word that a row answers with exists', async (t) => {
  const [, table] = /\| original \| `fastify-sluice` \| \|\n\|[-|]+\n([\s\S]*?)\n\n/.exec(page) ?? []
  const rows = table.split('\n').map((row) => row.split(' | '))
  const named = rows.flatMap(([original]) => [...original.matchAll(/`([a-zA-Z0-9]+)/g)].map(([, name]) => name))
  // Not of the original.
  const { deadline, ...options } = OptionsSchema.properties
  for (const name of Object.keys(options)) t.ok(named.includes(name), name)

  const known = [...Object.keys(RateLimitOptionsSchema.properties), ...Object.keys(RouteRateLimitSchema.properties), 'rateLimit', 'fastify', 'decision']
  for (const [, answer] of rows) {
    for (const [, word] of answer.matchAll(/`([a-zA-Z0-9]+)/g)) t.ok(known.includes(word), word)
  }
})

t.test('each snippet is run', async (t) => {
  t.strictSame(RUN, parseSnippets(page).map(({ heading }) => heading))
})
