// What docs/failure-modes.md promises, with a Redis that is not there; test/integration/failures has all ways of failing.
import t from 'tap'
import type { InjectOptions } from 'fastify'
import { freePort } from '../fixtures/redis-server.js'
import { systemClock } from '../../lib/common/clock.js'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/failure-modes.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

/** The page with the port of a Redis that is not there. */
const port = await freePort()
const here = page.replaceAll('127.0.0.1:6379', `127.0.0.1:${port}`)

t.test('without Redis each route does as its failure mode says', async (t) => {
  RUN.add('When Redis is unavailable')
  const app = await createSnippetApp(t, here, 'When Redis is unavailable', {}, systemClock)
  const answer = (request: InjectOptions | string) => app.inject(request)
  const local = await answer('/')
  t.strictSame([local.body, local.headers['x-ratelimit-remaining']], ['allowed', '99'])
  const open = await answer('/catalogue')
  t.strictSame([open.body, open.headers['x-ratelimit-remaining']], ['unavailable', undefined])
  const closed = await answer({ method: 'POST', url: '/transfer' })
  t.strictSame([closed.statusCode, closed.headers['retry-after']], [503, '5'])
  t.match(await app.rateLimit.health(), { status: 'degraded', lastError: 'ECONNREFUSED' })
})

t.test('the breaker is what it was told to be', async (t) => {
  RUN.add('Which deadline')
  const app = await createSnippetApp(t, here, 'Which deadline', {}, systemClock)
  for (let failed = 0; failed < 3; failed++) await app.inject('/')
  t.match(await app.rateLimit.health(), { breaker: 'open' })
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
