import t, { type Test } from 'tap'
import Fastify from 'fastify'
import { rateLimitPlugin } from '../../lib/plugin/plugin.js'
import { statuses } from '../fixtures/app.js'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/in-code.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading)
}

t.test('a route can tell its client where he stands', async (t) => {
  const app = await appUnder(t, 'The decision for a request')
  t.equal((await app.inject('/')).body, 'ip:127.0.0.1 is allowed, 99 left')
})

t.test('a check decides now', async (t) => {
  const app = await appUnder(t, 'A check')
  for (let message = 0; message < 10; message++) t.equal((await app.inject('/chat')).body, 'sent')
  const refused = await app.inject('/chat')
  t.equal(refused.statusCode, 429)
  t.strictSame(refused.json(), { waitMs: 100 })
})

t.test('a job is counted for its user', async (t) => {
  RUN.add('Without a request')
  const [{ code }] = parseSnippets(page).filter(({ heading }) => heading === 'Without a request')
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin)
  const sendMail = new Function('app', `${code}; return sendMail`)(app) // eslint-disable-line no-new-func
  const results = []
  for (const user of ['42', '42', '42', '43']) results.push(await sendMail(user))
  t.strictSame(results, ['sent', 'sent', 'again in 24 hours', 'sent'])
})

t.test('a guard is charged beside the route, for those that get to it', async (t) => {
  const app = await appUnder(t, 'A guard')
  t.strictSame(await statuses(app, 3, '/export'), [200, 200, 429])
  t.equal((await app.inject('/none')).headers['x-ratelimit-remaining'], '96')
})

t.test('each member of a decision that is shown is there, and each outcome is told', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 1 })
  app.get('/', async (request) => {
    const [, table] = /\| member \| meaning \|\n([\s\S]*?)\n\n/.exec(page) ?? []
    const members = table.split('\n').slice(1).flatMap((row) => [...row.split('|')[1].matchAll(/`(\w+)/g)].map(([, name]) => name))
    return members.filter((name) => request.rateLimit === null || !(name in request.rateLimit))
  })
  t.strictSame((await app.inject('/')).json(), [])
  for (const outcome of ['allowed', 'delayed', 'rejected', 'blocked', 'exempt', 'unavailable']) t.match(page, `\`'${outcome}'\``)
})

t.test('each call that is shown is there, and no other', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin)
  const [, table] = /\| call \| meaning \|\n([\s\S]*?)\n\n/.exec(page) ?? []
  const shown = new Set(Array.from(table.matchAll(/rateLimit\.(\w+)\(/g), ([, name]) => name))
  t.strictSame(shown, new Set(Object.entries(app.rateLimit).filter(([, member]) => typeof member === 'function').map(([name]) => name)))
  t.match(page, '`rateLimit.metrics` is')
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
