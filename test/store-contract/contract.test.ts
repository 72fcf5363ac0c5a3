// The contract finds what is wrong with a store. That ours pass it is in the tests of each.
import t from 'tap'
import { storeContract } from '../../lib/store-contract/index.js'
import { MemoryStore } from '../../lib/stores/memory/store.js'
import type { Adjustment, Charge, Limit, Receipt, Standing } from '../../lib/stores/store.js'
import { ManualClock } from '../fixtures/manual-clock.js'

class Unequal extends MemoryStore {
  override take (charges: readonly Charge[]): Receipt {
    const { granted, ...rest } = super.take(charges)
    return { ...rest, granted: granted || charges.length > 2 }
  }
}

class Copying extends MemoryStore {
  override take (charges: readonly Charge[]): Receipt {
    return super.take(structuredClone(charges))
  }
}

class Greedy extends MemoryStore {
  override peek (limits: readonly Limit[], partition: string): readonly Standing[] {
    super.take(limits.map((limit) => ({ limit, partition, cost: 1 })))
    return super.peek(limits, partition)
  }
}

class Early extends MemoryStore {
  override take (charges: readonly Charge[]): Receipt {
    const receipt = super.take(charges)
    return { ...receipt, standings: receipt.standings.map((standing) => standing.retryUs === 'never' ? standing : { ...standing, retryUs: Math.max(0, standing.retryUs - 1) }) }
  }
}

class Generous extends MemoryStore {
  override adjust (adjustments: readonly Adjustment[]): void {
    super.adjust(adjustments.map(({ onlyIfLast: _, ...rest }) => rest))
  }
}

class Forgetless extends MemoryStore {
  override reset (): number {
    return 0
  }
}

const broken: ReadonlyArray<readonly [Store: typeof MemoryStore, found: string]> = [
  [Unequal, 'several limits are charged all or none'],
  [Copying, 'token-bucket: max units are granted, the next is refused until exactly its stated wait'],
  [Greedy, 'fixed-window: a peek changes nothing'],
  [Early, 'sliding-window: max units are granted, the next is refused until exactly its stated wait'],
  [Generous, 'patience: only the last charge in the queue can be refunded with onlyIfLast'],
  [Forgetless, 'penalty: a reset removes the block, strikes and levels']
]

for (const [Store, found] of broken) {
  t.test(`a store that is ${Store.name.toLowerCase()} does not do this: ${found}`, async (t) => {
    const { run } = storeContract().find(({ title }) => title === found)!
    await t.rejects(run(() => {
      const clock = new ManualClock()
      return { store: new Store({ clock, maxKeys: 100_000 }), advance: (us) => { clock.advance(us) } }
    }), { name: 'AssertionError' })
  })
}

t.test('each title is there once, and each case closes its store, also when it fails', async (t) => {
  const cases = storeContract()
  t.equal(new Set(cases.map(({ title }) => title)).size, cases.length)
  let opened = 0
  let closed = 0
  class Closing extends Forgetless {
    override close () {
      closed++
      super.close()
    }
  }
  await Promise.allSettled(cases.map(({ run }) => run(() => {
    opened++
    const clock = new ManualClock()
    return { store: new Closing({ clock, maxKeys: 100_000 }), advance: (us) => { clock.advance(us) } }
  })))
  t.equal(opened, cases.length)
  t.equal(closed, cases.length)
})
