import t from 'tap'
import { runExample } from '../fixtures/example.js'

// By URLs: examples are JavaScript, and their types are checked where they are.
const [{ CustomerTable }, { hashOf, isSealed, issueKey }, { LookUpCache }] = await Promise.all(
  ['database', 'keys', 'look-up-cache'].map((name) => import(new URL(`../../examples/api-keys/${name}.js`, import.meta.url).href))
)

t.test('each plan has its limit, customers have one budget for all their keys, and made-up keys cost no look-up', async (t) => {
  const { exit, findCells } = await runExample(t, 'api-keys')
  t.strictSame(exit, [0, null])

  const rows: ReadonlyArray<readonly [caller: string, sent: number, least: number, lookUps: number, why: string]> = [
    ['without a key', 8, 5, 0, 'the limit of those without a plan'],
    ['with made-up keys', 8, 0, 0, 'they count by the address, and it is used up'],
    ['with a revoked key', 8, 0, 1, 'that there is none is remembered'],
    ['ada, plan free', 15, 10, 1, 'the tier free'],
    ['bob, plan pro', 45, 40, 1, 'the tier pro'],
    ['bob, another key', 8, 0, 1, 'the budget is the customer\'s'],
    ['cron, plan internal', 60, 60, 1, 'false is unlimited']
  ]
  for (const [caller, sent, least, lookUps, why] of rows) {
    const [, shownSent, allowed, refused, shownLookUps] = findCells(caller).map(Number)
    t.equal(shownSent, sent, caller)
    t.ok(allowed >= least, `${caller}: ${why}`) // on a slow machine a bucket gains units meanwhile
    t.equal(allowed + refused, sent)
    t.equal(shownLookUps, lookUps)
  }
})

t.test('requests that ask for one name at once are one look-up, and a failed one is tried again', async (t) => {
  let lookUps = 0
  const cache = new LookUpCache(async (name: string) => {
    if (++lookUps === 1) throw new Error('away')
    return name
  }, { maxEntries: 10, ttlMs: 60_000 })
  const failed = await Promise.allSettled([cache.get('a'), cache.get('a')])
  t.strictSame(failed.map(({ status }) => status), ['rejected', 'rejected'])
  t.equal(lookUps, 1)
  t.strictSame(await Promise.all([cache.get('a'), cache.get('a'), cache.get('b')]), ['a', 'a', 'b'])
  t.equal(lookUps, 3)
})

t.test('what is not found pushes out nothing that was, and an answer grows old', async (t) => {
  const asked: string[] = []
  const lookUp = async (name: string) => {
    asked.push(name)
    return name.startsWith('real') ? name : null
  }
  const cache = new LookUpCache(lookUp, { maxEntries: 2, ttlMs: 60_000 })
  for (const name of ['real-1', 'none-1', 'none-2', 'none-3', 'real-1', 'none-3']) await cache.get(name)
  t.strictSame(asked, ['real-1', 'none-1', 'none-2', 'none-3'])
  await cache.get('none-1')
  t.equal(asked.at(-1), 'none-1', 'the oldest made room')
  for (const name of ['real-2', 'real-3', 'real-1']) await cache.get(name)
  t.strictSame(asked.slice(5), ['real-2', 'real-3', 'real-1'], 'among those that were found too')

  const forgetful = new LookUpCache(lookUp, { maxEntries: 2, ttlMs: 0 })
  const before = asked.length
  await forgetful.get('real-1')
  await forgetful.get('real-1')
  t.equal(asked.length - before, 2)
})

t.test('a key is told by its seal, and kept nowhere', async (t) => {
  const table = new CustomerTable()
  const key = table.addKey({ id: 'ada', plan: 'free' })
  t.ok(isSealed(key))
  for (const wrong of ['', key.slice(0, -1), `${key}A`, key.toUpperCase(), 'demo__', `demo_${'A'.repeat(32)}_${'A'.repeat(16)}`]) t.notOk(isSealed(wrong), wrong)
  t.strictSame(await table.customerByKeyHash(hashOf(key)), { id: 'ada', plan: 'free' })
  t.equal(await table.customerByKeyHash(key), null)
  t.equal(await table.customerByKeyHash(hashOf(issueKey())), null)
})
