// What docs/concurrency.md says. The bound itself is proved by test/integration/fleet/slots.test.ts.
import t from 'tap'
import { policyOptions } from '../../lib/config/schema/policy-schema.js'
import { until } from '../fixtures/until.js'
import { createSnippetApp, parseSnippets, readPage } from './snippets.js'

const page = readPage('docs/concurrency.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

t.test('a report of two takes a slot of two', async (t) => {
  RUN.add('A limit')
  const app = await createSnippetApp(t, page, 'A limit')
  t.equal((await app.inject('/reports/1')).statusCode, 200)
  t.match(app.rateLimit.explain('GET /reports/:id').policies[0].options.filter(({ option }) => option.startsWith('concurrency')), [
    { option: 'concurrency.max', value: 2 }, { option: 'concurrency.min' }, { option: 'concurrency.limit' }, { option: 'concurrency.by', value: 'client' }, { option: 'concurrency.lease', value: '10s' },
    { option: 'concurrency.queue.maxWaiting', value: 100 }, { option: 'concurrency.queue.maxWait', value: '5s' }
  ])
})

t.test('a job that finds no slot is refused, and a slot is given back', async (t) => {
  RUN.add('In jobs and messages')
  const exports: Array<() => void> = []
  const runExport = () => new Promise((resolve) => { exports.push(() => { resolve('done') }) })
  const running = async (count: number) => { await until('an export runs', 20_000, () => exports.length === count) }
  const app = await createSnippetApp(t, page, 'In jobs and messages', { runExport })
  const post = () => app.inject({ method: 'POST', url: '/exports' })
  const first = post()
  await running(1)
  t.equal((await post()).statusCode, 429)
  exports[0]()
  t.equal((await first).statusCode, 200)
  const second = post()
  await running(2)
  exports[1]()
  t.equal((await second).statusCode, 200)
})

t.test('a tier with a priority has slots that no other one takes', async (t) => {
  RUN.add('A number found by latency')
  const app = await createSnippetApp(t, page, 'A number found by latency')
  const [{ options, tiers }] = app.rateLimit.explain('GET /').policies
  t.match(options.find(({ option }) => option === 'concurrency.max'), { value: 'adaptive' })
  t.match(tiers?.[0].options.find(({ option }) => option === 'priority'), { value: 1 })
})

t.test('the table has every option', async (t) => {
  const options = policyOptions.concurrency.anyOf.flatMap((form) => 'properties' in form ? Object.keys(form.properties) : [])
  t.strictSame(Array.from(page.matchAll(/^\| `(max|by|mode|lease|queue|min|limit)` \|/gm), ([, option]) => option).sort(), options.sort())
})

t.test('no block is shown that is not run', async (t) => {
  t.strictSame(parseSnippets(page).map(({ heading }) => heading).filter((heading) => !RUN.has(heading)), [])
})
