import t from 'tap'
import { storeContract } from '../../lib/store-contract/index.js'
import { MemoryStore } from '../../lib/stores/memory/store.js'
import { statuses } from '../fixtures/app.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { createSnippetApp, readPage, run, parseSnippets } from './snippets.js'

const page = readPage('docs/custom-stores.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

/** A store that is made as the page makes its own. */
class MyStore extends MemoryStore {
  constructor (clock = new ManualClock()) {
    super({ clock, maxKeys: 100_000 })
  }
}

t.test('limits hold in a store that asks a service', async (t) => {
  RUN.add('A store that asks a service')
  const service = new MyStore()
  t.teardown(() => service.close())
  const asked: string[] = []
  async function ask (method: 'take' | 'peek' | 'adjust' | 'reset' | 'ping', ...args: readonly unknown[]): Promise<unknown> {
    asked.push(method)
    // As JSON does, which has no word for nothing.
    const answer: unknown = Reflect.apply(service[method], service, JSON.parse(JSON.stringify(args)))
    return answer === undefined ? answer : JSON.parse(JSON.stringify(answer))
  }
  const app = await createSnippetApp(t, page, 'A store that asks a service', { ask })
  t.strictSame((await statuses(app, 101)).slice(-2), [200, 429])
  t.match(await app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 0 }])
  t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 1)
  t.match(await app.rateLimit.health(), { status: 'ok', store: 'service' })
  t.strictSame(await statuses(app, 1), [200])
  t.strictSame(new Set(asked), new Set(['take', 'peek', 'reset', 'ping']))
})

t.test('the contract can be driven as it is shown', async (t) => {
  RUN.add('The contract test')
  const [{ code }] = parseSnippets(page).filter(({ heading }) => heading === 'The contract test')
  const tests = new Map<string, () => Promise<void>>()
  await run(code, undefined, { test: (title: string, check: () => Promise<void>) => { tests.set(title, check) }, storeContract, MyStore })
  t.equal(tests.size, storeContract().length)
  for (const check of tests.values()) await check()
})

t.test('titles begin with what the page says', async (t) => {
  const titles = storeContract().map(({ title }) => title)
  for (const about of ['fixed-window: ', 'penalty: ', 'patience: ']) {
    t.match(page, `\`${about}\``)
    t.ok(titles.some((title) => title.startsWith(about)), about)
  }
})

t.test('a store ends with the application', async (t) => {
  RUN.add('Closing it')
  let closed = 0
  class Closing extends MyStore {
    override close () {
      closed++
      super.close()
    }
  }
  const app = await createSnippetApp(t, page, 'Closing it', { MyStore: Closing })
  await app.close()
  t.equal(closed, 1)
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
