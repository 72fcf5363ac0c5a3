// Units beyond a smaller capacity, kept beside a bucket after a change of its limit: what changes them before the next change.
import t from 'tap'
import { createMemoryStore } from '../../../lib/stores/memory/store.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const WINDOW_US = 60 * SECOND_US

/** A client that used 90 of 100 units, before the limit was lowered to 10. */
function open (algorithm: typeof ALGORITHMS[number]) {
  const [before, lowered, raised] = [100, 10, 1000].map((max) => limitOf({ algorithm, max, windowUs: WINDOW_US }))
  const clock = new ManualClock()
  const store = createMemoryStore({ clock, maxKeys: 100, seed: 7 })
  t.teardown(() => { store.close() })
  const receipt = store.take([{ limit: before, partition: 'user:42', cost: 90 }])
  const [lower] = store.peek([lowered], 'user:42')
  return {
    clock,
    store,
    receipt,
    lower,
    adjust: (units: number, { atUs, standings: [standing] } = receipt) => { store.adjust([{ standing: { ...standing, limit: lowered }, atUs, units }]) },
    remaining: () => store.peek([raised], 'user:42')[0].remaining
  }
}

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: used units stay used`, async (t) => {
    const { lower, remaining } = open(algorithm)
    t.equal(lower.remaining, 0)
    t.equal(remaining(), 910)
  })

  t.test(`${algorithm}: a refund is taken off`, async (t) => {
    const { adjust, remaining } = open(algorithm)
    adjust(-5)
    t.equal(remaining(), 915)
  })

  t.test(`${algorithm}: they last until they have drained, whatever else expires`, async (t) => {
    const { clock, store, remaining } = open(algorithm)
    clock.advance(WINDOW_US / 2)
    for (let sweeps = 0; sweeps < 64; sweeps++) store.sweep()
    t.ok(remaining() < 1000, String(remaining()))
    clock.advance(2 * WINDOW_US)
    for (let sweeps = 0; sweeps < 64; sweeps++) store.sweep()
    t.strictSame([store.size, remaining()], [0, 1000])
  })
}

t.test('units that are charged later are added, as many as a debt may have', async (t) => {
  const { adjust, remaining } = open('token-bucket')
  adjust(5)
  t.equal(remaining(), 905)
  const other = open('token-bucket')
  other.adjust(1e9)
  t.equal(other.remaining(), 890, 'the capacity, and a window more')
})

t.test('a refund of units that have drained takes nothing off', async (t) => {
  const { adjust, remaining, receipt } = open('token-bucket')
  const { standings: [standing] } = receipt
  adjust(-5, { ...receipt, standings: [{ ...standing, resetUs: 0 }] })
  t.equal(remaining(), 910)
})
