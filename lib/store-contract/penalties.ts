import type { Charge, Limit, Receipt, Store } from '../stores/store.js'
import { PARTITION, createCharge, assertMatches, fetchRemaining, assertEqual, takeOrFail, type DefineCase } from './assertions.js'
import { createLimit, createPenalty, SECOND_US } from './limits.js'

const MINUTE_US = 60 * SECOND_US
const USER = 'user:42'
const penalty = createPenalty()
/** One unit per second, so that a block is longer than the wait of the bucket. */
const limit = createLimit({ max: 1, windowUs: SECOND_US, penalty })
const NO_BLOCK = { blocks: [], standings: [{ blockedUs: 0 }] }

/** Take until `times` requests were refused. Returns the last refusal. */
async function takeUntilRefused (store: Store, charges: readonly Charge[], times = 1): Promise<Receipt> {
  for (let granted = 0; granted < 100;) {
    const receipt = await takeOrFail(store, charges)
    if (receipt.granted) granted++
    else if (--times === 0) return receipt
  }
  throw new Error('the store refused none of 100 requests')
}

/** Cases for limits with a penalty. */
export function penalties (defineCase: DefineCase): void {
  defineCase('penalty: the last strike starts a block, which ends exactly when stated', async (store, advance) => {
    assertMatches(await takeUntilRefused(store, [createCharge(limit)], 2), {
      standings: [{ retryUs: SECOND_US, blockedUs: 0 }], blocks: []
    })
    assertMatches(await takeOrFail(store, [createCharge(limit)]), {
      granted: false,
      standings: [{ granted: false, charged: 0, retryUs: 10 * SECOND_US, blockedUs: 10 * SECOND_US }],
      blocks: [{ partition: PARTITION, blockedUs: 10 * SECOND_US, began: true }]
    })
    await advance(10 * SECOND_US - 1)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), {
      granted: false,
      standings: [{ granted: false, remaining: 1, retryUs: 1, blockedUs: 1 }],
      blocks: [{ partition: PARTITION, blockedUs: 1, began: false }]
    })
    await advance(1)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), { granted: true, ...NO_BLOCK })
  })

  defineCase('penalty: the stated wait is that of the bucket if it is longer than the block', async (store, advance) => {
    const slow = createLimit({ max: 1, windowUs: MINUTE_US, penalty })
    assertMatches(await takeUntilRefused(store, [createCharge(slow)], 3), {
      standings: [{ retryUs: MINUTE_US, blockedUs: 10 * SECOND_US }], blocks: [{ began: true }]
    })
    await advance(MINUTE_US - 1)
    assertMatches(await takeOrFail(store, [createCharge(slow)]), { granted: false, standings: [{ retryUs: 1, blockedUs: 0 }] })
    await advance(1)
    assertEqual((await takeOrFail(store, [createCharge(slow)])).granted, true)
  })

  defineCase('penalty: a blocked partition is charged nothing, and gets no further strike', async (store, advance) => {
    const other = createLimit({ bucket: 'app/other', penalty })
    const shadow = createLimit({ bucket: 'app/shadow', mode: 'shadow', penalty })
    await takeUntilRefused(store, [createCharge(limit)], 3)
    for (let i = 0; i < 5; i++) {
      assertMatches(await takeOrFail(store, [createCharge(other), createCharge(shadow), createCharge(limit, 0)]), {
        granted: false,
        standings: [
          { granted: false, charged: 0, remaining: 10 },
          { granted: true, charged: 0, remaining: 10, blockedUs: 0 },
          { granted: false, charged: 0 }
        ],
        blocks: [{ began: false }]
      })
    }
    await advance(10 * SECOND_US)
    assertMatches(await takeOrFail(store, [createCharge(other)]), { granted: true, standings: [{ remaining: 9 }] })
  })

  defineCase('penalty: other partitions, other scopes and limits without a penalty are not blocked', async (store) => {
    await takeUntilRefused(store, [createCharge(limit)], 3)
    assertMatches(await takeOrFail(store, [createCharge(limit, 1, USER)]), { granted: true, ...NO_BLOCK })
    const elsewhere = createLimit({ bucket: 'app/elsewhere', penalty: createPenalty({ bucket: 'app/elsewhere' }) })
    assertMatches(await takeOrFail(store, [createCharge(elsewhere)]), { granted: true, ...NO_BLOCK })
    assertMatches(await takeOrFail(store, [createCharge(createLimit({ bucket: 'app/free' }))]), { granted: true, ...NO_BLOCK })
  })

  const exemptCases: ReadonlyArray<readonly [string, Limit, number]> = [
    ['by a global limit', createLimit({ max: 1, by: 'global', penalty }), 1],
    ['under max 0', createLimit({ max: 0, penalty }), 1],
    ['of a cost above the capacity', createLimit({ max: 1, penalty }), 2]
  ]
  for (const [what, exemptLimit, cost] of exemptCases) {
    defineCase(`penalty: a refusal ${what} is no strike`, async (store) => {
      assertMatches(await takeUntilRefused(store, [createCharge(exemptLimit, cost)], 9), NO_BLOCK)
      assertMatches(await takeOrFail(store, [createCharge(limit, 1, USER)]), NO_BLOCK)
    })
  }

  defineCase('penalty: a refusal by a shadow limit is no strike, and a refused cost of 0 is no strike', async (store) => {
    const shadow = createLimit({ max: 1, mode: 'shadow', penalty })
    for (let i = 0; i < 9; i++) assertMatches(await takeOrFail(store, [createCharge(shadow)]), { granted: true, ...NO_BLOCK })
    const indebted = createLimit({ penalty })
    const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(indebted)])
    await store.adjust([{ standing, atUs, units: 15 }])
    for (let i = 0; i < 9; i++) assertMatches(await takeOrFail(store, [createCharge(indebted, 0)]), { granted: false, ...NO_BLOCK })
  })

  defineCase('penalty: a request is one strike of a partition, however many limits refuse it', async (store) => {
    const second = createLimit({ max: 1, bucket: 'app/second', penalty })
    const charges = [createCharge(limit), createCharge(second), createCharge(limit, 1, USER)]
    assertMatches(await takeUntilRefused(store, charges, 2), { blocks: [] })
    assertEqual((await takeOrFail(store, charges)).blocks, [
      { partition: PARTITION, blockedUs: 10 * SECOND_US, began: true },
      { partition: USER, blockedUs: 10 * SECOND_US, began: true }
    ], 'one strike for each partition')
  })

  defineCase('penalty: a refusal by one partition is no strike of another partition', async (store, advance) => {
    const wide = createLimit({ bucket: 'app/wide', penalty })
    const charges = [createCharge(limit), createCharge(wide, 1, USER)]
    assertEqual((await takeUntilRefused(store, charges, 3)).blocks, [{ partition: PARTITION, blockedUs: 10 * SECOND_US, began: true }])
    assertMatches(await takeOrFail(store, charges), {
      granted: false, standings: [{ granted: false }, { granted: true, charged: 0, blockedUs: 0 }]
    })
    assertMatches(await takeOrFail(store, [createCharge(wide, 1, USER)]), { granted: true, standings: [{ remaining: 8 }] })
    await advance(10 * SECOND_US)
    assertEqual((await takeOrFail(store, charges)).granted, true)
  })

  defineCase('penalty: strikes of a charge are added before the request is decided', async (store) => {
    assertMatches(await takeOrFail(store, [{ ...createCharge(limit), strikes: 2 }]), { granted: true, ...NO_BLOCK })
    assertMatches(await takeOrFail(store, [createCharge(limit)]), { granted: false, blocks: [{ began: true }] })
    assertMatches(await takeOrFail(store, [{ ...createCharge(limit, 1, USER), strikes: 3 }]), {
      granted: false, standings: [{ charged: 0, remaining: 1 }], blocks: [{ partition: USER, began: true }]
    })
    const unchanged = { blocks: [{ began: false, blockedUs: 10 * SECOND_US }] }
    assertMatches(await takeOrFail(store, [{ ...createCharge(limit, 1, USER), strikes: 30 }]), unchanged, 'not during a block')
    const free = createLimit({ bucket: 'app/free' })
    assertMatches(await takeOrFail(store, [{ ...createCharge(free), strikes: 30 }]), NO_BLOCK, 'not without a penalty')
  })

  defineCase('penalty: strikes expire', async (store, advance) => {
    await takeUntilRefused(store, [createCharge(limit)], 2)
    await advance(MINUTE_US)
    assertMatches(await takeUntilRefused(store, [createCharge(limit)], 2), { blocks: [] })
    assertMatches(await takeOrFail(store, [createCharge(limit)]), { blocks: [{ began: true }] })
  })

  defineCase('penalty: each block is longer than the last, and quiet time makes the next block shorter', async (store, advance) => {
    const lengths: number[] = []
    const triggerBlock = async () => {
      const { blocks: [{ blockedUs, began }] } = await takeUntilRefused(store, [createCharge(limit)], 3)
      assertEqual(began, true)
      lengths.push(blockedUs / SECOND_US)
      await advance(blockedUs)
    }
    for (let i = 0; i < 5; i++) await triggerBlock()
    await advance(MINUTE_US)
    await triggerBlock()
    await advance(3 * MINUTE_US)
    await triggerBlock()
    assertEqual(lengths, [10, 20, 40, 60, 60, 40, 10])
  })

  defineCase('penalty: a reset removes the block, strikes and levels', async (store, advance) => {
    await takeUntilRefused(store, [createCharge(limit)], 3)
    await advance(10 * SECOND_US)
    await takeUntilRefused(store, [createCharge(limit)], 3)
    const shared = createLimit({ bucket: 'app/shared', penalty })
    assertEqual(await store.reset([limit, shared], PARTITION), 2, 'the bucket and the penalty')
    assertMatches(await takeUntilRefused(store, [createCharge(limit)], 2), { blocks: [] })
    assertMatches(await takeOrFail(store, [createCharge(limit)]), { blocks: [{ began: true, blockedUs: 10 * SECOND_US }] })
    assertEqual(await store.reset([shared], PARTITION), 1, 'by any limit of the penalty')
    assertEqual(await store.reset([shared], PARTITION), 0)
    assertMatches(await takeOrFail(store, [createCharge(shared)]), { granted: true })
  })

  defineCase('penalty: a peek returns the block, and is no strike', async (store, advance) => {
    await takeUntilRefused(store, [createCharge(limit)], 3)
    await advance(4 * SECOND_US)
    const free = createLimit({ bucket: 'app/free' })
    for (let i = 0; i < 5; i++) {
      assertMatches(await store.peek([limit, free], PARTITION), [
        { granted: false, remaining: 1, retryUs: 6 * SECOND_US, blockedUs: 6 * SECOND_US },
        { granted: true, blockedUs: 0 }
      ])
    }
    await advance(6 * SECOND_US)
    assertMatches(await store.peek([limit], PARTITION), [{ granted: true, blockedUs: 0 }])
  })

  defineCase('penalty: a changed rule keeps the level and the block, up to its own longest block', async (store, advance) => {
    for (let i = 0; i < 2; i++) {
      await takeUntilRefused(store, [createCharge(limit)], 3)
      await advance(10 * SECOND_US)
    }
    const rule = createPenalty({ strikes: 1, cooldownUs: SECOND_US, factor: 3, maxCooldownUs: 5 * SECOND_US })
    const changed: Limit = { ...limit, penalty: rule }
    assertMatches(await takeOrFail(store, [createCharge(changed)]), {
      granted: false, blocks: [{ blockedUs: 5 * SECOND_US, began: false }]
    })
    await advance(2 * SECOND_US)
    const rest = { blocks: [{ blockedUs: 3 * SECOND_US }] }
    assertMatches(await takeOrFail(store, [createCharge(changed)]), rest, 'a request does not restart the block')
    await advance(3 * SECOND_US)
    assertEqual((await takeOrFail(store, [createCharge(changed)])).granted, true)
    const third = { blocks: [{ blockedUs: 5 * SECOND_US, began: true }] }
    assertMatches(await takeOrFail(store, [createCharge(changed)]), third, 'the third level: 9 s, cut to 5 s')
  })

  defineCase('penalty: a clock that steps back does not extend a block beyond its length', async (store, advance) => {
    await takeUntilRefused(store, [createCharge(limit)], 3)
    await advance(-86_400 * SECOND_US)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), { blocks: [{ blockedUs: 10 * SECOND_US, began: false }] })
    await advance(9 * SECOND_US)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), { blocks: [{ blockedUs: SECOND_US, began: false }] })
    await advance(SECOND_US)
    assertEqual((await takeOrFail(store, [createCharge(limit)])).granted, true)
  })

  defineCase('penalty: a request that could be delayed is refused during a block', async (store, advance) => {
    const delayable = createLimit({ max: 1, windowUs: SECOND_US, maxDelayUs: 2 * SECOND_US, bucket: 'app/delayable', penalty })
    await takeUntilRefused(store, [createCharge(delayable)], 2)
    assertMatches(await takeOrFail(store, [createCharge(delayable)]), {
      granted: false, standings: [{ delayUs: 0 }], blocks: [{ began: true }]
    })
    await advance(2 * SECOND_US)
    assertMatches(await takeOrFail(store, [createCharge(delayable)]), {
      granted: false, standings: [{ granted: false, delayUs: 0, charged: 0 }]
    })
    assertEqual(await fetchRemaining(store, delayable), 0)
  })
}
