import t from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { limitedApp, remainders, SECOND, statuses } from '../fixtures/app.js'

/** What a callback of the application's own may do against its contract. */
const rubbish: ReadonlyArray<readonly [what: string, callback: () => unknown]> = [
  ['throws', () => { throw new Error('broken') }],
  ['throws no Error', () => { throw null }], // eslint-disable-line no-throw-literal
  ['rejects', async () => { throw new Error('broken') }],
  ['answers undefined', () => undefined],
  ['answers null', () => null],
  ['answers NaN', () => NaN],
  ['answers -1', () => -1],
  ['answers -0.5', () => -0.5],
  ['answers an object', () => ({ valueOf: () => 0 })],
  ['answers an array', () => [0]],
  ['answers a promise of an array', async () => [0]],
  ['answers a hostile thenable', () => ({ then () { throw new Error('broken') } })],
  ['answers a thenable that throws when it is looked at', () => ({ get then () { throw new Error('broken') } })]
]

function logged (log: ReadonlyArray<{ readonly source?: string }>, source: string): number {
  return log.filter((line) => line.source === source).length
}

for (const [what, callback] of rubbish) {
  // A finite number is a key.
  t.test(`a keyGenerator that ${what} charges the address, and is logged once a minute`, { skip: /^answers -/.test(what) }, async (t) => {
    const { app, clock, log } = await limitedApp(t, { max: 3, timeWindow: '1 hour', algorithm: 'fixed-window', keyGenerator: callback as () => string })
    t.strictSame(await remainders(app, '/', '/', { url: '/', remoteAddress: '203.0.113.9' }), [2, 1, 2])
    t.equal(logged(log, 'keyGenerator'), 1)
    clock.advance(60 * SECOND)
    t.strictSame(await statuses(app, 3), [200, 429, 429])
    t.equal(logged(log, 'keyGenerator'), 2)
    t.match(log.filter(({ source }) => source === 'keyGenerator')[1], { suppressed: 2 })
  })

  t.test(`a cost that ${what} charges 1, and is logged once a minute`, async (t) => {
    const { app, clock, log } = await limitedApp(t, { max: 3, timeWindow: '1 hour', algorithm: 'fixed-window', cost: callback as () => number })
    t.strictSame(await statuses(app, 4), [200, 200, 200, 429])
    t.equal(logged(log, 'cost'), 1)
    clock.advance(60 * SECOND)
    t.strictSame(await statuses(app, 2), [429, 429])
    t.equal(logged(log, 'cost'), 2)
  })
}

for (const name of ['onExceeding', 'onExceeded'] as const) {
  for (const [what, callback] of rubbish) {
    t.test(`an ${name} that ${what} changes no answer`, async (t) => {
      const { app, log } = await limitedApp(t, { max: 1, timeWindow: '1 minute', [name]: callback as () => void })
      t.strictSame(await statuses(app, 3), [200, 429, 429])
      await new Promise(setImmediate)
      const isFault = what.startsWith('throws') || what === 'rejects' || what.includes('thenable')
      t.equal(logged(log, name), isFault ? 1 : 0)
    })
  }
}

const costs: ReadonlyArray<readonly [cost: number, answers: readonly number[], why: string]> = [
  [0.2, [200, 200, 200, 429], 'rounded up to 1'],
  [1.5, [200, 429, 429, 429], 'rounded up to 2'],
  [3, [200, 429, 429, 429], 'the whole capacity'],
  [4, [429, 429, 429, 429], 'above the capacity'],
  [1e308, [429, 429, 429, 429], 'above any capacity'],
  [Infinity, [429, 429, 429, 429], 'above any capacity'],
  [Number.MAX_SAFE_INTEGER, [429, 429, 429, 429], 'above any capacity']
]
for (const algorithm of ['token-bucket', 'sliding-window', 'fixed-window'] as const) {
  for (const [cost, answers, why] of costs) {
    t.test(`${algorithm}: a cost of ${cost} is ${why}`, async (t) => {
      const { app, log } = await limitedApp(t, { max: 3, timeWindow: '1 hour', algorithm, cost: () => cost })
      t.strictSame(await statuses(app, 4), answers)
      t.equal(logged(log, 'cost'), 0)
    })
  }
}

t.test('onExceeding sees what passed, onExceeded what was refused', async (t) => {
  const seen: unknown[] = []
  const note: NonNullable<RateLimitOptions['onExceeded']> = ({ url }, { outcome, remaining, client }) => { seen.push([url, outcome, remaining, client.id]) }
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1 minute', onExceeding: note, onExceeded: note })
  await statuses(app, 2)
  t.strictSame(seen, [['/', 'allowed', 0, '127.0.0.1'], ['/', 'rejected', 0, '127.0.0.1']])
})

t.test('faults of one source do not hide another\'s', async (t) => {
  const { app, log } = await limitedApp(t, { max: 9, keyGenerator: () => '', cost: () => -1 })
  await statuses(app, 3)
  t.strictSame(log.map(({ source, err }) => [source, err?.message]), [
    ['keyGenerator', 'expected a key of 1 or more characters, or a number, got an empty one'],
    ['cost', 'expected a number of units, 0 or more, got -1']
  ])
})
