import type { Charge, Limit, Receipt, Store } from '../stores/store.js'
import { PARTITION, chargeOf, matches, remainingOf, same, taken, type Fact } from './assertions.js'
import { limitOf, penaltyWith, SECOND_US } from './limits.js'

const MINUTE_US = 60 * SECOND_US
const USER = 'user:42'
const penalty = penaltyWith()
/** One unit a second, so that a block outlasts the bucket. */
const limit = limitOf({ max: 1, windowUs: SECOND_US, penalty })
const NO_BLOCK = { blocks: [], standings: [{ blockedUs: 0 }] }

/** Take until so many requests were refused; answers the last refusal. */
async function refused (store: Store, charges: readonly Charge[], times = 1): Promise<Receipt> {
  for (let granted = 0; granted < 100;) {
    const receipt = await taken(store, charges)
    if (receipt.granted) granted++
    else if (--times === 0) return receipt
  }
  throw new Error('it is never refused')
}

/** What every store does with limits that have a penalty. */
export function penalties (fact: Fact): void {
  fact('penalty: the last strike begins a block, which ends exactly when stated', async (store, advance) => {
    matches(await refused(store, [chargeOf(limit)], 2), { standings: [{ retryUs: SECOND_US, blockedUs: 0 }], blocks: [] })
    matches(await taken(store, [chargeOf(limit)]), {
      granted: false,
      standings: [{ granted: false, charged: 0, retryUs: 10 * SECOND_US, blockedUs: 10 * SECOND_US }],
      blocks: [{ partition: PARTITION, blockedUs: 10 * SECOND_US, began: true }]
    })
    await advance(10 * SECOND_US - 1)
    matches(await taken(store, [chargeOf(limit)]), {
      granted: false,
      standings: [{ granted: false, remaining: 1, retryUs: 1, blockedUs: 1 }],
      blocks: [{ partition: PARTITION, blockedUs: 1, began: false }]
    })
    await advance(1)
    matches(await taken(store, [chargeOf(limit)]), { granted: true, ...NO_BLOCK })
  })

  fact('penalty: the stated wait is that of the bucket where it is longer', async (store, advance) => {
    const slow = limitOf({ max: 1, windowUs: MINUTE_US, penalty })
    matches(await refused(store, [chargeOf(slow)], 3), { standings: [{ retryUs: MINUTE_US, blockedUs: 10 * SECOND_US }], blocks: [{ began: true }] })
    await advance(MINUTE_US - 1)
    matches(await taken(store, [chargeOf(slow)]), { granted: false, standings: [{ retryUs: 1, blockedUs: 0 }] })
    await advance(1)
    same((await taken(store, [chargeOf(slow)])).granted, true)
  })

  fact('penalty: a blocked partition is charged nothing at all, and earns no further strike', async (store, advance) => {
    const other = limitOf({ bucket: 'app/other', penalty })
    const shadow = limitOf({ bucket: 'app/shadow', mode: 'shadow', penalty })
    await refused(store, [chargeOf(limit)], 3)
    for (let i = 0; i < 5; i++) {
      matches(await taken(store, [chargeOf(other), chargeOf(shadow), chargeOf(limit, 0)]), {
        granted: false,
        standings: [{ granted: false, charged: 0, remaining: 10 }, { granted: true, charged: 0, remaining: 10, blockedUs: 0 }, { granted: false, charged: 0 }],
        blocks: [{ began: false }]
      })
    }
    await advance(10 * SECOND_US)
    matches(await taken(store, [chargeOf(other)]), { granted: true, standings: [{ remaining: 9 }] })
  })

  fact('penalty: other partitions, other scopes and limits without a penalty are not blocked', async (store) => {
    await refused(store, [chargeOf(limit)], 3)
    matches(await taken(store, [chargeOf(limit, 1, USER)]), { granted: true, ...NO_BLOCK })
    const elsewhere = limitOf({ bucket: 'app/elsewhere', penalty: penaltyWith({ bucket: 'app/elsewhere' }) })
    matches(await taken(store, [chargeOf(elsewhere)]), { granted: true, ...NO_BLOCK })
    matches(await taken(store, [chargeOf(limitOf({ bucket: 'app/free' }))]), { granted: true, ...NO_BLOCK })
  })

  const innocents: ReadonlyArray<readonly [string, Limit, number]> = [
    ['by a global limit', limitOf({ max: 1, by: 'global', penalty }), 1],
    ['under max 0', limitOf({ max: 0, penalty }), 1],
    ['of a cost above the capacity', limitOf({ max: 1, penalty }), 2]
  ]
  for (const [what, innocent, cost] of innocents) {
    fact(`penalty: a refusal ${what} is no strike`, async (store) => {
      matches(await refused(store, [chargeOf(innocent, cost)], 9), NO_BLOCK)
      matches(await taken(store, [chargeOf(limit, 1, USER)]), NO_BLOCK)
    })
  }

  fact('penalty: what a limit on trial would have refused is no strike, nor is a request for nothing', async (store) => {
    const shadow = limitOf({ max: 1, mode: 'shadow', penalty })
    for (let i = 0; i < 9; i++) matches(await taken(store, [chargeOf(shadow)]), { granted: true, ...NO_BLOCK })
    const indebted = limitOf({ penalty })
    const { atUs, standings: [standing] } = await taken(store, [chargeOf(indebted)])
    await store.adjust([{ standing, atUs, units: 15 }])
    for (let i = 0; i < 9; i++) matches(await taken(store, [chargeOf(indebted, 0)]), { granted: false, ...NO_BLOCK })
  })

  fact('penalty: a request is one strike of a partition, however many limits refused', async (store) => {
    const second = limitOf({ max: 1, bucket: 'app/second', penalty })
    const charges = [chargeOf(limit), chargeOf(second), chargeOf(limit, 1, USER)]
    matches(await refused(store, charges, 2), { blocks: [] })
    same((await taken(store, charges)).blocks, [
      { partition: PARTITION, blockedUs: 10 * SECOND_US, began: true },
      { partition: USER, blockedUs: 10 * SECOND_US, began: true }
    ], 'and one of each partition')
  })

  fact('penalty: a partition whose limit granted is not struck by another\'s refusal, but not served either', async (store, advance) => {
    const wide = limitOf({ bucket: 'app/wide', penalty })
    const charges = [chargeOf(limit), chargeOf(wide, 1, USER)]
    same((await refused(store, charges, 3)).blocks, [{ partition: PARTITION, blockedUs: 10 * SECOND_US, began: true }])
    matches(await taken(store, charges), { granted: false, standings: [{ granted: false }, { granted: true, charged: 0, blockedUs: 0 }] })
    matches(await taken(store, [chargeOf(wide, 1, USER)]), { granted: true, standings: [{ remaining: 8 }] })
    await advance(10 * SECOND_US)
    same((await taken(store, charges)).granted, true)
  })

  fact('penalty: strikes that were counted elsewhere count before the request is decided', async (store) => {
    matches(await taken(store, [{ ...chargeOf(limit), strikes: 2 }]), { granted: true, ...NO_BLOCK })
    matches(await taken(store, [chargeOf(limit)]), { granted: false, blocks: [{ began: true }] })
    matches(await taken(store, [{ ...chargeOf(limit, 1, USER), strikes: 3 }]), {
      granted: false, standings: [{ charged: 0, remaining: 1 }], blocks: [{ partition: USER, began: true }]
    })
    matches(await taken(store, [{ ...chargeOf(limit, 1, USER), strikes: 30 }]), { blocks: [{ began: false, blockedUs: 10 * SECOND_US }] }, 'while it is blocked none does')
    matches(await taken(store, [{ ...chargeOf(limitOf({ bucket: 'app/free' })), strikes: 30 }]), NO_BLOCK, 'nor without a penalty')
  })

  fact('penalty: strikes are forgotten after their time', async (store, advance) => {
    await refused(store, [chargeOf(limit)], 2)
    await advance(MINUTE_US)
    matches(await refused(store, [chargeOf(limit)], 2), { blocks: [] })
    matches(await taken(store, [chargeOf(limit)]), { blocks: [{ began: true }] })
  })

  fact('penalty: each block is longer than the last, and quiet time makes the next one shorter again', async (store, advance) => {
    const lengths: number[] = []
    const offend = async () => {
      const { blocks: [{ blockedUs, began }] } = await refused(store, [chargeOf(limit)], 3)
      same(began, true)
      lengths.push(blockedUs / SECOND_US)
      await advance(blockedUs)
    }
    for (let i = 0; i < 5; i++) await offend()
    await advance(MINUTE_US)
    await offend()
    await advance(3 * MINUTE_US)
    await offend()
    same(lengths, [10, 20, 40, 60, 60, 40, 10])
  })

  fact('penalty: a reset lifts the block, and forgets strikes and levels', async (store, advance) => {
    await refused(store, [chargeOf(limit)], 3)
    await advance(10 * SECOND_US)
    await refused(store, [chargeOf(limit)], 3)
    const shared = limitOf({ bucket: 'app/shared', penalty })
    same(await store.reset([limit, shared], PARTITION), 2, 'the bucket and the penalty')
    matches(await refused(store, [chargeOf(limit)], 2), { blocks: [] })
    matches(await taken(store, [chargeOf(limit)]), { blocks: [{ began: true, blockedUs: 10 * SECOND_US }] })
    same(await store.reset([shared], PARTITION), 1, 'through any of its limits')
    same(await store.reset([shared], PARTITION), 0)
    matches(await taken(store, [chargeOf(shared)]), { granted: true })
  })

  fact('penalty: a peek shows the block, and is no strike', async (store, advance) => {
    await refused(store, [chargeOf(limit)], 3)
    await advance(4 * SECOND_US)
    const free = limitOf({ bucket: 'app/free' })
    for (let i = 0; i < 5; i++) {
      matches(await store.peek([limit, free], PARTITION), [
        { granted: false, remaining: 1, retryUs: 6 * SECOND_US, blockedUs: 6 * SECOND_US },
        { granted: true, blockedUs: 0 }
      ])
    }
    await advance(6 * SECOND_US)
    matches(await store.peek([limit], PARTITION), [{ granted: true, blockedUs: 0 }])
  })

  fact('penalty: a changed rule keeps who is blocked blocked, for its longest time at most, and the level', async (store, advance) => {
    for (let i = 0; i < 2; i++) {
      await refused(store, [chargeOf(limit)], 3)
      await advance(10 * SECOND_US)
    }
    const changed: Limit = { ...limit, penalty: penaltyWith({ strikes: 1, cooldownUs: SECOND_US, factor: 3, maxCooldownUs: 5 * SECOND_US }) }
    matches(await taken(store, [chargeOf(changed)]), { granted: false, blocks: [{ blockedUs: 5 * SECOND_US, began: false }] })
    await advance(2 * SECOND_US)
    matches(await taken(store, [chargeOf(changed)]), { blocks: [{ blockedUs: 3 * SECOND_US }] }, 'not anew at each request')
    await advance(3 * SECOND_US)
    same((await taken(store, [chargeOf(changed)])).granted, true)
    matches(await taken(store, [chargeOf(changed)]), { blocks: [{ blockedUs: 5 * SECOND_US, began: true }] }, 'of the third level: 9 s, cut to 5')
  })

  fact('penalty: no clock that steps back lengthens a block beyond its length', async (store, advance) => {
    await refused(store, [chargeOf(limit)], 3)
    await advance(-86_400 * SECOND_US)
    matches(await taken(store, [chargeOf(limit)]), { blocks: [{ blockedUs: 10 * SECOND_US, began: false }] })
    await advance(9 * SECOND_US)
    matches(await taken(store, [chargeOf(limit)]), { blocks: [{ blockedUs: SECOND_US, began: false }] })
    await advance(SECOND_US)
    same((await taken(store, [chargeOf(limit)])).granted, true)
  })

  fact('penalty: a request that would wait in line is refused while it is blocked', async (store, advance) => {
    const patient = limitOf({ max: 1, windowUs: SECOND_US, patienceUs: 2 * SECOND_US, bucket: 'app/patient', penalty })
    await refused(store, [chargeOf(patient)], 2)
    matches(await taken(store, [chargeOf(patient)]), { granted: false, standings: [{ delayUs: 0 }], blocks: [{ began: true }] })
    await advance(2 * SECOND_US)
    matches(await taken(store, [chargeOf(patient)]), { granted: false, standings: [{ granted: false, delayUs: 0, charged: 0 }] })
    same(await remainingOf(store, patient), 0)
  })
}
