import t, { type Test } from 'tap'
import { loadTemporal } from '../../lib/calendar/temporal.js'
import { remaining, statuses } from '../fixtures/app.js'
import { createSnippetApp, parseSnippets, readPage } from './snippets.js'

await loadTemporal()

const page = readPage('docs/quotas.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string, given = {}) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading, given)
}

// The clock of the snippets stands at 2026-09-21T14:13:20Z.

t.test('a quota stands beside a limit, with periods of its time zone', async (t) => {
  const app = await appUnder(t, 'A quota beside a limit')
  t.equal(remaining(await app.inject('/')), 19)
  t.match(await app.rateLimit.usage('ip:127.0.0.1'), [
    { name: 'monthly', tier: null, used: 1, limit: 10_000, start: '2026-08-31T22:00:00.000Z', end: '2026-09-30T22:00:00.000Z' },
    { name: 'monthly', tier: 'premium', used: 0, limit: 500_000, end: '2026-10-01T00:00:00.000Z' }
  ])
})

t.test('each account renews on its own day', async (t) => {
  const findAccount = async (key: unknown) => key === undefined ? null : { id: key, plan: null, subscribedAt: new Date('2026-01-31T00:00:00Z') }
  const app = await appUnder(t, 'The day on which a subscription began', { findAccount })
  const { headers } = await app.inject({ url: '/', headers: { 'x-api-key': '7' } })
  t.equal(Number(headers['x-ratelimit-reset']), Date.UTC(2026, 8, 30) / 1000 - 1_790_000_000)
})

t.test('the page about the plan shows what was used, and costs nothing', async (t) => {
  const app = await appUnder(t, "A page about the client's plan")
  t.strictSame(await statuses(app, 3), [200, 200, 200])
  for (let i = 0; i < 2; i++) {
    t.strictSame((await app.inject('/plan')).json(), [
      { name: 'monthly', used: 3, left: 997, start: '2026-09-01T00:00:00.000Z', end: '2026-10-01T00:00:00.000Z' }
    ])
  }
})

t.test('every snippet is run', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
